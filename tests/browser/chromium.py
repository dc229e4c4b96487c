"""A real, headless Chromium, driven through its DevTools protocol over a pipe: no other program, and no port.

`Browser` starts it; `Tab` is one page of it, which takes down what the page asks the network for, what its policy
refuses, what it logs and which dialogs it opens. Raises AssertionError where the browser refuses or dies.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
_SWITCHES = [
    "--headless=new",
    "--no-sandbox",  # root may not have one; the pages are the program's own
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--hide-scrollbars",
    "--font-render-hinting=none",
    "--remote-debugging-pipe",
]


class Browser:
    """One Chromium, with a profile of its own that is gone with it."""

    def __init__(self) -> None:
        assert PROGRAM is not None
        self._profile = tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True)
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        # It reads from descriptor 3 and writes to descriptor 4; the shell puts them there.
        script = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", script, PROGRAM, *_SWITCHES, f"--user-data-dir={self._profile.name}", "about:blank"],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": self._profile.name},
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._left = b""
        self._last = 0
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(BrokenPipeError, AssertionError):
            self.call("Browser.close")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._to)
        os.close(self._from)
        self._profile.cleanup()

    def call(self, method: str, session: str | None = None, **params: object) -> dict[str, Any]:
        """Ask for something, and return the answer; the events that come before it are kept."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        raw = json.dumps(message).encode() + b"\0"
        while raw:
            raw = raw[os.write(self._to, raw) :]
        while (answer := self.read()).get("id") != self._last:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def read(self) -> dict[str, Any]:
        """Return the next message."""
        while b"\0" not in self._left:
            chunk = os.read(self._from, 1 << 20)
            assert chunk, "the browser is gone"
            self._left += chunk
        raw, _, self._left = self._left.partition(b"\0")
        message: dict[str, Any] = json.loads(raw)
        return message


class Tab:
    """One page in a context of its own: without what an earlier one stored."""

    def __init__(self, browser: Browser, width: int = 1280, height: int = 800, scale: float = 1) -> None:
        self._browser = browser
        self._context: str = browser.call("Target.createBrowserContext")["browserContextId"]
        target = browser.call("Target.createTarget", url="about:blank", browserContextId=self._context)["targetId"]
        self._session: str = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.call("Target.disposeBrowserContext", browserContextId=self._context)

    def call(self, method: str, **params: object) -> dict[str, Any]:
        """Ask this page's part of the browser for something."""
        return self._browser.call(method, self._session, **params)

    def prefer(self, scheme: str = "light", media: str = "") -> None:
        """Choose a colour scheme, and a medium ("print")."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def disable_scripts(self) -> None:
        """Let no page run any."""
        self.call("Emulation.setScriptExecutionDisabled", value=True)

    def open(self, page: Path) -> None:
        """Open a file, as a double click in the share does, and wait until it is loaded."""
        self._browser.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        self.wait_for("Page.loadEventFired")

    def reads(self, title: str) -> None:
        """Wait until the page, which loads itself anew, has a title that begins so."""
        seen = ""
        while not seen.startswith(title):
            self._browser.events.clear()
            self.wait_for("Page.loadEventFired")
            with suppress(AssertionError):  # it was just being loaded anew
                seen = str(self.evaluate("document.title"))

    def wait_for(self, method: str) -> dict[str, Any]:
        """Wait for an event of this page, and return what it tells."""
        while not (found := self.told(method)):
            self._browser.events.append(self._browser.read())
        return found[0]

    def told(self, method: str) -> list[dict[str, Any]]:
        """Return what events of one kind this page gave since it was opened."""
        return [
            event["params"]
            for event in self._browser.events
            if event.get("method") == method and event.get("sessionId") == self._session
        ]

    def evaluate(self, expression: str) -> Any:  # noqa: ANN401 - whatever JSON the page gives
        """Return the value of an expression, or of what it promises, on this page."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def requests(self) -> list[str]:
        """Return what was asked for, by its address."""
        return [told["request"]["url"] for told in self.told("Network.requestWillBeSent")]

    def complaints(self) -> list[str]:
        """Return what the browser refused or found wrong, dialogs among it."""
        logged = [told["entry"]["text"] for told in self.told("Log.entryAdded")]
        thrown = [str(told["exceptionDetails"]) for told in self.told("Runtime.exceptionThrown")]
        said = [str(told["args"]) for told in self.told("Runtime.consoleAPICalled")]
        dialogs = [told["message"] for told in self.told("Page.javascriptDialogOpening")]
        return logged + thrown + said + dialogs

    def picture(self, *, whole: bool = True) -> bytes:
        """Return a screenshot, PNG; of the whole page or of what fits into the window."""
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"])

    def printed(self) -> bytes:
        """Return the page as PDF, as it is printed."""
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False)["data"])
