// What the page around the tab tells it: dark mode, and that TensorBoard has loaded new data.

function outside() {
  try {
    return parent === window ? null : parent.document.body;
  } catch {
    return null; // another origin: a notebook
  }
}

// Follow dark mode, now and when it changes.
export function followTheme(onChange) {
  const body = outside();
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = body ? body.classList.contains("dark-mode") : system.matches;
    document.documentElement.classList.toggle("dark", dark);
    onChange();
  };
  if (body) {
    new MutationObserver(apply).observe(body, { attributes: true, attributeFilter: ["class"] });
  } else {
    system.addEventListener("change", apply);
  }
  apply();
}

// Call onData when TensorBoard says that it has reloaded, and every 30 seconds while in sight, since
// what it says is not documented.
export function followData(onData) {
  setInterval(() => {
    if (!document.hidden) onData();
  }, 30_000);
  try {
    const channel = new MessageChannel();
    channel.port1.onmessage = ({ data }) => {
      const message = JSON.parse(data);
      if (message.type === "experimental.DataReloaded") onData();
      if (!message.isReply) {
        channel.port1.postMessage(
          JSON.stringify({ ...message, payload: null, error: null, isReply: true }),
        );
      }
    };
    parent.postMessage("experimental.bootstrap", "*", [channel.port2]);
  } catch {
    // Then the clock alone.
  }
}
