"""A headless Chromium for tests of pages, and why there is none where there is none."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
needs_chromium = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="no Chromium with its driver here: apt-get install chromium chromium-driver"
)


@contextlib.contextmanager
def chromium(width: int = 1300) -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", f"--window-size={width},1000"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        yield driver
    finally:
        driver.quit()


def opened(driver: webdriver.Chrome, path: Path, *, most_seconds: float = 120) -> str:
    """Open a report, wait until it is drawn, and return its state."""
    driver.get(path.as_uri())
    end = time.monotonic() + most_seconds
    while time.monotonic() < end:
        if state := driver.execute_script("return document.documentElement.dataset.state"):
            return str(state)
        time.sleep(0.05)
    return "never drawn"
