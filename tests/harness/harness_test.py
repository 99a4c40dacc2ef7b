"""Runs test programs that fail on purpose: harness_test.py MPI_PROGRAM ONE_PROCESS_PROGRAM."""

import os
import re
import sys
import unittest

import dmoe_testing

MPI_PROGRAM, ALONE_PROGRAM = sys.argv[1:3]
del sys.argv[1:]


def run(gtest_filter, ranks, program=MPI_PROGRAM):
    # The limit is that of a hang: a lone failure is given 5 s until the job is ended.
    return dmoe_testing.run([program, f"--gtest_filter={gtest_filter}"], ranks, timeout=60)


class Harness(unittest.TestCase):
    def test_failure_of_one_rank_ends_the_others_barrier(self):
        process = run("Failing.last_rank_fails_while_others_wait", 3)
        self.assertEqual(process.returncode, 1, process.stdout)
        self.assertRegex(process.stdout, r"\[rank 2 of 3\] .*failing_test.cpp:\d+: Failure")
        self.assertIn("failed on purpose", process.stdout)
        self.assertIn("ending the job", process.stdout)

    def test_exception_of_one_rank_ends_the_others_barrier(self):
        process = run("Failing.last_rank_throws_while_others_wait", 3)
        self.assertEqual(process.returncode, 1, process.stdout)
        self.assertRegex(process.stdout, r'(?s)\[rank 2 of 3\] .*"thrown on purpose"')

    def test_failure_of_one_rank_is_agreed_on(self):
        process = run("Failing.last_rank_fails_and_goes_on:Passing.*", 3)
        self.assertNotEqual(process.returncode, 0, process.stdout)
        self.assertNotIn("ending the job", process.stdout)
        self.assertIn("[  FAILED  ] Failing.last_rank_fails_and_goes_on on 1 of 3 ranks", process.stdout)
        self.assertIn("[       OK ] Passing.folder_is_the_same_on_all_ranks", process.stdout)

    def test_failure_without_mpirun(self):
        process = run("Failing.last_rank_throws_while_others_wait", None)
        self.assertEqual(process.returncode, 1, process.stdout)
        self.assertIn("[rank 0 of 1]", process.stdout)

    def test_success_prints_once_and_removes_its_folder(self):
        for ranks in (None, 1, 3):
            process = run("Passing.*", ranks)
            self.assertEqual(process.returncode, 0, process.stdout)
            self.assertEqual(process.stdout.count("[       OK ]"), 1)
            folder = re.search(r"folder (/\S+)", process.stdout).group(1)
            self.assertFalse(os.path.exists(folder))

    def test_no_test_found_is_a_failure(self):
        for program, ranks in ((MPI_PROGRAM, None), (MPI_PROGRAM, 3), (ALONE_PROGRAM, None)):
            process = run("Nothing.*", ranks, program)
            self.assertNotEqual(process.returncode, 0, process.stdout)
            self.assertIn("no test was found", process.stdout)

    def test_skipped_test_is_a_failure(self):
        for program, ranks in ((MPI_PROGRAM, None), (MPI_PROGRAM, 3), (ALONE_PROGRAM, None)):
            process = run("Failing.is_skipped", ranks, program)
            self.assertNotEqual(process.returncode, 0, process.stdout)
            self.assertIn("a test was skipped", process.stdout)

    def test_program_of_one_process_passes(self):
        self.assertEqual(run("Passing.*", None, ALONE_PROGRAM).returncode, 0)


dmoe_testing.main()
