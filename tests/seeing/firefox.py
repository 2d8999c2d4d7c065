"""A Firefox without a window, spoken to over Marionette, its protocol for tests: pages, scripts, pictures, no more."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

PATH = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)
FLAGS = ["--headless", "--no-remote", "--marionette", "--remote-allow-system-access"]  # The last for its console.
PREFERENCES = {
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "browser.startup.page": 0,
}


class Firefox:
    """One browser with one tab."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        preferences = PREFERENCES | {"marionette.port": port}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in preferences.items()]
        (folder / "user.js").write_text("\n".join(lines))
        arguments = [
            str(PATH),
            "--headless",
            "--marionette",
            "--remote-allow-system-access",
            "--no-remote",
            "--profile",
            str(folder),
        ]
        environment = os.environ | {"HOME": str(folder), "MOZ_CRASHREPORTER_DISABLE": "1"}
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(arguments, env=environment, start_new_session=True, **quiet)  # type: ignore[call-overload]
        self.socket, self.number, self.pending = self._connected(port), 0, b""
        self._message()  # It says which protocol it speaks.
        self.call("WebDriver:NewSession", capabilities={})

    def _connected(self, port: int, patience: float = 60) -> socket.socket:
        end = time.monotonic() + patience
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=60)
            except OSError:
                assert time.monotonic() < end and self.process.poll() is None, "the browser does not start"
                time.sleep(0.1)

    def close(self) -> None:
        self.socket.close()
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def call(self, command: str, **params: object) -> object:
        """Send a command and wait for its answer."""
        self.number += 1
        text = json.dumps([0, self.number, command, params])
        self.socket.sendall(f"{len(text.encode())}:{text}".encode())
        _, _, error, result = self._message()
        assert error is None, f"{command}: {error}"
        return result["value"] if isinstance(result, dict) and set(result) == {"value"} else result

    def _message(self) -> list:
        """A message is its length, a colon, and JSON."""
        while b":" not in self.pending:
            self.pending += self._received()
        size, _, self.pending = self.pending.partition(b":")
        while len(self.pending) < int(size):
            self.pending += self._received()
        text, self.pending = self.pending[: int(size)], self.pending[int(size) :]
        return json.loads(text)

    def _received(self) -> bytes:
        piece = self.socket.recv(1 << 20)
        assert piece, "the browser is gone"
        return piece

    # What a test does

    def open(self, path: Path, *, width: int = 1280, height: int = 720) -> None:
        """Load a page whose inside has this size."""
        self.call("WebDriver:Navigate", url=path.as_uri())
        frame = self.run("[outerWidth - innerWidth, outerHeight - innerHeight]")
        self.call("WebDriver:SetWindowRect", width=width + frame[0], height=height + frame[1])

    def run(self, script: str) -> object:
        """The value of an expression beside the page: it shares the document, not the names of its scripts."""
        script = f"const $ = (id) => document.getElementById(id); return {script.strip()}"
        return self.call("WebDriver:ExecuteScript", script=script, args=[])

    def errors(self) -> list[str]:
        """What Firefox's console says about the pages that have been opened."""
        self.call("Marionette:SetContext", value="chrome")
        found = self.call("WebDriver:ExecuteScript", args=[], script="""
            return Services.console.getMessageArray().filter((m) => m instanceof Ci.nsIScriptError)
                .filter((m) => m.sourceName.startsWith("file:")).map((m) => m.errorMessage)""")  # fmt: skip
        self.call("Marionette:SetContext", value="content")
        return found

    def screenshot(self, path: Path) -> None:
        """A picture of what the window shows."""
        path.write_bytes(base64.b64decode(str(self.call("WebDriver:TakeScreenshot", full=False))))
