// Colours of values: viridis, which is even to the eye and to the colour-blind.

// 33 of Matplotlib's 256 colours (CC0); between them, a straight line is off by less than 2 of 255.
const VIRIDIS =
  "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e297a8e26828e23898e" +
  "21918c1f978b1f9f8821a68527ad8131b57b3dbc744cc26c5cc8636ece5881d34d95d840aadc32c0df25d5e21aeae51a" +
  "fde725";

// The colours farthest from all of viridis, both backgrounds and each other, for normal sight and
// three kinds of colour-blindness (CIELAB distance at least 40, and 27 for black).
export const NOT_FINITE = [0xc3, 0x00, 0xff];
export const ZERO = [0, 0, 0];

const knots = Array.from({ length: 33 }, (_, i) =>
  [0, 2, 4].map((k) => parseInt(VIRIDIS.slice(6 * i + k, 6 * i + k + 2), 16)),
);

// Position of colour i of 256 among the knots, which lie at round(255 i / 32).
function viridis(i) {
  let k = 0;
  while (k < 31 && Math.round((255 * (k + 1)) / 32) <= i) k++;
  const from = Math.round((255 * k) / 32);
  const to = Math.round((255 * (k + 1)) / 32);
  const t = (i - from) / (to - from);
  return knots[k].map((c, j) => Math.round(c + t * (knots[k + 1][j] - c)));
}

const table = Array.from({ length: 256 }, (_, i) => viridis(i));

export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;

// As a pixel of ImageData, read as a little-endian 32-bit number.
export const packed = ([r, g, b]) => ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;

export const LOOKUP = Uint32Array.from(table, packed);

export const gradient = `linear-gradient(to right, ${table
  .filter((_, i) => i % 15 === 0)
  .map(css)
  .join(", ")})`;
