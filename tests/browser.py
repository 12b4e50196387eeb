"""The TensorBoard tab in a headless Chromium: the system's, driven by Playwright."""

import base64
import contextlib
import io
import shutil
from collections.abc import Iterator

import numpy as np
from PIL import Image

NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
DRAWN = "document.body.dataset.state === 'drawn'"


def chromium() -> str | None:
    """Where the browser is, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def browsing() -> Iterator:
    """Start the browser, and end it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(),
            # Fonts are drawn and scaled alike everywhere; no GPU is asked for.
            args=["--no-sandbox", "--disable-gpu", "--force-device-scale-factor=1"],
        )
        try:
            yield browser
        finally:
            browser.close()


def open_tab(page, url: str):
    """Open the tab without the rest of TensorBoard, and wait for its picture."""
    page.goto(f"{url}data/plugin_entry.html?name=tfadaopt")
    page.wait_for_function(DRAWN)
    return page


def open_in_tensorboard(page, url: str, dark: bool = False):
    """Open TensorBoard at the tab; returns the tab's frame once it has drawn."""
    page.goto(f"{url}{'?darkMode=true' if dark else ''}#tfadaopt")
    handle = page.wait_for_selector("iframe[src*=plugin_entry]", timeout=60_000)
    frame = handle.content_frame()
    frame.wait_for_function(DRAWN)
    return frame


def pixels(tab, selector: str, number: int = 0) -> np.ndarray:
    """Pixels that a canvas holds once all is drawn, uint8 [height, width, 4]."""
    tab.wait_for_function(DRAWN)
    url = tab.locator(selector).nth(number).evaluate("canvas => canvas.toDataURL('image/png')")
    image = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    return np.asarray(image.convert("RGBA"))
