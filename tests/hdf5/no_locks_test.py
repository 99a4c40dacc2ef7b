"""File systems without locks: no_locks_test.py LIBRARY, which is preloaded and lets every lock fail."""

import errno
import os
import shutil
import sys

import h5py
from dmoe_testing import DMOE, main, run
from small_frames import SmallFrames

LIBRARY = sys.argv.pop()
NOT_SUPPORTED = 524  # of the kernel alone, seen from NFS
ERRORS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, NOT_SUPPORTED)


class NoLocks(SmallFrames):
    def setUp(self):
        super().setUp()
        self.assertEqual(self.trained(self.frames("good.h5")).returncode, 0)
        self.run_folder = self.folder / "run"
        self.expected = self.weights(self.run_folder)

    def weights(self, folder):
        with h5py.File(folder / "model.h5") as file:
            return file["model/layers/1/experts/weight"][:].tobytes()

    def without_locks(self, error, *words, ranks=None, environment=()):
        preloaded = ["env", f"LD_PRELOAD={LIBRARY}", f"DMOE_TEST_LOCK_ERROR={int(error)}", *environment]
        return run([*preloaded, DMOE, *words], ranks=ranks)

    def dmoe(self, error, *words, ranks=None):
        process = self.without_locks(error, *words, ranks=ranks)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        self.assertEqual(process.stderr, "")
        return process.stdout

    def test_every_command_works_as_elsewhere(self):
        for error in ERRORS:
            for ranks in (None, 2):
                with self.subTest(error=os.strerror(error), ranks=ranks):
                    shutil.rmtree(self.run_folder)
                    train = ["train", self.folder / "config.toml", "--output", self.run_folder]
                    said = self.dmoe(error, *train, ranks=ranks)
                    self.assertEqual(self.weights(self.run_folder), self.expected)
                    self.assertEqual(said.count("warning: "), 1, said)
                    self.assertIn(f"{self.run_folder}/.lock cannot be locked ({os.strerror(error)})", said)
                    self.dmoe(error, *train, "--resume", "--set", "phases.only.epochs=2", ranks=ranks)
                    self.dmoe(error, "evaluate", self.run_folder, ranks=ranks)
                    self.dmoe(error, "analyze", self.run_folder, ranks=ranks)
            self.dmoe(error, "info", self.run_folder / "run.h5")
            self.dmoe(error, "check", self.run_folder / "model.h5", self.folder / "good.h5")

    def test_values_in_another_file(self):
        """A virtual dataset, whose sources HDF5 opens by itself."""
        def virtual(file):
            del file["frames/features"]
            layout = h5py.VirtualLayout(self.features.shape, "f4")
            layout[...] = h5py.VirtualSource("good.h5", "frames/features", self.features.shape)
            file.create_virtual_dataset("frames/features", layout)

        path = self.frames("virtual.h5", virtual)
        output = self.folder / "other"
        train = ["train", self.folder / "config.toml", "--set", f"data.path={path}", "--output", output]
        process = self.without_locks(errno.ENOLCK, *train)
        if process.returncode != 0:  # HDF5 1.10, which does not know that its sources are to be opened without
            self.assertEqual(process.returncode, 2, process.stdout)
            self.assertRegex(process.stderr, "'good.h5'.*unable to lock.*HDF5_USE_FILE_LOCKING=FALSE")
            self.assertFalse(output.exists())
        process = self.without_locks(
            errno.ENOLCK, *train, "--replace", environment=["HDF5_USE_FILE_LOCKING=FALSE"]
        )
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(self.weights(output), self.expected)


main()
