"""A disk that is full in mid-run, a folder that cannot be written, one that another job uses, files that ask for more
than there is: one clear message each, and what was there before stays.

In a mount namespace of its own, in which it may mount small file systems.
"""

import os
import re
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import specimens
from dmoe_testing import DMOE, enter_own_mounts, main, run

ENDLESS = ["--set", "phases.lifted.epochs=1000000", "--set", "evaluation.every_epochs=0"]
MEGABYTE = 1 << 20
# Bits of the heap with the texts of frames.h5 that crash HDF5 1.10.8: signature, bytes behind its beginning, bits.
CRASHING = [(b"GCOL", 28, 0x20), (b"GCOL", 81, 0x40), (b"GCOL", 105, 0x80), (b"GCOL", 254, 0x40)]
SECONDS = 60


class BadInput(unittest.TestCase):
    valid: Path

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-bad-input-")
        cls.addClassCleanup(temporary.cleanup)
        cls.valid = Path(temporary.name)
        specimens.make(cls.valid)

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-bad-input-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        shutil.copytree(self.valid, self.folder, dirs_exist_ok=True)

    def run(self, result=None):  # data.path is relative
        before = Path.cwd()
        try:
            return super().run(result)
        finally:
            os.chdir(before)

    def disk(self, megabytes):
        """A small file system; it goes with the namespace, and here before its folder."""
        folder = self.folder / "disk"
        folder.mkdir()
        self.mount("-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", folder)
        self.addCleanup(lambda: subprocess.run(["umount", folder], check=True))
        return folder

    def mount(self, *words):
        subprocess.run(["mount", *map(str, words)], check=True)

    def dmoe(self, *words, ranks=None, limits=()):
        command = ["prlimit", *limits, DMOE, *words] if limits else [DMOE, *words]
        return run(command, ranks=ranks, timeout=SECONDS, cwd=self.folder)

    def train(self, output, *more, **options):
        return self.dmoe("train", "config.toml", "--output", output, *more, **options)

    def assert_refused(self, process, pattern, status=2):
        own = [line for line in process.stderr.splitlines() if line.startswith("dmoe: ")]
        self.assertEqual((process.returncode, len(own)), (status, 1), process.stderr)
        self.assertRegex(own[0], pattern)

    def checkpoints(self, output):
        return sorted((output / "checkpoints").iterdir())

    def assert_whole(self, output):
        """What is there is whole, under its final name, and can be gone on from."""
        self.assertEqual([path for path in output.rglob("*") if "partial" in path.name], [])
        files = [*self.checkpoints(output), output / "run.h5"]
        process = self.dmoe("check", *files)
        self.assertEqual(process.returncode, 0, process.stderr)
        process = self.train(output, "--resume", *ENDLESS, "--set", "train.stop_after=1s")
        self.assertEqual(process.returncode, 75, process.stderr)
        self.assertIn("going on after step", process.stdout)

    def test_full_disk_in_mid_run_leaves_the_last_checkpoint(self):
        for ranks, megabytes in ((None, 4), (2, 40)):  # two ranks take room in advance
            with self.subTest(ranks=ranks):
                disk = self.disk(megabytes)
                output = disk / "run"
                process = self.train(output, *ENDLESS, "--set", "checkpoint.keep=1000", ranks=ranks)
                self.assert_refused(process, r"disk/run/.*[Nn]o space left on device", status=1)
                self.assertGreater(len(self.checkpoints(output)), 3)
                self.mount("-o", "remount,size=200m", disk)
                self.assert_whole(output)
                self.doCleanups()
                self.setUp()

    def test_file_that_may_not_grow_is_like_a_full_disk(self):
        size = max(path.stat().st_size for path in self.checkpoints(self.folder / "begun"))
        output = self.folder / "run of limits"
        process = self.train(output, *ENDLESS, limits=[f"--fsize={size // 2}"])
        self.assert_refused(process, r"run of limits/.*File too large", status=1)
        self.assertEqual([path for path in output.rglob("*") if "partial" in path.name], [])

    def test_read_only_folder_is_refused_before_the_work(self):
        disk = self.disk(64)
        shutil.copytree(self.folder / "begun", disk / "begun")
        shutil.copytree(self.folder / "run", disk / "run")
        self.mount("-o", "remount,ro", disk)
        problem = "Read-only file system"
        self.assert_refused(self.train(disk / "new"), f"--output .*disk/new: .*{problem}")
        self.assert_refused(self.train(disk / "begun", "--resume"), f"--output .*disk/begun: .*{problem}")
        self.assert_refused(self.train(disk / "begun", "--replace", ranks=2), f"--output .*disk/begun: .*{problem}")
        self.assertRegex(self.dmoe("analyze", disk / "run").stderr, f"^dmoe: .*run.*: .*{problem}\n$")
        for words in (["info", disk / "run"], ["check", disk / "run/run.h5"], ["evaluate", disk / "run"]):
            process = self.dmoe(*words)
            self.assertEqual((process.returncode, process.stderr), (0, ""))

    def test_output_that_is_a_file_is_refused(self):
        file = self.folder / "file"
        file.write_text("mine")
        self.assert_refused(self.train("file"), "--output file: exists and is not a folder")
        self.assert_refused(self.train("file", "--resume"), "--output file: exists and is not a folder")
        self.assert_refused(self.train("file/run"), "--output file/run: .*Not a directory")
        self.assertEqual(file.read_text(), "mine")

    def test_missing_run_is_named(self):
        for words in (["evaluate"], ["analyze"], ["info"], ["check"]):
            self.assert_refused(self.dmoe(*words, "no/such.h5"), "no/such.h5")

    def test_second_job_names_the_first(self):
        output = self.folder / "shared"
        command = [DMOE, "train", "config.toml", "--output", "shared", *ENDLESS]
        with subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL) as first:
            try:
                deadline = time.monotonic() + SECONDS
                while not (output / "run.h5").exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                holder = re.escape(f"another dmoe is at work there: host {os.uname().nodename}, pid {first.pid}")
                for mode in ("--resume", "--replace"):
                    for ranks in (None, 2):
                        self.assert_refused(self.train("shared", mode, ranks=ranks), f"--output shared: {holder}$")
                self.assertIsNone(first.poll())
            finally:
                first.kill()
        process = self.train("shared", "--resume", *ENDLESS, "--set", "train.stop_after=1s")
        self.assertEqual(process.returncode, 75, process.stderr)

    def test_idx_file_that_announces_more_than_it_holds_takes_no_memory(self):
        images = self.folder / "idx/train-images-idx3-ubyte"
        for sizes in ([2**31, 1, 1], [2**31, 28, 28], [60, 2**31, 2**31], [2**32 - 1] * 3):
            with self.subTest(sizes=sizes):
                images.write_bytes(struct.pack(">4I", 0x803, *sizes) + b"\1\2\3\4")
                process = self.dmoe("train", "idx.toml", "--output", "new", limits=[f"--as={700 * MEGABYTE}"])
                self.assert_refused(process, "^dmoe: idx/train-images-idx3-ubyte: (truncated|the header announces)")
                self.assertFalse((self.folder / "new").exists())

    def test_memory_that_ends_anywhere_is_an_error(self):
        ended = set()
        for megabytes in range(60, 400, 4):
            with self.subTest(megabytes=megabytes):
                process = self.train("new", "--replace", limits=[f"--as={megabytes * MEGABYTE}"])
                ended.add(process.returncode)
                # The loader has no room for the program, or a library for its own beginning.
                has_begun = process.returncode != 127 and "terminate called" not in process.stderr
                if has_begun:
                    self.assertIn(process.returncode, (0, 1, 2), process.stderr)
                if process.returncode in (1, 2):
                    self.assert_refused(process, "^dmoe: .*memory", status=process.returncode)
        self.assertIn(0, ended)
        self.assertTrue(ended & {1, 2}, ended)

    def test_output_that_is_a_link_to_nothing_is_refused(self):
        (self.folder / "link").symlink_to(self.folder / "nowhere")
        ways: list[list[str]] = [[], ["--resume"], ["--replace"]]
        for more in ways:
            self.assert_refused(self.train("link", *more), "--output link: is a link to .*/nowhere, which is not there")
        self.assertFalse((self.folder / "nowhere").exists())

    def test_file_that_crashes_the_hdf5_library_is_an_error(self):
        """Found by mutation; a newer library may well refuse what makes this one crash."""
        path = self.folder / "frames.h5"
        data = path.read_bytes()
        crashes = 0
        for signature, offset, bits in CRASHING:
            at = data.index(signature) + offset
            path.write_bytes(data[:at] + bytes([data[at] ^ bits]) + data[at + 1 :])
            alone = self.dmoe("check", "--limit", "20", "frames.h5")
            process = self.dmoe("check", "frames.h5")
            if alone.returncode < 0:
                crashes += 1
                self.assert_refused(process, r"^dmoe: frames\.h5: .*signal \d+ \(.*\): the file is damaged$")
            self.assertIn(process.returncode, (0, 2))
            for ranks in (None, 2):
                process = self.dmoe("train", "frames.toml", "--output", "new", "--dry-run", ranks=ranks)
                self.assertIn(process.returncode, (0, 2), process.stderr)
        print(f"{crashes} of {len(CRASHING)} crash this HDF5 library")


if __name__ == "__main__":
    enter_own_mounts()
    main()
