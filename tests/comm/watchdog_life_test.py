"""Ranks that wait for one that does not come: watchdog_life_test.py PROGRAM."""

import os
import sys
import unittest

import dmoe_testing

PROGRAM = sys.argv[1]
del sys.argv[1:]

SECONDS = 60  # until a job must have ended

OPERATIONS = {
    "barrier": "MPI_Barrier",
    "all_reduce": "MPI_Wait of an all-reduce",
    "all_reduce_max": "MPI_Allreduce",
    "gather": "MPI_Gather",
    "receive": "MPI_Wait of a receive",
}


# Ranks that compare their calls first would wait there.
os.environ["DMOE_CHECK_COLLECTIVES"] = "0"


class WatchdogLife(unittest.TestCase):
    def test_ends_the_job_with_rank_operation_and_seconds(self):
        for operation, name in OPERATIONS.items():
            with self.subTest(operation=operation):
                process = dmoe_testing.run([PROGRAM, operation, 2 * SECONDS], 3, timeout=SECONDS)
                self.assertNotEqual(process.returncode, 0)
                self.assertRegex(process.stderr, rf"dmoe: rank [01] has waited [1-9]\d* s in {name}: another rank")

    def test_lets_short_waits_and_long_work_be(self):
        for operation in OPERATIONS:
            with self.subTest(operation=operation):
                process = dmoe_testing.run([PROGRAM, operation, "0.2"], 3, timeout=SECONDS)
                self.assertEqual((process.returncode, process.stderr), (0, ""))

    def test_is_not_there_on_one_rank(self):
        for ranks in (None, 1):
            process = dmoe_testing.run([PROGRAM, "barrier", "1.5"], ranks, timeout=SECONDS)
            self.assertEqual((process.returncode, process.stderr), (0, ""))


dmoe_testing.main()
