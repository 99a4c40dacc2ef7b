"""What is no file, as a config, a data set or a result: refused at once, or waited for with a word."""

import os
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from dmoe_testing import DMOE, main, run
from test_cli import CONFIG

SECONDS = 20


class Pipes(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="dmoe-pipes-")))
        self.config = self.folder / "config.toml"
        self.config.write_text(CONFIG)
        self.pipe = self.folder / "pipe"
        os.mkfifo(self.pipe)
        self.socket = self.folder / "socket"
        self.enterContext(socket.socket(socket.AF_UNIX)).bind(str(self.socket))

    def assert_refused(self, words, *expected):
        process = run([DMOE, *words], timeout=SECONDS)
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        for text in expected:
            self.assertIn(str(text), process.stderr)

    def test_results_and_data(self):
        for path, kind in ((self.pipe, "a pipe"), (self.socket, "a socket"), (Path("/dev/zero"), "a device")):
            with self.subTest(kind):
                for command in ("info", "check"):
                    self.assert_refused([command, path], path, f"it is {kind}, expected an HDF5 file")
                frames = [f"--set=data={{ name = 'frames', path = '{path}' }}", "--output", self.folder / "run"]
                self.assert_refused(["train", self.config, *frames], path, kind)
        images = self.folder / "images"
        images.mkdir()
        for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte"):
            os.mkfifo(images / name)
        digits = [f"--set=data={{ name = 'mnist', path = '{images}' }}", "--output", self.folder / "run"]
        self.assert_refused(["train", self.config, *digits], "train-images-idx3-ubyte: is a pipe, expected an idx file")

    def test_configs(self):
        for path, kind in ((self.socket, "a socket"), (Path("/dev/zero"), "a device")):
            self.assert_refused(["train", path, "--output", self.folder / "run"], path, f"it is {kind}")

    def test_a_config_may_come_from_a_pipe(self):
        words = [DMOE, "train", self.pipe, "--output", self.folder / "run", "--dry-run"]
        process = subprocess.Popen(list(map(str, words)), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        self.assertEqual(process.stderr.readline(), f"{self.pipe}: waiting for the config from a pipe\n")
        self.pipe.write_text(CONFIG)
        said, complaint = process.communicate(timeout=SECONDS)
        self.assertEqual((process.returncode, complaint), (0, ""))
        self.assertIn("a dry run", said)


main()
