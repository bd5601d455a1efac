"""Take the README's pictures: a run's last screen, and the first screen of its report, in a headless Chromium.

    python docs/pictures.py [DIR]     # docs/pictures, if left out

It runs the release gate over `sim/paper-a`, and all suites for the report. Both are real runs of a simulated model.
"""

import html
import re
import sys
import tempfile
from pathlib import Path

from selenium.webdriver import Chrome

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "docs/_ext")]
from browser import chromium, opened  # noqa: E402 - the tests' own browser
from runs import run  # noqa: E402 - as the gallery's reports are made

STUDY = ["--model", "sim/paper-a", "--profile", "paper"]
MOST_BYTES = 150_000
COLOURS = {31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 36: "#76e3ea"}
SCREEN = """<!doctype html><meta charset="utf-8"><style>
body {{ margin: 0; background: #0d1117 }}
pre {{ margin: 0; padding: 16px 20px; width: max-content; color: #e6edf3 }}
pre {{ font: 13px/1.35 "DejaVu Sans Mono", monospace }}
</style><pre>{}</pre>"""


def last_screen(printed: str) -> str:
    """Return what stands below the progress of the tests and the list of those that failed."""
    lines = printed.splitlines()
    (start,) = [number for number, line in enumerate(lines) if re.search(r"=+ llmpref: ", line)]
    return "\n".join(lines[start:])


def coloured(text: str) -> str:
    """Turn a terminal's colours into HTML."""
    parts, bold, colour = [], False, ""
    for code, words in re.findall(r"(?:\x1b\[([\d;]*)m)?([^\x1b]*)", text):
        for number in (int(part or 0) for part in code.split(";")) if code else ():
            bold, colour = (False, "") if number == 0 else (bold or number == 1, COLOURS.get(number, colour))
        style = f"color: {colour or 'inherit'}; font-weight: {'bold' if bold else 'normal'}"
        parts.append(f'<span style="{style}">{html.escape(words)}</span>')
    return "".join(parts)


def main(target: Path) -> None:
    """Run both suites, and write the two pictures."""
    with tempfile.TemporaryDirectory() as name, chromium() as driver:
        gate, everything = Path(name, "gate"), Path(name, "everything")
        driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        page = Path(name, "screen.html")
        printed = run(gate, ["suites/release_gate", *STUDY])
        page.write_text(SCREEN.format(coloured(last_screen(printed))), encoding="utf-8")
        driver.get(page.as_uri())
        box = driver.execute_script("return document.querySelector('pre').getBoundingClientRect()")
        picture(driver, target / "last-screen.png", round(box["width"]), round(box["height"]))
        run(everything, ["suites", *STUDY])
        view(driver, 1000, 820)
        assert opened(driver, everything / "reports/latest/report.html") == "ready"
        picture(driver, target / "report.png", 1000, 820)


def view(driver: Chrome, width: int, height: int) -> None:
    """Set the size of the page."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def picture(driver: Chrome, path: Path, width: int, height: int) -> None:
    """Write what the page shows, and refuse a file that is too large to commit."""
    view(driver, width, height)
    driver.save_screenshot(str(path))
    assert path.stat().st_size < MOST_BYTES, f"{path}: {path.stat().st_size} bytes, at most {MOST_BYTES}"


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs/pictures")
