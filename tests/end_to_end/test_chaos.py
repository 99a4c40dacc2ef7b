"""A training that is killed again and again, anywhere, and goes on each time on another grid of ranks.

Kills come at random moments after a random number of checkpoints; a checkpoint is written every few steps, so that many
of them hit a write. DMOE_CHAOS_KILLS kills (25) and DMOE_CHAOS_SEED change how many and which.
"""

import os
import random
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import h5py
from dmoe_testing import DMOE, MPIEXEC, main, run
from launched import ranks_of
from run_contents import differing
from test_resume import CONFIG

KILLS = int(os.environ.get("DMOE_CHAOS_KILLS", "25"))
SEED = int(os.environ.get("DMOE_CHAOS_SEED", "1"))
STEPS_BETWEEN = 8  # checkpoints
MOST_CHECKPOINTS = 8  # between two kills
# A kill may come late on a busy machine: three times what it is meant to cost.
EPOCHS = 1 + 3 * KILLS * STEPS_BETWEEN * (MOST_CHECKPOINTS + 2) // 13
SETTINGS = ["--set", f"phases.constrained.epochs={EPOCHS}", "--set", f"checkpoint.every_steps={STEPS_BETWEEN}"]
SETTINGS += ["--set", "checkpoint.keep=3", "--set", "evaluation.every_epochs=20"]
SETTINGS += ["--set", "train.slices=4"]
GRIDS = [(None, 1), (1, "auto"), (2, 1), (3, "auto"), (4, 1), (2, 2), (4, 4), (4, 2), (4, 2), (4, 2)]  # ranks, replicas
SECONDS = 120  # until something must have happened


def is_alive(process):
    """Its other threads may outlive the first, and its files and locks with them."""
    place = Path(f"/proc/{process}")
    try:
        return "State:\tZ" not in (place / "status").read_text() or len(list((place / "task").iterdir())) > 1
    except OSError:
        return False


class Chaos(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-chaos-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.config = self.folder / "config.toml"
        self.config.write_text(CONFIG)
        self.output = self.folder / "run"
        self.chance = random.Random(SEED)

    def command(self, output, ranks, replicas="auto"):
        launcher = [] if ranks is None else [MPIEXEC, "-n", ranks]
        settings = [*SETTINGS, "--set", f"comm.replicas={replicas}"]
        return list(map(str, [*launcher, DMOE, "train", self.config, "--output", output, "--resume", *settings]))

    def newest_step(self):
        steps = [int(path.stem.split("-")[1]) for path in (self.output / "checkpoints").glob("step-*.h5")]
        return max(steps, default=0)

    def victims(self, process, ranks):
        """One rank, or the launcher, or all ranks at once."""
        if ranks is None:
            return [process.pid]
        started = list(ranks_of(process.pid).values())
        kind = self.chance.choice(["rank", "rank", "launcher", "all"])
        if kind == "launcher" or not started:
            return [process.pid]
        return started if kind == "all" else [self.chance.choice(started)]

    def disturb(self, ranks, replicas):
        """One launch and its end by kill -9; returns what the kill hit, or nothing where the run was finished."""
        began_at = self.newest_step()
        goal = began_at + STEPS_BETWEEN * self.chance.randint(1, MOST_CHECKPOINTS)
        log = self.folder / "log.txt"
        with log.open("w") as stream:
            process = subprocess.Popen(self.command(self.output, ranks, replicas), stdout=stream, stderr=stream)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + SECONDS
        while self.newest_step() < goal and process.poll() is None:
            self.assertLess(time.monotonic(), deadline, log.read_text())
            time.sleep(0.002)
        time.sleep(self.chance.uniform(0, 0.03))
        members = list(ranks_of(process.pid).values()) + [process.pid]
        for victim in self.victims(process, ranks):
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass
        status = process.wait(SECONDS)
        while any(map(is_alive, members)):
            self.assertLess(time.monotonic(), deadline, "ranks outlive their job")
            time.sleep(0.01)
        if status == 0:
            return None
        self.assertNotIn(status, (1, 2, 75), log.read_text())
        with h5py.File(self.output / "run.h5") as file:  # readable at any moment
            logged = file["train/step"][-1] if len(file["train/step"]) else 0
        return {
            "write": any(self.output.rglob(".*.partial-*")),
            "steps again": max(0, int(logged) - self.newest_step()),
        }

    def test_ends_as_if_nothing_had_happened(self):
        whole = self.folder / "whole"
        process = run([*self.command(whole, None)], timeout=SECONDS * (1 + KILLS // 10))
        self.assertEqual(process.returncode, 0, process.stderr)
        kills: list[dict] = []
        while len(kills) < KILLS:
            hit = self.disturb(*self.chance.choice(GRIDS))
            self.assertIsNotNone(hit, f"finished after {len(kills)} kills")
            kills.append(hit)
        rest = SECONDS * (1 + KILLS // 10)  # whatever no kill came to
        process = run(self.command(self.output, *self.chance.choice(GRIDS)), timeout=rest)
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(differing(self.output, whole, config=False), [])
        self.assertEqual([str(path) for path in self.output.rglob(".*.partial-*")], [])
        with h5py.File(self.output / "run.h5") as file:
            launches = len(file["launches"])
        writes = sum(hit["write"] for hit in kills)
        again = sum(hit["steps again"] for hit in kills)
        print(f"{KILLS} kills (seed {SEED}), {writes} in a write, {launches} launches, "
              f"logged steps made again: {again}")
        self.assertGreater(writes, 0)


if __name__ == "__main__":
    main()
