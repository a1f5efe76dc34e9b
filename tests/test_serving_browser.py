"""The page in a real browser: Chromium, told what to do over its DevTools protocol (a pipe, messages end in a zero)."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit import Pipeline
from edgekit.pipeline import Stats
from edgekit.serving import Page
from edgekit.sources import Event
from edgekit.sources.memory import Memory

cv2 = pytest.importorskip("cv2")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")


class Browser:
    """A headless Chromium with one page."""

    def __init__(self, folder: Path) -> None:
        assert CHROMIUM
        ours_read, theirs_write = os.pipe()
        theirs_read, ours_write = os.pipe()

        def hand_over() -> None:
            ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs_read, theirs_write)]
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self._process = subprocess.Popen(
            [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--hide-scrollbars",
             "--disable-dev-shm-usage", f"--user-data-dir={folder}", "about:blank"],
            preexec_fn=hand_over,  # noqa: PLW1509
            pass_fds=(3, 4), stderr=subprocess.DEVNULL,
        )
        os.close(theirs_read)
        os.close(theirs_write)
        self._out, self._in = os.fdopen(ours_write, "wb", buffering=0), os.fdopen(ours_read, "rb", buffering=0)
        self._count, self._rest, self._session = 0, b"", ""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.violations: list[str] = []
        self.call("Log.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._out.write(json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._count:
            if answer.get("method") == "Log.entryAdded":
                self.violations.append(answer["params"]["entry"]["text"])
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            more = self._in.read(1 << 16)
            assert more, "the browser has ended"
            self._rest += more
        first, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(first)
        return answer

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression: str) -> None:
        late = time.monotonic() + 30
        while not self.value(expression):
            assert time.monotonic() < late, f"{expression} did not come true"
            time.sleep(0.05)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._in.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture
def page(tiny_classifier: Path) -> Iterator[Page]:
    """The page of a pipeline that goes on until the test ends."""
    source, stop = Memory(uri="memory:digits"), threading.Event()

    def push() -> None:
        number = 0
        while not stop.wait(0.02):
            number += 1
            source.push(np.full((64, 64, 3), number * 5 % 256, np.uint8))

    thread = threading.Thread(target=push)
    with Pipeline(tiny_classifier, source) as pipeline, Page("0", pipeline.stats) as shown:
        pipeline.when_result = shown.write
        thread.start()
        yield shown
        stop.set()
        thread.join()


def when(browser: Browser, url: str, check: Callable[[], None]) -> None:
    browser.violations.clear()
    browser.call("Page.navigate", url=url)
    try:
        check()
    finally:
        browser.call("Page.navigate", url="about:blank")
    assert browser.violations == []


def test_the_page_shows_the_picture_the_results_and_the_charts(browser: Browser, page: Page) -> None:
    def check() -> None:
        browser.wait_for("document.querySelector('#pictures img')?.naturalWidth > 0")
        assert browser.value("document.querySelector('#pictures img').naturalWidth") == 480  # enlarged from 64
        browser.wait_for("document.querySelectorAll('#result tr').length === 5")
        first = browser.value("document.querySelector('#result p').textContent")
        browser.wait_for(f"document.querySelector('#result p').textContent !== {json.dumps(first)}")
        browser.wait_for("document.querySelectorAll('svg .a')[0].getAttribute('points').split(' ').length > 1")
        browser.wait_for("document.querySelectorAll('svg .b')[0].getAttribute('points').length > 0")
        assert "Results a second, last five minutes" in browser.value("document.querySelector('svg').ariaLabel")
        assert browser.value("document.querySelector('#health').textContent") == "running"
        assert browser.value("document.querySelector('#sources').textContent").startswith("memory:digitsrunning")
        page.event(Event("memory:digits", "stalled", "nothing for 5 s"))
        browser.wait_for("document.querySelector('#events').textContent.includes('nothing for 5 s')")

    when(browser, page.url, check)


def test_the_newest_picture_is_drawn_and_goes_on(browser: Browser, page: Page) -> None:
    """Two looks at the image give different pixels."""
    look = """(() => {
      const image = document.querySelector('#pictures img'), canvas = document.createElement('canvas');
      canvas.width = canvas.height = 8;
      canvas.getContext('2d').drawImage(image, 200, 300, 8, 8, 0, 0, 8, 8);
      return canvas.getContext('2d').getImageData(4, 4, 1, 1).data[0];
    })()"""

    def check() -> None:
        browser.wait_for("document.querySelector('#pictures img')?.naturalWidth > 0")
        first = browser.value(look)
        browser.wait_for(f"{look} !== {first}")

    when(browser, page.url, check)


def test_numbers_have_no_picture_and_the_page_no_room_for_one(browser: Browser, numbers: Path) -> None:
    source = Memory(live=False)
    with Pipeline(numbers, source) as pipeline, Page("0", pipeline.stats) as shown:
        pipeline.when_result = shown.write
        source.push(np.array([1, 2, 3], np.float32))

        def check() -> None:
            browser.wait_for("document.querySelector('#result').textContent.includes('1.00  2.00  3.00')")
            browser.wait_for("document.querySelectorAll('#sources tr').length === 1")
            assert browser.value("document.querySelector('#pictures').hidden")

        when(browser, shown.url, check)


def test_many_cameras_share_the_browser_s_connections(browser: Browser, tiny_classifier: Path) -> None:
    sources = [Memory(uri=f"memory:{number}") for number in range(6)]
    with Pipeline(tiny_classifier, sources) as pipeline, Page("0", pipeline.stats) as shown:
        pipeline.when_result = shown.write
        for source in sources:
            source.push(np.zeros((64, 64, 3), np.uint8))

        def check() -> None:
            seen = "[...document.querySelectorAll('#pictures img')].filter((image) => image.naturalWidth > 0).length"
            browser.wait_for(f"{seen} === 6")
            sources[5].push(np.zeros((64, 128, 3), np.uint8))  # of another shape
            browser.wait_for("document.querySelectorAll('#pictures img')[5].naturalHeight === 240")

        when(browser, shown.url, check)


def test_no_request_goes_elsewhere(browser: Browser, page: Page) -> None:
    def check() -> None:
        browser.wait_for("document.querySelector('#pictures img')?.naturalWidth > 0")
        names = browser.value("performance.getEntriesByType('resource').map((entry) => entry.name)")
        assert all(name.startswith((page.url, "data:")) for name in names)
        browser.value("fetch('https://example.com').catch(() => { window.refused = true })")
        browser.wait_for("window.refused === true")
        assert "Content Security Policy" in browser.violations.pop()
        browser.violations.clear()

    when(browser, page.url, check)


def test_a_device_that_slows_itself_down_is_told_and_charts_come_with_what_it_tells(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005",
        "sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq": "600000",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("EDGEKIT_ROOT", str(tmp_path))
    with Page("0", Stats(["camera:0"]).snapshot) as shown:

        def check() -> None:
            browser.wait_for("document.querySelector('#health').textContent.includes('under-voltage, throttled')")
            browser.wait_for("document.querySelector('#events').textContent.includes('throttled device')")
            charts = "[...document.querySelectorAll('.chart')].filter((chart) => !chart.hidden).map((chart) => " \
                "chart.querySelector('h2').textContent)"
            assert browser.value(charts) == ["Results a second", "Latency", "Temperature", "Processor clock"]

        when(browser, shown.url, check)
