"""Copy some recordings of the tuning half, of each kind, to the folder that tests read."""

import sys
from pathlib import Path

from benchmarks.stalls.recording import read

CHOSEN = (
    *("CNN, Adam 0", "LoRA, Adam 0", "MLP, Adagrad 0", "GRU, Keras' Adam, clipped 0"),
    *("Gaussian likelihood, Adam 0", "text, Adagrad 0", "random labels, SGD 0", "WGAN, RMSprop 0"),
    *("GAN, Keras' Adam 0", "few, SGD 0", "slow, MLP, SGD 1e-3 0", "MLP, Keras' SGD 0"),
    *("dead later: CNN, Adam 0", "dead at first: MLP, Keras' SGD 0", "cut off: two heads, Adam 0"),
    *("NaN once: transformer, AdamW that skips 0", "NaN once: CNN, SGD that ignores 0"),
    *("rate too large: MLP, SGD 30 0", "rate too large: MLP, Adam from step 200 0"),
    *("rate too small: MLP, Adam 0", "vanishing: 10 sigmoids, SGD 0", "bfloat16: MLP, SGD 0"),
    *("vanishing: 14 sigmoids, Keras' Adam 0", "weight decay eats: MLP, Keras' SGD 0"),
    *("Adagrad, spike seen: MLP, Adagrad 1e-3 0", "saturated: MLP, Adagrad from 1e9 0"),
)
KEPT = Path(__file__).parent / "recordings"

if __name__ == "__main__":
    for name in CHOSEN:
        path = Path(sys.argv[1]) / "tune" / f"{name}.npz"
        if not path.exists():
            print("missing", name)
            continue
        read(path).write(KEPT / path.name)
