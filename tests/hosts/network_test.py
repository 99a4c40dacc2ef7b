"""dmoe over several hosts that talk over TCP: network_test.py DELAYING_SWITCH."""

import re
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

import h5py
from dmoe_testing import DMOE, checked, main, run
from hosts import Hosts
from launchers import loses_status_of_a_lost_host
from run_contents import contents, differing

SWITCH = sys.argv.pop(1)

EXPERTS, HIDDEN, BATCH, EXAMPLES, EPOCHS = [8, 6], [12, 10], 16, 200, 30
STEPS = EPOCHS * -(-EXAMPLES // BATCH)
CONFIG = f"""
[data]
name = "synthetic"
classes = 5
train_examples = {EXAMPLES}
test_examples = 50
[[layers]]
kind = "mixture"
experts = {EXPERTS[0]}
hidden = {HIDDEN[0]}
gate_hidden = 6
[[layers]]
kind = "mixture"
experts = {EXPERTS[1]}
hidden = {HIDDEN[1]}
gate_hidden = 5
[train]
seed = 3
batch_size = {BATCH}
momentum = 0.5
log_every_steps = 7
[evaluation]
batch_size = 30
every_epochs = 10
[checkpoint]
at_phase_ends = false
[[phases]]
name = "constrained"
epochs = {EPOCHS - 2}
balance = {{ rule = "margin", margin = 0.5 }}
learning_rate = {{ schedule = "constant", start = 0.3 }}
[[phases]]
name = "lifted"
epochs = 2
balance = {{ rule = "none" }}
learning_rate = {{ schedule = "constant", start = 0.1 }}
"""
# So long that a link can go down in the midst of it.
LONG = ["--set", "phases.lifted.epochs=800", "--set", "evaluation.every_epochs=0", "--set", "train.log_every_steps=500"]
LONG += ["--set", "checkpoint.every_steps=100"]
DELAY_MILLISECONDS = 2  # each way
SECONDS = 240  # until something must have happened


def bytes_to_each_host():
    """What a training step brings at least to every host but the coordinator's: gate values, z and dz, once."""
    return 4 * BATCH * (sum(EXPERTS) + sum(HIDDEN[:-1]) + sum(HIDDEN))


def bytes_to_coordinator(slots):
    """What a training step brings at least to the coordinator's host: from each rank on another host, for each layer in
    which it has experts, one partial sum of z, one of dx above the first layer, and dg."""
    ranks, columns = sum(slots), 0
    for layer, experts in enumerate(EXPERTS):
        for rank in range(slots[0], ranks):
            owned = (rank + 1) * experts // ranks - rank * experts // ranks
            if owned > 0:
                columns += HIDDEN[layer] + owned + (HIDDEN[layer - 1] if layer > 0 else 0)
    return 4 * BATCH * columns


def timing(output):
    """Seconds of the coordinator by activity."""
    with h5py.File(output / "run.h5") as file:
        group = file["launches/1/timing"]
        return dict(zip(group["phases"].asstr()[()], group["seconds"][0], strict=True))


class Network(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-hosts-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.config = self.folder / "config.toml"
        self.config.write_text(CONFIG)
        self.whole = self.folder / "whole"

    def hosts(self, count, delay_milliseconds=0):
        return Hosts(Path(tempfile.mkdtemp(dir=self.folder)), count, SWITCH, delay_milliseconds)

    def command(self, output, *settings):
        """A training; of a run that is there, with its recipe."""
        return [DMOE, "train", self.config, "--output", output, "--resume", *settings]

    def alone(self, output, *settings):
        """On this host, without mpirun."""
        process = run(self.command(output, *settings), timeout=SECONDS)
        self.assertEqual(process.returncode, 0, process.stderr)
        return process.stdout

    def across(self, hosts, slots, output, *settings):
        """The same training with so many ranks on each host."""
        process = run(hosts.mpirun(slots, self.command(output, *settings)), timeout=SECONDS)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        self.assertEqual(differing(output, self.whole, config=not settings), [])
        self.assertIn("model.h5/model/layers/1/experts/weight", contents(output))

    def test_same_bits_as_on_one_host(self):
        self.alone(self.whole)
        for slots in ([3, 2, 2], [2, 1, 3, 1]):
            with self.subTest(slots=slots), self.hosts(len(slots)) as hosts:
                output = self.folder / f"on-{len(slots)}"
                before = [hosts.received_bytes(name) for name in hosts.names]
                self.across(hosts, slots, output)
                received = [hosts.received_bytes(name) - count for name, count in zip(hosts.names, before, strict=True)]
                least = [STEPS * bytes_to_coordinator(slots)] + [STEPS * bytes_to_each_host()] * (len(slots) - 1)
                print(f"\nranks on each host {slots}: bytes received {received}, at least {least}")
                for measured, expected in zip(received, least, strict=True):
                    self.assertGreaterEqual(measured, expected)
                with h5py.File(output / "run.h5") as file:
                    names = [name for name, count in zip(hosts.names, slots, strict=True) for _ in range(count)]
                    self.assertEqual(list(file["launches/1"].attrs["hosts"]), names)

    def test_delay_changes_no_bit_and_shows_in_the_seconds(self):
        self.alone(self.whole)
        output = self.folder / "delayed"
        with self.hosts(3, DELAY_MILLISECONDS) as far:
            self.across(far, [1, 1, 1], output)
        seconds = timing(output)
        trips = 4 * len(EXPERTS)  # of a step, one after the other: for each layer there and back, upwards and downwards
        under_way = STEPS * trips * DELAY_MILLISECONDS / 1000
        text = ", ".join(f"{activity} {value:.2f} s" for activity, value in seconds.items())
        print(f"\n{text}\nmessages of {STEPS} steps were under way for at least {under_way:.2f} s")
        self.assertGreaterEqual(sum(seconds.values()) - seconds["io"], under_way)  # whatever else the machine does

    def test_a_replica_on_each_host(self):
        slices = ["--set", "train.slices=3"]
        self.alone(self.whole, *slices)
        with self.hosts(3) as hosts:
            output = self.folder / "replicas"
            self.across(hosts, [2, 2, 2], output, *slices, "--set", "comm.replicas=3")
            with h5py.File(output / "run.h5") as file:
                self.assertEqual(list(file["launches/1"].attrs["hosts"]), [n for n in hosts.names for _ in range(2)])

    def test_link_that_goes_down_ends_the_job(self):
        self.ends_where_a_link_goes_down([2, 1, 1])

    def test_link_to_a_replica_that_goes_down_ends_the_job(self):
        self.ends_where_a_link_goes_down([1, 1, 2], "--set", "train.slices=2", "--set", "comm.replicas=2")

    def ends_where_a_link_goes_down(self, slots, *settings):
        long = [*LONG, *settings[:2]]
        self.alone(self.whole, *long)
        output, log = self.folder / "cut", self.folder / "log.txt"
        deadline = time.monotonic() + SECONDS
        with self.hosts(3) as hosts:
            command = self.command(output, *LONG, *settings, "--set", "comm.timeout=3s")
            with log.open("w") as stream:
                process = subprocess.Popen(hosts.mpirun(slots, command), stdout=stream, stderr=stream)
            self.addCleanup(process.wait)
            while not any((output / "checkpoints").glob("step-*.h5")):
                self.assertIsNone(process.poll(), log.read_text())
                self.assertLess(time.monotonic(), deadline, log.read_text())
                time.sleep(0.01)
            hosts.cut("host3")
            cut_at = time.monotonic()
            while hosts.has_process(DMOE):  # on the host that is cut off too
                self.assertLess(time.monotonic(), deadline, log.read_text())
                time.sleep(0.05)
            ranks_ended_at = time.monotonic()
            status = process.wait(SECONDS)
            ranks, launcher = ranks_ended_at - cut_at, time.monotonic() - cut_at
        said = log.read_text()
        found = re.search(r"dmoe: rank (\d) has waited \d+ s in (MPI_|a collective HDF5).*", said)
        self.assertIsNotNone(found, said)
        self.assertIn(found.group(1), "0123"[: sum(slots[:2])])  # what the last host says does not come through
        print(f"\n{found.group()}\nafter the link went down ranks ended in {ranks:.1f} s, ", end="")
        print(f"mpirun in {launcher:.1f} s with status {status}")
        if not loses_status_of_a_lost_host():
            self.assertNotEqual(status, 0, said)
        self.assertNotRegex(checked(DMOE, "info", output), r"(?m)^status +finished")
        self.assertIn("going on after step", self.alone(output, *long))
        self.assertEqual(differing(output, self.whole, config=False), [])


if __name__ == "__main__":
    main()
