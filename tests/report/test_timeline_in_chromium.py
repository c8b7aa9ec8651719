"""The page of a start and its Mermaid chart, in Debian's Chromium with the network cut."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from proa.records.evidence import Finding
from proa.records.startup import Startup, Step
from proa.report.timeline_mermaid import timeline_mermaid
from proa.report.timeline_page import timeline_page
from real_neighbours import mermaid, need
from start_example import START

pytestmark = pytest.mark.real
HOSTILE = Startup(
    command=("sh", "-c", "a; b # c :d, e%%f"),
    steps=(
        Step(step="load <img src=x onerror=alert(1)>", kind="load", at_s=0.001, duration_s=0.002),
        Step(
            step="section click end; crit :done, 1, 2", kind="connect", at_s=0.004, has_failed=True, message="a: b; #c"
        ),
        Step(step='read "x" {y} `z` \\ gantt', kind="configuration", at_s=0.005),
    ),
)


@pytest.fixture(scope="module")
def driver(tmp_path_factory) -> Iterator[Any]:
    need("chromium", "chromedriver")
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    wanted = Options()
    wanted.binary_location = "/usr/bin/chromium"
    profile = tmp_path_factory.mktemp("browser")
    flags = ["headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-component-update"]
    flags += ["host-resolver-rules=MAP * ~NOTFOUND", "proxy-server=127.0.0.1:9", f"user-data-dir={profile}"]
    for flag in flags:
        wanted.add_argument(f"--{flag}")
    wanted.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options=wanted, service=Service("/usr/bin/chromedriver"))
    try:
        yield started
    finally:
        started.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("page") / "start.html"
    findings = [Finding(id="start.slept", message="it slept for 200 ms before listening", hint="do not sleep")]
    file.write_text(timeline_page(START, findings=findings))
    return file


def evaluate(driver: Any, expression: str) -> Any:
    found = driver.execute_cdp_cmd("Runtime.evaluate", {"expression": expression, "awaitPromise": True})
    assert "exceptionDetails" not in found, found
    return found["result"].get("value")


def test_axe_finds_nothing_serious_light_or_dark(driver, page):
    script = resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        driver.get(page.as_uri())
        evaluate(driver, script)
        told = evaluate(
            driver,
            "axe.run().then((found) => JSON.stringify([found.passes.length, found.violations.map((one) =>"
            " [one.impact, one.id, one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])]))",
        )
        passed, violations = json.loads(told)
        assert passed > 12
        assert [one for one in violations if one[0] in ("serious", "critical")] == [], scheme


def test_the_page_breaks_none_of_its_own_rules_and_fits_a_telephone(driver, page):
    driver.get_log("browser")
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get(page.as_uri())
    assert driver.execute_script("return document.documentElement.scrollWidth") <= 360
    assert driver.execute_script("return document.querySelectorAll('#timeline .bar').length") == len(START.steps)
    assert driver.get_log("browser") == []


def test_the_keyboard_reaches_and_moves_the_picture_and_the_table(driver, page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    metrics = {"width": 500, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    driver.get(page.as_uri())
    ActionChains(driver).send_keys(Keys.TAB).perform()
    assert driver.execute_script("return document.activeElement.id") == "drawing"
    assert driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle") != "none"
    ActionChains(driver).send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT).perform()
    evaluate(driver, "new Promise((done) => setTimeout(done, 400))")
    assert driver.execute_script("return document.activeElement.scrollLeft") > 0
    ActionChains(driver).send_keys(Keys.TAB).perform()
    assert driver.execute_script("return document.activeElement.id") == "steps"


@pytest.mark.parametrize("start", [START, HOSTILE, Startup(problem="it listened on no port within 1 s")])
def test_mermaid_itself_draws_the_chart(driver, start, tmp_path):
    blank = tmp_path / "blank.html"
    blank.write_text("<!doctype html><title>x</title><body></body>")
    driver.get(blank.as_uri())
    evaluate(driver, mermaid(os.environ).read_text("utf-8"))
    chart = timeline_mermaid(start)
    told = evaluate(
        driver,
        "mermaid.initialize({startOnLoad: false});"
        f"mermaid.render('chart', {json.dumps(chart)}).then((one) => JSON.stringify([one.diagramType,"
        " [...new DOMParser().parseFromString(one.svg, 'text/html').querySelectorAll('.taskText, .taskTextOutsideRight,"
        " .taskTextOutsideLeft')].map((text) => text.textContent.trim())]))",
    )
    kind, texts = json.loads(told)
    assert kind == "gantt"
    assert len(texts) == len(start.steps)
    for line in chart.splitlines():
        if " :" in line:
            assert line.split(" :")[0].strip() in texts
