"""Ranks that wait in HDF5 for one that does not come: watchdog_life_test.py PROGRAM."""

import os
import sys
import tempfile
import unittest
from pathlib import Path

import dmoe_testing

PROGRAM = sys.argv[1]
del sys.argv[1:]

# Ranks that compare their calls first would wait there.
os.environ["DMOE_CHECK_COLLECTIVES"] = "0"


class WatchdogLife(unittest.TestCase):
    def test_a_rank_that_hangs_while_a_file_is_created_is_reported(self):
        with tempfile.TemporaryDirectory(prefix="dmoe-hdf5-") as folder:
            process = dmoe_testing.run([PROGRAM, Path(folder) / "file.h5"], 3, timeout=60)  # before it comes
            self.assertNotEqual(process.returncode, 0)
            # Any rank may say it first: the one that stays away does so in the same collective call.
            self.assertRegex(process.stderr, r"dmoe: rank [012] has waited [1-9]\d* s in a collective HDF5 operation: ")


dmoe_testing.main()
