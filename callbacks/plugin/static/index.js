// TensorBoard loads this file and calls render(). It is small so that an error in any other file
// ends as a message on the page and not as a blank tab.

export async function render() {
  try {
    const { start } = await import("./app.js");
    await start(document.body);
  } catch (error) {
    const text = document.createElement("pre");
    text.setAttribute("role", "alert");
    text.textContent =
      `The tab Optimizer could not start.\n\n${error}\n\n` +
      "Reload the page. If that does not help, install tfadaopt again.";
    text.style.cssText = "margin:2em;white-space:pre-wrap;color:GrayText;font-size:14px";
    document.body.replaceChildren(text);
  }
}
