"""A session of MPI from launch to its end: session_life_test.py PROGRAM."""

import os
import sys
import unittest

import dmoe_testing
import launchers

PROGRAM = sys.argv[1]
del sys.argv[1:]


def run(end, ranks, **options):
    return dmoe_testing.run([PROGRAM, end], ranks, timeout=60, **options)


class SessionLife(unittest.TestCase):
    def test_ends_in_order(self):
        for ranks in (1, 2, 3, 4):
            process = run("finalize", ranks)
            self.assertEqual(process.returncode, 0, process.stderr)
            lines = process.stdout.splitlines()
            self.assertEqual(lines.count("over true local true"), ranks, process.stdout)
            for rank in range(ranks):
                # "Open MPI v4.1.4": name and number, without the rest of what the library says of itself
                self.assertRegex(process.stdout, rf"(?m)^rank {rank} of {ranks} with [\w ]+ v?\d+[.\d\w]*$")

    def test_ends_in_order_without_launcher(self):
        process = run("finalize", None)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(
            process.stdout.splitlines(), ["rank 0 of 1 with none (one process)", "over true local true"]
        )

    def test_what_others_send_the_coordinator_they_copy(self):
        if launchers.open_mpi() is None:
            return  # MPICH has no such limit
        name = "OMPI_MCA_btl_vader_eager_limit"
        unset = {key: value for key, value in os.environ.items() if key != name}
        for environment, limits in ((unset, (4096, 262144, 262144)), ({**unset, name: "8192"}, 3 * (8192,))):
            process = run("limit", 3, env=environment)
            self.assertEqual(process.returncode, 0, process.stderr)
            for rank, limit in enumerate(limits):
                self.assertIn(f"rank {rank} copies up to {limit}\n", process.stdout)

    def test_a_request_that_differs_is_named_and_not_waited_for(self):
        process = run("mismatch", 3, env={**os.environ, "DMOE_CHECK_COLLECTIVES": "1"})
        self.assertEqual(process.returncode, 1, process.stderr)
        place = r"\(.*session_life\.cpp:\d+\)"
        calls = [rf"rank {rank}: broadcast of {5 if rank == 2 else 4} floats {place}" for rank in range(3)]
        self.assertRegex(process.stdout, "ranks call different collective operations: " + "; ".join(calls))

    def test_abort_ends_all_ranks_with_the_status(self):
        for ranks in (None, 1, 3):
            process = run("abort", ranks)
            # Hydra, which may see the process end before it hears why, then gives 1.
            statuses = (3,) if ranks is None or launchers.open_mpi() else (1, 3)
            self.assertIn(process.returncode, statuses, process.stderr)


dmoe_testing.main()
