"""A Chromium without a window, spoken to through a pipe in its DevTools protocol: what tests of pages need, no more."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from pathlib import Path

PATH = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
FLAGS = [
    *(
        "--headless=new",
        "--hide-scrollbars",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--remote-debugging-pipe",
    ),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--disable-features=IsolateSandboxedIframes",
]


class Browser:
    """One browser with one tab. `requests` and `errors` collect what the tab asked for, and what went wrong in it."""

    def __init__(self, folder: Path) -> None:
        ours = [*os.pipe(), *os.pipe()]
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in ours]
        for fd in ours:
            os.close(fd)
        read, self.write, self.read, write = high
        actions = [(os.POSIX_SPAWN_DUP2, read, 3), (os.POSIX_SPAWN_DUP2, write, 4)]
        actions += [(os.POSIX_SPAWN_OPEN, fd, str(folder / "log"), os.O_CREAT | os.O_WRONLY, 0o600) for fd in (1, 2)]
        arguments = [str(PATH), *FLAGS, f"--user-data-dir={folder / 'profile'}", "about:blank"]
        self.pid = os.posix_spawn(str(PATH), arguments, os.environ, file_actions=actions, setpgroup=0)
        for fd in (read, write):
            os.close(fd)
        self.pending, self.number, self.session = b"", 0, None
        self.requests: list[str] = []
        self.errors: list[str] = []
        self.contexts: list[int] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        for fd in (self.read, self.write):
            os.close(fd)

    def call(self, method: str, **params: object) -> dict:
        """Send a command and wait for its answer."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        while (answer := self._message()).get("id") != self.number:
            pass
        assert "error" not in answer, f"{method}: {answer['error']['message']}"
        return answer["result"]

    def _message(self, patience: float = 60) -> dict:
        end = time.monotonic() + patience
        while b"\0" not in self.pending:
            ready, _, _ = select.select([self.read], [], [], max(end - time.monotonic(), 0))
            piece = os.read(self.read, 1 << 20) if ready else b""
            assert piece, "the browser is silent"
            self.pending += piece
        text, _, self.pending = self.pending.partition(b"\0")
        message = json.loads(text)
        self._note(message.get("method", ""), message.get("params", {}))
        return message

    def _note(self, method: str, params: dict) -> None:
        if method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])
        elif method == "Runtime.executionContextCreated":
            self.contexts.append(params["context"]["id"])
        elif method == "Runtime.executionContextsCleared":
            self.contexts.clear()
        elif method == "Runtime.exceptionThrown":
            self.errors.append(params["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.errors.append(params["entry"]["text"])
        elif method == "Runtime.consoleAPICalled":
            self.errors.append(str(params["args"]))

    # What a test does

    def open(self, path: Path, *, width: int = 1200, height: int = 900, scripts: bool = True, **media: str) -> None:
        """Load a page, at this size; `media` such as prefers_color_scheme="dark"."""
        self.requests.clear()
        self.errors.clear()
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=path.as_uri())
        while self._message().get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str, *, innermost: bool = False) -> object:
        """The value of an expression in the page, or in the frame inside it."""
        where = {"contextId": self.contexts[-1]} if innermost else {}
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True, **where)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key, such as ArrowRight, or a sign."""
        code = {" ": "Space"}.get(key, key)
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        number = {"ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35, " ": 32, "Enter": 13, "Tab": 9}.get(key, 0)
        about = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """A picture of the page; `whole` with what lies below the window."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))
