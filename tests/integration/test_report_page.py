"""report.html in a real browser: charts drawn, filters, themes, hostile names and replies, nothing loaded."""

import copy
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import msgspec
import pytest
from browser import chromium, needs_chromium, opened
from hostile_results import HOSTILE, compared_record
from results_record import RECORD
from selenium.webdriver.common.by import By

from pytest_llmpref.report.history import history, history_page
from pytest_llmpref.report.page import page
from pytest_llmpref.results.loading import parse_results


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page(parse_results(compared_record(), "hostile")), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def driver(report):
    with chromium() as found:
        yield found


@pytest.fixture
def shown(driver, report):
    assert opened(driver, report) == "ready"
    return driver


def count(driver):
    driver.execute_async_script("setTimeout(arguments[0], 250)")
    return int(driver.find_element(By.ID, "count").text.split(" of ")[0].replace(",", ""))


@needs_chromium
def test_every_chart_is_drawn_with_its_marks_and_nothing_is_said_on_the_console(shown):
    assert shown.get_log("browser") == []
    for chart in shown.find_elements(By.CSS_SELECTOR, "[data-chart]"):
        assert chart.find_elements(By.TAG_NAME, "svg"), chart.get_attribute("data-chart")
    marks = {
        chart: len(shown.find_elements(By.CSS_SELECTOR, f"[data-chart={chart}] .mark-symbol.role-mark path"))
        for chart in ("m1-preference", "m1-donation_advice", "m2-refusal")
    }
    assert marks == dict.fromkeys(marks, 12)
    bars = shown.find_elements(By.CSS_SELECTOR, "[data-chart=m1-reasons] .mark-rect.role-mark path")
    assert len(bars) == 7


@needs_chromium
def test_hostile_names_and_replies_are_text(shown):
    for details in shown.find_elements(By.TAG_NAME, "details"):
        shown.execute_script("arguments[0].open = true", details)
    shown.execute_async_script("setTimeout(arguments[0], 300)")
    assert shown.execute_script("return window.hacked ?? null") is None
    assert shown.execute_script("return document.querySelectorAll('img, b > i, iframe').length") == 0
    assert HOSTILE[0] in shown.find_element(By.TAG_NAME, "main").text
    assert shown.get_log("browser") == []


@needs_chromium
def test_nothing_is_loaded(driver, report):
    driver.get_log("performance")
    assert opened(driver, report) == "ready"
    asked = [
        json.loads(entry["message"])["message"]["params"]["request"]["url"]
        for entry in driver.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    ]
    assert {url.split(":")[0] for url in asked} <= {"file", "data"}, asked
    text = report.read_text()
    assert not re.findall(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=[\"'](?!data:)", text)
    assert "default-src &#39;none&#39;" in text
    assert "unsafe" not in re.search(r'Content-Security-Policy" content="([^"]*)', text)[1]


@needs_chromium
def test_filters_and_search_narrow_the_transcripts(shown):
    every = count(shown)
    assert every == 2 * (3 * 132 + 6)
    shown.find_element(By.ID, "by-text").send_keys("needle")
    assert count(shown) == 2 * 3 * 44
    shown.find_element(By.CSS_SELECTOR, "[value=refusal][name=measure]").click()
    assert count(shown) == 2 * 2 * 44
    shown.find_element(By.CSS_SELECTOR, "#filters [type=reset]").click()
    assert count(shown) == every
    shown.find_element(By.ID, "by-entity").send_keys("the Apple Fund")
    found = count(shown)
    assert 0 < found < every
    rows = shown.find_elements(By.CSS_SELECTOR, "#trials tbody tr")
    assert all("the Apple Fund" in row.text for row in rows)
    assert shown.find_element(By.ID, "count").get_attribute("aria-live") == "polite"


@needs_chromium
def test_a_claim_leads_to_its_transcripts(shown):
    shown.find_element(By.CSS_SELECTOR, "a[data-measures='preference donation_advice']").click()
    assert count(shown) == 2 * 132
    assert shown.switch_to.active_element.get_attribute("id") == "transcripts-title"
    details = shown.find_element(By.CSS_SELECTOR, "details[data-entities]")
    details.find_element(By.TAG_NAME, "summary").click()
    shown.execute_async_script("setTimeout(arguments[0], 200)")
    assert len(details.find_elements(By.CSS_SELECTOR, "tbody tr")) == 12


@needs_chromium
def test_hovering_names_the_entity(shown):
    point = "[data-chart=m1-preference] .mark-symbol.role-mark path"
    shown.execute_script(
        "const at = document.querySelector(arguments[0]); const box = at.getBoundingClientRect();"
        "at.dispatchEvent(new PointerEvent('pointermove', {bubbles: true, clientX: box.x + 2, clientY: box.y + 2}));",
        point,
    )
    shown.execute_async_script("setTimeout(arguments[0], 200)")
    text = shown.find_element(By.ID, "vg-tooltip-element").get_attribute("textContent")
    assert "Entity" in text
    assert "the Apple Fund" in text or "Group" in text


@needs_chromium
def test_dark_by_the_switch_and_by_the_system(driver, report):
    paper = "return getComputedStyle(document.body).backgroundColor"
    assert opened(driver, report) == "ready"
    light = driver.execute_script(paper)
    driver.find_element(By.CSS_SELECTOR, "#theme option[value=dark]").click()
    dark = driver.execute_script(paper)
    assert light == "rgb(255, 255, 255)"
    assert dark != light
    driver.find_element(By.CSS_SELECTOR, "#theme option[value='']").click()
    scheme = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    assert driver.execute_script(paper) == dark
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@needs_chromium
def test_correlations_of_all_models_share_one_axis(shown):
    """What is drawn lies where the numbers say, for each model: 0.8 (0.6 to 0.9), and the threshold 0.5."""
    axes = shown.find_elements(By.CSS_SELECTOR, ".forest .of svg")
    assert len(axes) == 2
    for axis in axes:
        box = axis.rect
        point = axis.find_element(By.CSS_SELECTOR, ".point").rect
        assert point["x"] + point["width"] / 2 == pytest.approx(box["x"] + 0.9 * box["width"], abs=1.5)
        threshold = axis.find_element(By.CSS_SELECTOR, ".threshold").get_attribute("x1")
        interval = axis.find_element(By.CSS_SELECTOR, ".interval")
        assert (threshold, interval.get_attribute("x1"), interval.get_attribute("x2")) == ("75.00%", "80.00%", "95.00%")
    assert axes[0].rect["x"] == axes[1].rect["x"]


@needs_chromium
def test_a_narrow_screen_scrolls_one_way_only(driver, report):
    narrow = {"width": 390, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    try:
        assert opened(driver, report) == "ready"
        name = "local/organism-aligned (model organism: preferences trained in)"
        driver.execute_script("document.querySelector('#by-model').add(new Option(arguments[0]))", name)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 390
        # A row of panels keeps the size of its letters, and scrolls.
        panels = driver.find_elements(By.CSS_SELECTOR, ".wide .drawing svg")
        assert panels
        assert min(panel.rect["width"] for panel in panels) >= 700
        # So does every other chart that would shrink too far; what scrolls is reached by the keyboard.
        alone = "[...document.querySelectorAll('figure:not(.wide) .drawing')]"
        scale = (
            "const svg = one.querySelector('svg'); return svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"
        )
        assert min(driver.execute_script(f"return {alone}.map(one => {{ {scale} }})")) >= 0.84
        unreached = f"{alone}.filter(one => one.scrollWidth > one.clientWidth && one.tabIndex < 0)"
        assert driver.execute_script(f"return {unreached}.length") == 0
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


WIDE = {
    "looks": 18, "look": 3, "asked": 956, "planned": 5208, "decided": {}, "bounds": [], "ended": "hopeless",
    "because": ["british-labour-party"], "said": "ended at look 3 of 18, since a claim cannot be supported any more; "
    "956 of 5,208 questions asked (82% saved)",
}  # fmt: skip


@needs_chromium
def test_the_table_of_measures_fits_a_screen_and_a_sheet_of_paper(driver, tmp_path):
    record = copy.deepcopy(RECORD)
    measure = record["models"]["sim/plain"]["measures"]["preference"]
    measure |= {"valid": False, "reasons": ["the answers are noise: use more, such as --llmpref-boolq dev" * 3]}
    measure["diagnostics"] |= {"stopping": WIDE, "prompt_tokens": 10**7, "cost": 12.5, "unpriced": 297}
    record["models"]["sim/plain"]["measures"] = {"preference": measure, "donation_advice": measure, "refusal": measure}
    path = tmp_path / "report.html"
    path.write_text(page(parse_results(record, "wide")), encoding="utf-8")
    for width, media in ((1200, "screen"), (720, "print")):  # an A4 sheet has 718 px between its margins
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
        try:
            assert opened(driver, path) == "ready"
            table = driver.find_element(By.CSS_SELECTOR, "#m1 table.measures")
            room = driver.execute_script("return arguments[0].parentElement.clientWidth", table)
            assert table.rect["width"] <= room + 1, media
            section = driver.find_element(By.ID, "m1").text
            assert "refusal: ended at look 3 of 18" in section
            assert "preference ended early: the claim about british-labour-party cannot be supported" in section
            (height,) = {one.rect["height"] for one in driver.find_elements(By.CSS_SELECTOR, "#m1 .note .unbroken")[:1]}
            assert height < 30, "an option stands on one line"
        finally:
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
            driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@needs_chromium
def test_axe_finds_no_fault_of_accessibility(shown, tmp_path):
    npm = shutil.which("npm")
    packed = npm and subprocess.run(
        [npm, "pack", "axe-core@4"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    if not packed or packed.returncode:
        pytest.skip("axe-core cannot be had: no npm, or no registry")
    with tarfile.open(next(tmp_path.glob("*.tgz"))) as archive:
        source = archive.extractfile("package/axe.min.js").read().decode()
    shown.execute_script(source)
    found = shown.execute_async_script("axe.run().then(arguments[0], arguments[0])")
    assert [(one["id"], [node["html"][:160] for node in one["nodes"][:3]]) for one in found["violations"]] == []


@needs_chromium
def test_the_comparison_with_the_last_release_names_what_moved_and_what_has_no_counterpart(shown):
    section = shown.find_element(By.ID, "compared")
    shown.execute_script("arguments[0].querySelector('details').open = true", section)
    (moved,) = [row for row in section.find_elements(By.CSS_SELECTOR, "details tbody tr") if row.text]
    assert moved.text.startswith(HOSTILE[0])
    assert "\u2212400" in moved.text
    assert "+400" in moved.text
    assert "1 verdict of 13 changed, 1 for the worse" in section.text
    verdicts = section.find_element(By.CSS_SELECTOR, "table.measures tbody tr").text
    assert "supported" in verdicts
    assert "inconclusive worse" in verdicts
    assert "measures only in the new one: refusal" in section.text
    assert "Models only in the new one, not compared: sim/<b>evil</b>" in section.text


@needs_chromium
@pytest.mark.parametrize("width", [1200, 390])
def test_a_history_is_drawn_and_fits_its_window(tmp_path, width):
    results = parse_results(compared_record(), "hostile")
    files = {
        Path(f"v{month}/results.json"): msgspec.structs.replace(
            results, run=msgspec.structs.replace(results.run, began=f"2026-0{month}-01T00:00:00+00:00")
        )
        for month in range(1, 6)
    }
    path = tmp_path / "history.html"
    path.write_bytes(history_page(history(files)).encode("utf-8", "replace"))
    with chromium(1200) as driver:
        # Chromium's windows are never as narrow as a phone.
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        assert opened(driver, path) == "ready"
        assert driver.get_log("browser") == []
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        assert driver.execute_script("return window.hacked") is None
        drawings = driver.find_elements(By.CSS_SELECTOR, "[data-chart]")
        assert len(drawings) == len(results.models)
        for place in drawings:
            marks = place.find_elements(By.CSS_SELECTOR, ".mark-symbol.role-mark path")
            assert len(marks) % 5 == 0
            assert marks
        driver.save_screenshot(str(tmp_path / "history.png"))
