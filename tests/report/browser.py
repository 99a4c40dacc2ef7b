"""A headless Chromium, told what to do through its DevTools protocol over a pipe: no port, no driver, no package but
chromium. https://chromedevtools.github.io/devtools-protocol"""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

SECONDS = 120  # for one answer; generous, as machines may be busy
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-extensions --no-first-run "
    "--disable-background-networking --disable-component-update --hide-scrollbars --remote-debugging-pipe"
).split()


class Browser:
    """One page in one browser. A context, whose end stops the browser."""

    def __init__(self):
        program = shutil.which("chromium")
        if program is None:
            raise RuntimeError("no chromium; on Debian: apt-get install chromium")
        self._profile = tempfile.TemporaryDirectory(prefix="dmoe-browser-", ignore_cleanup_errors=True)
        # Chromium reads commands from descriptor 3 and answers on 4; ours stay out of their way.
        commands, self._write = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in os.pipe())
        self._read, answers = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in os.pipe())
        self._process = subprocess.Popen(
            ["/bin/bash", "-c", f'exec 3<&{commands} 4>&{answers} {commands}<&- {answers}>&-; exec "$@"', "browser",
             program, *FLAGS, f"--user-data-dir={self._profile.name}", "about:blank"],
            pass_fds=(commands, answers), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(commands)
        os.close(answers)
        self._buffer = b""
        self._count = 0
        self._session = None
        self.requests = []  # addresses of all that pages asked for
        self.complaints = []  # errors and warnings of pages
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            session, self._session = self._session, None
            self.send("Browser.close")
            del session
        finally:
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
            os.close(self._write)
            os.close(self._read)
            self._profile.cleanup()

    def _message(self, deadline):
        """The next message of the browser."""
        while b"\0" not in self._buffer:
            if not select.select([self._read], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError("the browser does not answer")
            part = os.read(self._read, 1 << 20)
            if not part:
                raise RuntimeError(f"the browser has ended, exit status {self._process.wait(20)}")
            self._buffer += part
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _note(self, message):
        method, facts = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(facts["request"]["url"])
        elif method == "Log.entryAdded":
            self.complaints.append(facts["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(facts["exceptionDetails"]["text"])

    def send(self, method, **parameters):
        """The result of a command."""
        self._count += 1
        command = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._write, json.dumps(command).encode() + b"\0")
        deadline = time.monotonic() + SECONDS
        while True:
            message = self._message(deadline)
            if message.get("id") != self._count:
                self._note(message)
            elif "error" in message:
                raise RuntimeError(f"{method}: {message['error']['message']}")
            else:
                return message["result"]

    def open(self, path, width, height=900, theme="light", media="screen"):
        """Loads a file as a window of `width` CSS pixels shows it to a reader who prefers `theme`."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=width < 600)  # fmt: skip
        self.send("Emulation.setEmulatedMedia", media=media,
                  features=[{"name": "prefers-color-scheme", "value": theme}])  # fmt: skip
        self.requests, self.complaints = [], []
        self.send("Page.navigate", url=f"file://{os.path.realpath(path)}")
        deadline = time.monotonic() + SECONDS
        while self.evaluate("document.readyState") != "complete" or self.evaluate("location.href") == "about:blank":
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} does not load")
            time.sleep(0.05)

    def evaluate(self, script):
        """The value of a JavaScript expression, as Python has it."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"]["exception"].get("description", script))
        return answer["result"].get("value")

    def screenshot(self, left, top, width, height):
        """PNG of a part of the page, in CSS pixels from its top."""
        clip = {"x": left, "y": top, "width": width, "height": height, "scale": 1}
        return base64.b64decode(
            self.send("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)["data"]
        )
