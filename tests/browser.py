"""A headless Chromium that a test drives by the Chrome DevTools Protocol, over the client websocket-client."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PATIENCE = 120.0
"""Seconds until a browser or a page that does not answer fails; a machine that other tests share is slow."""


class Browser:
    """One page of a browser."""

    def __init__(self, socket: Any) -> None:
        self._socket, self._count = socket, 0
        self.messages: list[str] = []
        """What the console said as a warning or an error, and every exception that nothing caught."""
        self.requests: list[str] = []
        """Addresses that the page asked for."""
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Carries out a method of the protocol and returns its result."""
        self._count += 1
        self._socket.send(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == self._count:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def run(self, script: str) -> Any:
        """Evaluates an expression on the page, awaits it, and returns its value."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script: str) -> Any:
        """Returns the value of an expression once it is true."""
        end = time.monotonic() + _PATIENCE
        while not (value := self.run(script)):
            assert time.monotonic() < end, f"never true: {script}; {self.messages}"
            time.sleep(0.1)
        return value

    def open(self, page: Path, *, width: int = 1280, height: int = 900) -> None:
        """Opens a file in a window of that size and waits until its plots are drawn."""
        self.messages.clear()
        self.requests.clear()
        self.resize(width, height)
        self.call("Page.navigate", url=page.as_uri())
        self.wait_for("document.readyState === 'complete' && location.protocol === 'file:'")
        self.wait_for("document.documentElement.dataset.drawn")

    def resize(self, width: int, height: int) -> None:
        """Sets the size of the window in CSS pixels."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def emulate(self, scheme: str, media: str = "") -> None:
        """Sets the colours that the user prefers, "light" or "dark", and the medium: "print", or "" for the real one."""
        self.call(
            "Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}]
        )

    def press(self, key: str) -> None:
        """Presses a key such as "Tab" or "Enter"."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        text = {"Enter": "\r", " ": " "}.get(key, "")
        shared: dict[str, Any] = {"key": key, "windowsVirtualKeyCode": codes[key], "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **shared)
        self.call("Input.dispatchKeyEvent", type="keyUp", **{**shared, "text": ""})

    def move_to(self, x: float, y: float) -> None:
        """Moves the pointer."""
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x: float, y: float) -> None:
        """Clicks."""
        self.move_to(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self) -> bytes:
        """Returns the whole page as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def pdf(self) -> bytes:
        """Returns the page as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])

    def _note(self, event: dict[str, Any]) -> None:
        method, details = event.get("method"), event.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.messages.append(json.dumps(details["exceptionDetails"])[:500])
        elif method == "Runtime.consoleAPICalled" and details["type"] in ("error", "warning", "assert"):
            self.messages.append(json.dumps(details["args"])[:500])
        elif method == "Log.entryAdded" and details["entry"]["level"] in ("error", "warning"):
            self.messages.append(details["entry"]["text"])
        elif method == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"])


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Starts a browser; skips the test where there is none, or no client to drive it."""
    websocket = pytest.importorskip("websocket", reason="websocket-client, which drives a browser, is not installed")
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium to look at the page with")
    with tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as home:
        command = [program, "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--remote-allow-origins=*",
                   f"--user-data-dir={home}", "--no-first-run", "about:blank"]  # fmt: skip
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port = _port(Path(home) / "DevToolsActivePort", process)
            socket = websocket.create_connection(_page_address(port), timeout=_PATIENCE, suppress_origin=True)
            yield Browser(socket)
            socket.close()
        finally:
            process.terminate()
            process.wait(_PATIENCE)


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    end = time.monotonic() + _PATIENCE
    while not (file.is_file() and len(file.read_text().split()) == 2):
        assert process.poll() is None and time.monotonic() < end, "the browser did not start"
        time.sleep(0.1)
    return int(file.read_text().split()[0])


def _page_address(port: int) -> str:
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{port}/json/list", timeout=_PATIENCE) as answer:
        pages = [each for each in json.load(answer) if each["type"] == "page"]
    address: str = pages[0]["webSocketDebuggerUrl"]
    return address
