"""A headless Chromium that opens one page after the other, driven over its debugging pipe."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXECUTABLE = shutil.which("chromium") or ""
_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-pipe",
)


@dataclass(slots=True)
class Chromium:
    """A browser with one page.

    Attributes:
        commands: where commands are written.
        answers: where answers and events are read.
        problems: errors and warnings of the console.
        requests: addresses that pages asked for.
    """

    commands: Any
    answers: Any
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    _count: int = 0
    _session: str = ""
    _loaded: int = 0

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """Give a command of the DevTools protocol and wait for its answer."""
        self._count += 1
        wanted = self._count
        message: dict[str, object] = {"id": wanted, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self.commands.write(json.dumps(message).encode() + b"\0")
        self.commands.flush()
        while True:
            answer = self._read()
            if answer.get("id") == wanted:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _read(self) -> dict[str, Any]:
        data = bytearray()
        while (byte := self.answers.read(1)) != b"\0":
            assert byte, "the browser went away"
            data += byte
        answer: dict[str, Any] = json.loads(data)
        parameters = answer.get("params", {})
        match answer.get("method"):
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.problems.append(json.dumps(parameters)[:500])
            case "Log.entryAdded":
                self.problems.append(parameters["entry"]["text"])
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])
            case "Page.loadEventFired":
                self._loaded += 1
        return answer

    def open_tab(self) -> None:
        """Begin: a page of its own, whose events are told."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = session
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def show(self, path: Path, width: int = 1280, *, is_dark: bool = False) -> None:
        """Open a file in a window of that width, and wait until it is loaded."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        before = self._loaded
        self.problems.clear()
        self.requests.clear()
        self.call("Page.navigate", url=path.resolve().as_uri())
        while self._loaded == before:
            self._read()

    def ask(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def pdf(self) -> bytes:
        """The page as it is printed."""
        answer = self.call("Page.printToPDF", preferCSSPageSize=True, printBackground=True)
        return base64.b64decode(answer["data"])

    def screenshot(self, top: int = 0, height: int = 0) -> bytes:
        """The page as PNG, whole or a part of it."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        tall = height or size["height"] - top
        clip = {"x": 0, "y": top, "width": size["width"], "height": tall, "scale": 1}
        answer = self.call("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(answer["data"])


@contextlib.contextmanager
def started(profile: Path) -> Iterator[Chromium]:
    """A running browser that keeps what it writes in one folder, and is gone afterwards."""
    take, give = os.pipe(), os.pipe()
    # The browser reads descriptor 3 and writes descriptor 4, whatever ours are called.
    script = f'exec "$0" "$@" 3<&{take[0]} 4>&{give[1]}'
    arguments = (*_ARGUMENTS, f"--user-data-dir={profile}", "about:blank")
    process = subprocess.Popen(
        ["bash", "-c", script, EXECUTABLE, *arguments],
        pass_fds=(take[0], give[1]),
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(take[0])
    os.close(give[1])
    with os.fdopen(take[1], "wb") as commands, os.fdopen(give[0], "rb") as answers:
        try:
            browser = Chromium(commands, answers)
            browser.open_tab()
            yield browser
            browser._session = ""
            browser.call("Browser.close")
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
            process.wait()
