"""scripts/slurm and scripts/submit on a real SLURM: what its jobs train has the bits of a run without it, however they
are launched, stopped and queued again."""

import os
import re
import signal
import tempfile
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
from cluster import Cluster, enter_namespaces
from dmoe_testing import BUILD_DIR, DMOE, SOURCE_DIR, main, run
from run_contents import differing

# Thirteen steps an epoch, rows that no epoch divides, momentum.
CONFIG = """
[data]
name = "synthetic"
classes = 5
train_examples = 200
test_examples = 50
[[layers]]
kind = "mixture"
experts = 6
hidden = 9
gate_hidden = 6
[[layers]]
kind = "mixture"
experts = 5
hidden = 8
gate_hidden = 5
[train]
seed = 2
batch_size = 16
momentum = 0.5
[evaluation]
batch_size = 30
every_epochs = 50
[[phases]]
name = "constrained"
epochs = {epochs}
balance = {{ rule = "margin", margin = 0.5 }}
learning_rate = {{ schedule = "constant", start = 0.3 }}
[[phases]]
name = "lifted"
epochs = 4
balance = {{ rule = "none" }}
learning_rate = {{ schedule = "exponential", start = 0.3, end = 0.05 }}
"""
EPOCHS = {"short": 4, "other": 6, "long": 100, "endless": 1000000}
SLICED = {"sliced": ("short", 2), "endless_sliced": ("endless", 2)}  # of which, and in how many slices
# The more checkpoints, the longer a training takes; the bits are the same.
OFTEN = "--set checkpoint.every_steps=10"
TWO_NODES = ["--nodelist=n2,n3", "--nodes=2", "--ntasks-per-node=1"]
SLURM_SCRIPTS, SUBMIT = Path(SOURCE_DIR) / "scripts/slurm", Path(SOURCE_DIR) / "scripts/submit"


class Jobs(unittest.TestCase):
    cluster: Cluster
    shared: Path

    @classmethod
    def setUpClass(cls):
        cls.cluster = cls.enterClassContext(Cluster(nodes=5, cpus=2))
        cls.shared = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="dmoe-undisturbed-")))

    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="dmoe jobs-")))
        for name, epochs in EPOCHS.items():
            (self.folder / f"{name}.toml").write_text(CONFIG.format(epochs=epochs))
        for name, (of, slices) in SLICED.items():
            text = CONFIG.format(epochs=EPOCHS[of]).replace("[evaluation]", f"slices = {slices}\n[evaluation]")
            (self.folder / f"{name}.toml").write_text(text)
        self.addCleanup(self.cluster.clear)

    def command(self, *words, status=0, cwd=None, **variables):
        """The finished process of a command, by default in the folder of the jobs."""
        environment = {**self.cluster.environment, "DMOE_ROOT": SOURCE_DIR, **variables}
        process = self.cluster.run(*words, env=environment, cwd=cwd or self.folder)
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)
        return process

    def sbatch(self, script, *options, **variables):
        """The job of one of our scripts."""
        words = ["sbatch", "--parsable", *options, SLURM_SCRIPTS / f"{script}.sbatch"]
        return self.command(*words, **variables).stdout.strip()

    def log(self, job, name="dmoe"):
        path = self.folder / f"{name}-{job}.log"
        return path.read_text() if path.exists() else ""

    def until_checkpoint(self, output):
        self.cluster.until(lambda: any(output.glob("checkpoints/step-*.h5")), f"checkpoint of {output.name}")

    def assert_ended(self, job, status=0, restarts=0, name="dmoe"):
        """With the status of its script, after restarts; what it said."""
        state = self.cluster.ended(job)
        log = self.log(job, name)
        self.assertEqual((state["ExitCode"], state["Restarts"]), (f"{status}:0", str(restarts)), log)
        return log

    def assert_undisturbed(self, output, name, seed=2, launches=1):
        """Finished, with the bits of a run on one rank without SLURM."""
        expected = self.shared / f"{name}-{seed}"
        if not expected.exists():
            words = ["train", f"{name}.toml", "--output", expected, "--set", f"train.seed={seed}"]
            process = run([DMOE, *words], cwd=self.folder)
            self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(differing(self.folder / output, expected, config=False), [])
        with h5py.File(self.folder / output / "run.h5") as file:
            self.assertEqual(len(file["launches"]), launches or len(file["launches"]))

    def test_training_on_one_node_and_on_several(self):
        jobs = {}
        for launcher in ("mpirun", "srun"):
            for nodes, ranks in ((1, 2), (2, 2), (3, 1)):
                output = f"{launcher}-{nodes}"
                options = [f"--nodes={nodes}", f"--ntasks-per-node={ranks}"]
                job = self.sbatch("train", *options, CONFIG="short.toml", RUN=output, LAUNCHER=launcher)
                jobs[job] = output, nodes * ranks
        for job, (output, ranks) in jobs.items():
            with self.subTest(output):
                self.assertIn(f" {ranks} ranks\n", self.assert_ended(job))
                self.assert_undisturbed(output, "short")

    def test_job_script_of_an_installed_dmoe(self):
        prefix = self.folder / "prefix"
        self.command("cmake", "--install", BUILD_DIR, "--prefix", prefix)
        words = ["sbatch", "--parsable", prefix / "share/dmoe/scripts/slurm/train.sbatch"]
        job = self.command(*words, DMOE_ROOT="", DMOE="", CONFIG="short.toml", RUN="run").stdout.strip()
        self.assert_ended(job)
        self.assert_undisturbed("run", "short")
        with h5py.File(self.folder / "run/run.h5") as file:
            self.assertIn(f"'{prefix}/bin/dmoe' train", file["launches/1"].attrs["command_line"])

    def test_array_of_configs_and_seeds(self):
        variables = {"CONFIGS": "short.toml other.toml", "SEEDS": "0 3", "RUNS": "array"}
        job = self.sbatch("array", "--array=0-4", **variables)
        said = self.assert_ended(f"{job}_4", status=2)
        self.assertEqual(said, "nothing to do for task 4: 2 configs with 2 seeds are --array=0-3\n")
        for task, (name, seed) in enumerate((name, seed) for name in ("short", "other") for seed in (0, 3)):
            self.assert_ended(f"{job}_{task}")
            self.assert_undisturbed(f"array/{name}-s{seed}", name, seed)
        self.assertEqual(len(os.listdir(self.folder / "array")), 4)
        again = self.sbatch("array", "--array=2", **variables)
        self.assertIn("is finished already", self.assert_ended(f"{again}_2"))

    def interrupted(self, name, *options, launcher="mpirun", preempted_on=None, is_warned=True):
        """Job of a long training that stands still from an early checkpoint on, as in a very long step,
        until SLURM warns or kills it."""
        variables = {"CONFIG": "long.toml", "RUN": name, "LAUNCHER": launcher, "OPTIONS": OFTEN}
        job = self.sbatch("preemptible", *options, **variables)
        self.until_checkpoint(self.folder / name)
        signal_ranks(name, signal.SIGSTOP)
        if preempted_on:
            urgent = ["--partition=high", f"--nodelist={preempted_on}", "--exclusive", "--output=/dev/null"]
            self.command("sbatch", *urgent, "--wrap=true")
        if is_warned:
            self.cluster.until(lambda: "SIGUSR1: " in self.log(job), f"warning of {name}")
            signal_ranks(name, signal.SIGCONT)
        self.cluster.ended(job)
        return job

    def assert_went_on(self, job):
        """Each restart went on with the training, or found it finished: SLURM 24.11 requeues a job once more when the
        grace of its preemption is over, whatever became of it since. What the job said, and how often it went on."""
        restarts = int(self.cluster.ended(job)["Restarts"])
        log = self.assert_ended(job, restarts=restarts)
        continued = log.count("going on after step")
        self.assertGreaterEqual(continued, 1, log)
        self.assertEqual(continued + log.count("is finished already"), restarts, log)
        return log, continued

    def test_interrupted_training_goes_on_until_finished(self):
        near_the_end = ["--partition=high", "--nodelist=n5", "--time=1", "--signal=B:USR1@55"]
        with ThreadPoolExecutor() as pool:
            jobs = {
                "grace": pool.submit(self.interrupted, "grace", "--nodelist=n1", launcher="srun", preempted_on="n1"),
                "nodes": pool.submit(self.interrupted, "nodes", *TWO_NODES, preempted_on="n2,n3"),
                "harsh": pool.submit(
                    self.interrupted, "harsh", "--partition=harsh", "--nodelist=n4", preempted_on="n4", is_warned=False
                ),
                "limit": pool.submit(self.interrupted, "limit", *near_the_end),
            }
        for name, each in jobs.items():
            with self.subTest(name):
                log, continued = self.assert_went_on(each.result())
                if name != "harsh":
                    back = f"status 75: job {each.result()} goes back into the queue"
                    self.assertIn(log.count(back), range(1, continued + 1), log)
                self.assert_undisturbed(name, "long", launches=continued + 1)

    def test_preemption_of_which_only_other_nodes_are_told(self):
        """Which is how clusters do it by default: mpirun loses its processes there."""
        self.cluster.configure("SlurmctldParameters=preempt_send_user_signal\n", "")
        self.addCleanup(self.cluster.configure, "", "")
        job = self.interrupted("nodes", *TWO_NODES, preempted_on="n2,n3", is_warned=False)
        log, continued = self.assert_went_on(job)
        self.assertNotIn("SIGUSR1", log)
        if f"job {job} goes back into the queue" not in log:  # then SLURM ended our script first: it requeued by itself
            self.assertNotIn("ended with status", log)
        self.assert_undisturbed("nodes", "long", launches=continued + 1)

    def test_what_operators_do_to_jobs(self):
        """One is put back into the queue as it writes checkpoints, its node drained; one is warned before it begins."""
        variables = {"CONFIG": "long.toml", "OPTIONS": OFTEN}
        requeued = self.sbatch("preemptible", **variables, RUN="requeued")
        self.until_checkpoint(self.folder / "requeued")
        node = self.cluster.state(requeued)["NodeList"]
        self.command("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
        self.addCleanup(self.command, "scontrol", "update", f"nodename={node}", "state=resume")
        self.command("scontrol", "requeue", requeued)
        early = self.sbatch("preemptible", **variables, RUN="early")
        self.cluster.until(lambda: " restart 0" in self.log(early), "start")
        self.command("scancel", "--signal=USR1", "--batch", early)
        for job, output in ((requeued, "requeued"), (early, "early")):
            with self.subTest(output):
                restarts = int(self.cluster.ended(job)["Restarts"])
                log = self.assert_ended(job, restarts=restarts)
                self.assertGreaterEqual(restarts, 1 if output == "requeued" else 0, log)
                self.assert_undisturbed(output, "long", launches=None)
        log = self.log(requeued)
        self.assertIn("going on after step", log)
        self.assertNotIn(f"job {requeued} on {node}, restart 1", log)

    def test_array_that_failed_in_part_is_submitted_again(self):
        variables = {"CONFIGS": "short.toml late.toml", "SEEDS": "0", "RUNS": "part"}
        job = self.sbatch("array", "--array=0-1", **variables)
        self.assert_ended(f"{job}_0")
        self.assertIn("late.toml: cannot read the config", self.assert_ended(f"{job}_1", status=2))
        (self.folder / "late.toml").write_text((self.folder / "other.toml").read_text())
        job = self.sbatch("array", "--array=0-1", **variables)
        self.assertIn("is finished already", self.assert_ended(f"{job}_0"))
        self.assert_ended(f"{job}_1")
        self.assert_undisturbed("part/short-s0", "short", 0)
        self.assert_undisturbed("part/late-s0", "other", 0)

    def test_rank_of_a_replica_that_dies_or_hangs_ends_the_job(self):
        for sent in (signal.SIGKILL, signal.SIGSTOP):
            with self.subTest(sent.name):
                output = f"grid-{sent.name}"
                settings = f"{OFTEN} --set comm.replicas=2 --set comm.timeout=3s"
                options = ["--nodelist=n2,n3", "--nodes=2", "--ntasks-per-node=2"]
                job = self.sbatch("train", *options, CONFIG="endless_sliced.toml", RUN=output, OPTIONS=settings)
                self.until_checkpoint(self.folder / output)
                signal_ranks(output, sent, most=1)
                began = time.monotonic()
                state = self.cluster.ended(job)
                self.assertLess(time.monotonic() - began, 20)  # SLURM's own pace included
                self.assertNotEqual(state["ExitCode"], "0:0", self.log(job))
                signal_ranks(output, signal.SIGKILL)

    def test_restarts_are_limited(self):
        options = "--set train.stop_after=1s --set evaluation.every_epochs=0"
        variables = {"CONFIG": "endless.toml", "OPTIONS": options, "MAX_RESTARTS": "1"}
        job = self.sbatch("preemptible", **variables, RUN="limited")
        array = self.sbatch("array", "--array=0", **variables, CONFIGS="endless.toml", RUNS="array", SEEDS="2")
        for each in (job, f"{array}_0"):
            log = self.assert_ended(each, status=75, restarts=1)
            self.assertEqual(log.count("stopped on request"), 2, log)
            self.assertIn("after 1 restarts, MAX_RESTARTS are 1: submit it again to go on\n", log)

    def test_what_cannot_work_is_not_requeued(self):
        jobs = {}
        for launcher in ("mpirun", "srun"):
            job = self.sbatch("preemptible", CONFIG="none.toml", RUN="none", LAUNCHER=launcher)
            jobs[job] = "dmoe: none.toml: cannot read the config"
            job = self.sbatch("preemptible", CONFIG="short.toml", RUN="none", LAUNCHER=launcher, OPTIONS="--set a.b=1")
            jobs[job] = "dmoe: --set a.b=1: unknown key"
        jobs[self.sbatch("preemptible", LAUNCHER="mpiexec")] = "LAUNCHER must be mpirun or srun, got 'mpiexec'"
        for job, message in jobs.items():
            self.assertIn(message, self.assert_ended(job, status=2))
        self.assertFalse((self.folder / "none").exists())

    def test_stopped_or_cancelled_job_is_not_requeued(self):
        ways: dict[str, list[str]] = {"stopped": ["--signal=TERM", "--batch"], "cancelled": []}
        jobs = {}
        for launcher in ("mpirun", "srun"):
            for name, words in ways.items():
                variables = {"CONFIG": "endless.toml", "RUN": f"{name}-{launcher}", "LAUNCHER": launcher}
                jobs[self.sbatch("preemptible", **variables, OPTIONS=OFTEN)] = name, variables["RUN"], words
        for job, (_, output, words) in jobs.items():
            self.until_checkpoint(self.folder / output)
            self.command("scancel", *words, job)
        for job, (name, output, _) in jobs.items():
            with self.subTest(output):
                state = self.cluster.ended(job)
                self.assertEqual(state["JobState"], "CANCELLED" if name == "cancelled" else "FAILED")
                self.assertEqual(state["Restarts"], "0")
                if name == "stopped":
                    self.assertEqual(state["ExitCode"], "75:0")
                    self.assertIn("stopped on request", self.log(job))

    def submitted(self, *words):
        """Job, script, and the commands to watch it with."""
        said = self.command(SUBMIT, *words).stdout.splitlines()
        script = re.fullmatch(r"wrote (\S+\.sbatch)", said[0]).group(1)
        job = re.fullmatch(r"submitted job (\d+)", said[1]).group(1)
        self.assertEqual([line.split()[0] for line in said[2:]], ["squeue", "tail", DMOE, "scancel", "scancel"])
        return job, script, said[2:5]

    def test_submit(self):
        cases = {
            "mine/one": ["short.toml", "--output", "mine/one", "--nodes", "2", "--ranks", "1", "--set", "train.seed=3"],
            "mine/grid": ["sliced.toml", "--output", "mine/grid", "--nodes", "2", "--ranks", "2", "--replicas", "2"],
            "runs/other": ["other.toml", "--preemptible", "--partition", "high", "--", "--comment=mine"],
            "runs/array": ["short.toml", "other.toml", "--seeds", "0,3", "--launcher", "srun", "--threads", "2"],
        }
        submitted = {output: self.submitted(*words) for output, words in cases.items()}
        self.assertEqual([script for _, script, _ in submitted.values()], [f"{output}.sbatch" for output in cases])
        jobs = {output: job for output, (job, _, _) in submitted.items()}
        self.assert_ended(jobs["mine/one"], name="mine/one")
        self.assert_undisturbed("mine/one", "short", 3)
        self.assertIn("4 ranks: 2 replicas of 2 ranks", self.assert_ended(jobs["mine/grid"], name="mine/grid"))
        self.assert_undisturbed("mine/grid", "sliced")
        self.assert_ended(jobs["runs/other"], name="runs/other")
        self.assert_undisturbed("runs/other", "other")
        state = self.cluster.state(jobs["runs/other"])
        self.assertEqual((state["Partition"], state["Comment"], state["Requeue"]), ("high", "mine", "1"))
        for task, output in enumerate(["short-s0", "short-s3", "other-s0", "other-s3"]):
            self.assert_ended(f"{jobs['runs/array']}_{task}", name="runs/array")
            self.assertEqual(self.cluster.state(f"{jobs['runs/array']}_{task}")["CPUs/Task"], "2")
            with h5py.File(self.folder / "runs/array" / output / "run.h5") as file:
                self.assertIn("threads = 2\n", file["config"][()].decode())
        for _, script, commands in submitted.values():
            for command in commands:
                self.assertTrue(self.command("bash", "-c", command.replace("tail -F", "tail")).stdout)

    def test_script_that_was_written_goes_on_with_its_run(self):
        said = self.command(SUBMIT, "--dry-run", "long.toml", *OFTEN.split()).stdout
        self.assertEqual(said, "wrote runs/long.sbatch\n")
        script = self.folder / "runs/long.sbatch"
        job = self.command("sbatch", "--parsable", script).stdout.strip()
        self.until_checkpoint(self.folder / "runs/long")
        self.command("scancel", "--signal=TERM", "--batch", job)
        self.assert_ended(job, status=75, name="runs/long")
        job = self.command("sbatch", "--parsable", script, cwd="/").stdout.strip()
        self.assertIn("going on after step", self.assert_ended(job, name="runs/long"))
        self.assert_undisturbed("runs/long", "long", launches=2)

    def test_submit_refuses_before_anything_is_written(self):
        cases: dict[str, list[str]] = {
            "which config?": [],
            "unknown option '--rank'": ["short.toml", "--rank", "2"],
            "--ranks must be at least 1, got '0'": ["short.toml", "--ranks", "0"],
            "2 replicas: 3 ranks cannot be shared out": ["sliced.toml", "--ranks", "3", "--set", "comm.replicas=2"],
            "comm.replicas must be an integer": ["sliced.toml", "--set", "comm.replicas=x"],
            "2 replicas: short.toml has train.slices = 1": ["short.toml", "--replicas", "2"],
            "--seeds must be numbers as in 0,1,2, got ''": ["short.toml", "--seeds"],
            "--time must be as 30, 02:00:00 or 1-12, got 'soon'": ["short.toml", "--time", "soon"],
            "--warning 120 leaves no time of --time 2": ["short.toml", "--time", "2"],
            "--set must be KEY=VALUE without blanks": ["short.toml", "--set", "train.seed = 3"],
            "CONFIG must be a path without blanks": ["a b.toml"],
            "two runs would go to runs/array/short-s1": ["short.toml", "--seeds", "1,1"],
            "none.toml: cannot read the config": ["none.toml"],
            "unknown key train.sed": ["short.toml", "other.toml", "--set", "train.sed=3"],
            "--output short.toml: exists and is not a folder": ["short.toml", "--output", "short.toml"],
        }
        before = sorted(self.folder.rglob("*"))
        for message, words in cases.items():
            with self.subTest(message):
                process = self.command(SUBMIT, *words, status=2)
                self.assertIn(message, process.stderr)
                self.assertEqual((process.stdout, process.stderr.count("\n")), ("", 1))
        self.assertEqual(sorted(self.folder.rglob("*")), before)


def signal_ranks(output, number, most=1000):
    """To all processes of dmoe that train to that folder, or some of them."""
    for process in Path("/proc").iterdir():
        if most == 0:
            return
        try:
            words = (process / "cmdline").read_text().split("\0")
            if Path(os.readlink(process / "exe")) == Path(DMOE).resolve() and output in words:
                os.kill(int(process.name), number)
                most -= 1
        except (OSError, ValueError):
            pass  # no process, or gone


if __name__ == "__main__":
    enter_namespaces()
    main()
