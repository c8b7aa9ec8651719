"""One Chromium with the network cut, as the tests of pages use it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

READY = "return document.documentElement.dataset.ready"


class Browser:
    """One Chromium; knows what it asked for and what it complained about."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver
        self.files: set[str] = set()

    def cdp(self, command: str, **fields: Any) -> Any:
        return self.driver.execute_cdp_cmd(command, fields)

    def js(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def open(self, file: Path, fragment: str = "", *, width: int = 1200, height: int = 900, **media: str) -> None:
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.cdp("Emulation.setEmulatedMedia", features=features)
        self.files.add(file.as_uri())
        self.driver.get("about:blank")
        self.driver.get(file.as_uri() + fragment)
        # Loaded is all that a page without a script of its own can be.
        self.wait(lambda: self.js(READY) == "yes" or not self.js("return document.scripts.length"))

    def wait(self, is_done: Callable[[], Any], *, told: Callable[[], Any] = str, most_s: float = 10) -> None:
        ends = time.monotonic() + most_s
        while not is_done():
            assert time.monotonic() < ends, f"the page did not come so far {told()}"
            time.sleep(0.03)

    def text(self, selector: str) -> str:
        return self.js("return document.querySelector(arguments[0]).textContent", selector)

    def texts(self, selector: str) -> list[str]:
        return self.js("return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)", selector)

    def press(self, keys: str) -> None:
        """Send keys to what has the focus, as a keyboard does."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver, duration=10).send_keys(keys).perform()

    def click(self, selector: str, text: str = "") -> None:
        """Click the middle of the first such element, or of its first 8 pixels: a block's own label."""
        from selenium.webdriver.common.action_chains import ActionChains

        find = (
            "return [...document.querySelectorAll(arguments[0])]"
            ".find((one) => (one.getAttribute('aria-label') || one.textContent).includes(arguments[1]))"
        )
        element = self.js(find, selector, text)
        assert element is not None, (selector, text)
        self.js("arguments[0].scrollIntoView({block: 'nearest'})", element)
        size = element.size
        off = (-size["width"] // 2 + 4, -size["height"] // 2 + 6) if selector == ".block" else (0, 0)
        ActionChains(self.driver, duration=10).move_to_element_with_offset(element, *off).click().perform()

    def rows(self) -> list[list[str]]:
        return self.js(
            "return [...document.querySelectorAll('#rows tr')].map((row) => [...row.cells].map((cell) => cell.textContent))"
        )

    def requests(self) -> list[str]:
        found = []
        for line in self.driver.get_log("performance"):
            message = json.loads(line["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                found.append(message["params"]["request"]["url"].partition("#")[0])
        return found

    def violations(self) -> tuple[int, list[Any]]:
        """Return how many rules of axe-core the page keeps, and the serious ones it breaks."""
        script = resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
        # Evaluated by the debugger: the page's own policy would not let it in.
        self.cdp("Runtime.evaluate", expression=script)
        found = self.cdp(
            "Runtime.evaluate",
            expression="axe.run().then((found) => JSON.stringify([found.passes.length, found.violations.map((one) =>"
            " [one.impact, one.id, one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])]))",
            awaitPromise=True,
        )
        passed, violations = json.loads(found["result"]["value"])
        return passed, [one for one in violations if one[0] in ("serious", "critical")]


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """Start a Chromium of our own, and end it."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    wanted = Options()
    wanted.binary_location = "/usr/bin/chromium"
    flags = ["headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "disable-component-update"]
    # The network is cut: every name is unknown, and every connection goes to a closed port.
    flags += ["host-resolver-rules=MAP * ~NOTFOUND", "proxy-server=127.0.0.1:9", f"user-data-dir={profile}"]
    for flag in flags:
        wanted.add_argument(f"--{flag}")
    wanted.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    started = webdriver.Chrome(options=wanted, service=Service("/usr/bin/chromedriver"))
    try:
        yield started
    finally:
        started.quit()


@contextmanager
def watched(driver: Any) -> Iterator[Browser]:
    """Lend the browser; afterwards nothing but files was asked for, and nothing complained about."""
    driver.get("about:blank")
    driver.get_log("performance")
    driver.get_log("browser")
    one = Browser(driver)
    yield one
    assert driver.get_log("browser") == []
    asked = {
        url for url in one.requests() if url != "about:blank" and not url.startswith("chrome://")
    }  # its own first tab
    assert asked == one.files
