"""Disks of 60 to 460 kB, which fill at every place there is: each command that writes says so with status 1, and what
was whole before stays whole.

In a mount namespace of its own, in which it may mount small file systems.
"""

import shutil
import subprocess

from dmoe_testing import DMOE, enter_own_mounts, main, run
from small_frames import CONFIG, SmallFrames

SIZES = range(60, 461, 40)  # kB
SIZES_OF_SWEEPS = range(60, 1001, 100)  # of more than one run
FULL = r"(?m)^(dmoe: |.*FAILED ).*(No space left on device|Disk quota exceeded)"


class FullDisk(SmallFrames):
    def setUp(self):
        super().setUp()
        self.config = self.folder / "config.toml"
        self.config.write_text(CONFIG.format(path=self.frames("good.h5")))
        self.whole = self.folder / "whole"
        self.dmoe(0, "train", self.config, "--output", self.whole)
        self.disk = self.folder / "disk"
        self.disk.mkdir()

    def mount(self, kilobytes):
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", self.disk], check=True)

    def unmount(self):
        subprocess.run(["umount", self.disk], check=True)

    def dmoe(self, expected, *words, ranks=None):
        process = run([DMOE, *words], ranks=ranks)
        if expected is not None:
            self.assertEqual(process.returncode, expected, process.stdout + process.stderr)
        return process

    def assert_full(self, process):
        self.assertEqual(process.returncode, 1, process.stdout + process.stderr)
        self.assertRegex(process.stdout + process.stderr, FULL)

    def assert_files_whole(self, folder):
        files = [path for path in folder.rglob("*.h5") if path.name != "table.h5"]
        if files:
            self.dmoe(0, "check", *files)
        self.assertEqual(list(folder.glob(".*partial*")), [])

    def filled(self, command, sizes=SIZES):
        """How the command ended on each disk, a set of statuses; each as it should."""
        ended = set()
        for kilobytes in sizes:
            for ranks in (None, 2):
                with self.subTest(kilobytes=kilobytes, ranks=ranks):
                    self.mount(kilobytes)
                    try:
                        process = command(ranks)
                        if process:
                            if process.returncode != 0:
                                self.assert_full(process)
                            ended.add(process.returncode)
                            self.assert_files_whole(self.disk / "run")
                    finally:
                        self.unmount()
        return ended

    def copied(self):
        """The whole run on the disk; nothing where it has no room."""
        try:
            return shutil.copytree(self.whole, self.disk / "run")
        except shutil.Error:
            return None

    def test_training(self):
        def command(ranks):
            return self.dmoe(None, "train", self.config, "--output", self.disk / "run", ranks=ranks)

        self.assertEqual(self.filled(command), {0, 1})

    def test_resume(self):
        def command(ranks):
            if not self.copied():
                return None
            words = ["--output", self.disk / "run", "--resume", "--set", "phases.only.epochs=2"]
            return self.dmoe(None, "train", self.config, *words, ranks=ranks)

        self.assertEqual(self.filled(command), {0, 1})

    def test_analysis_and_curve(self):
        for words in (["analyze"], ["evaluate", "--curve", "--repetitions", "1"]):
            with self.subTest(words[0]):

                def command(ranks, words=words):
                    if not self.copied():
                        return None
                    return self.dmoe(None, *words, self.disk / "run", ranks=ranks)

                self.assertEqual(self.filled(command), {0, 1})

    def test_sweep(self):
        sweep = self.folder / "sweep.toml"
        sweep.write_text(f'[[grids]]\nconfig = "{self.config}"\ntrain.seed = [0, 1]\n')

        def command(ranks):
            return None if ranks else self.dmoe(None, "sweep", sweep, "--output", self.disk / "run")

        self.assertEqual(self.filled(command, SIZES_OF_SWEEPS), {0, 1})


if __name__ == "__main__":
    enter_own_mounts()
    main()
