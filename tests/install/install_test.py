"""Installs this build, builds README's project against it alone, and trains with the rule it adds:
install_test.py COMPILER [SANITIZERS]."""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path

import h5py

import dmoe_testing

COMPILER = sys.argv[1]
SANITIZE = sys.argv[2] if len(sys.argv) > 2 else ""
del sys.argv[1:]


EXAMPLE = """
[data]
name = "synthetic"
classes = 4
train_examples = 400
test_examples = 100
[[layers]]
kind = "mixture"
experts = 3
hidden = 10
gate_hidden = 5
[[phases]]
name = "constrained"
epochs = 2
balance = { rule = "margin", margin = 50 }
learning_rate = { schedule = "constant", start = 0.3 }
"""


class Install(unittest.TestCase):
    temporary: tempfile.TemporaryDirectory[str]
    folder: Path
    prefix: Path
    program: Path

    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="dmoe-install-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = Path(cls.temporary.name)
        cls.prefix = cls.folder / "prefix"
        dmoe_testing.checked("cmake", "--install", dmoe_testing.BUILD_DIR, "--prefix", cls.prefix)
        # Not in the repository, so that nothing of it is found by a relative path.
        project = cls.folder / "outside"
        shutil.copytree(Path(__file__).parent / "outside", project, ignore=lambda *_: ["main.cpp", "CMakeLists.txt"])
        (project / "main.cpp").write_text(dmoe_testing.readme_block("cpp", "class Relay"))
        (project / "CMakeLists.txt").write_text(dmoe_testing.readme_block("cmake", "my_dmoe"))
        flags = [f"-DCMAKE_CXX_FLAGS=-fsanitize={SANITIZE}"] if SANITIZE else []
        dmoe_testing.checked(
            *("cmake", "-S", cls.folder / "outside", "-B", cls.folder / "build", "-G", "Ninja"),
            *(f"-DCMAKE_PREFIX_PATH={cls.prefix}", f"-DCMAKE_CXX_COMPILER={COMPILER}", *flags),
        )
        dmoe_testing.checked("cmake", "--build", cls.folder / "build")
        cls.program = cls.folder / "build" / "my_dmoe"

    def test_examples_of_the_manual_run(self):
        project = self.folder / "examples"
        flags = [f"-DCMAKE_CXX_FLAGS=-fsanitize={SANITIZE}"] if SANITIZE else []
        shutil.copytree(Path(dmoe_testing.SOURCE_DIR) / "docs/examples", project)
        dmoe_testing.checked(
            *("cmake", "-S", project, "-B", project / "build", "-G", "Ninja"),
            *(f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={COMPILER}", *flags),
        )
        dmoe_testing.checked("cmake", "--build", project / "build")
        config = project / "config.toml"
        config.write_text(EXAMPLE)
        said = {}
        for name, argument, ranks in (
            ("train", config, 2),
            ("train", config, None),
            ("predict", "runs/example", 3),
            ("own_mpi", config, 4),
        ):
            with self.subTest(name, ranks=ranks):
                process = dmoe_testing.run([project / "build" / name, argument], ranks, cwd=project)
                self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
                said[name] = process.stdout.splitlines()
        with h5py.File(project / "runs/example/run.h5") as file:
            loss, error = file["evaluation/test_loss"][-1], file["evaluation/test_error"][-1]
        epochs = [f"epoch {n}: test error {e:.4f}" for n, e in ((1, self.errors(project)[0]), (2, error))]
        self.assertEqual(said["train"][-3:-1], epochs)
        self.assertEqual(said["train"][-1], f"loss {loss:.6f}, error {error:.4f}")
        rows = [list(map(int, line.split())) for line in said["predict"]]
        self.assertEqual(len(rows), 100)
        self.assertEqual(sum(label != found for label, found, _ in rows), round(100 * error))
        self.assertLessEqual({expert for *_, expert in rows}, {0, 1, 2})
        for half in (0, 1):
            with h5py.File(project / f"runs/half-{half}/run.h5") as file:
                self.assertEqual((file["provenance"].attrs["seed"], file["launches/1"].attrs["ranks"]), (half, 2))
                self.assertEqual(file["provenance"].attrs["status"], "finished")

    def errors(self, project):
        with h5py.File(project / "runs/example/run.h5") as file:
            return file["evaluation/test_error"][:]

    def test_package_names_no_path_of_the_build(self):
        files = list(self.prefix.glob("lib*/**/cmake/dmoe/*.cmake"))
        self.assertGreaterEqual(len(files), 4)
        for file in files:
            for path in (dmoe_testing.SOURCE_DIR, dmoe_testing.BUILD_DIR):
                self.assertNotIn(path, file.read_text(), file)

    def test_installed_program_runs(self):
        process = dmoe_testing.run([self.prefix / "bin" / "dmoe", "--help"])
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertIn("train", process.stdout)

    def test_rule_of_the_outside_project_balances(self):
        config = self.folder / "outside" / "relay.toml"
        output = self.folder / "run"
        process = dmoe_testing.run([self.program, "train", config, "--output", output], ranks=2)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        with h5py.File(output / "run.h5") as run:
            self.assertIn("relay", run["config"].asstr()[()])
            masked = run["layers/1/assignment/masked"][:]
        self.assertGreater(masked.max(), 0)
        # It masks one expert at a time.
        self.assertLessEqual(masked.sum(axis=1).max(), 1 + 1e-6)

    def test_who_lacks_the_rule_reads_what_it_trained(self):
        config = self.folder / "outside" / "relay.toml"
        output = self.folder / "foreign"
        dmoe_testing.checked(self.program, "train", config, "--output", output)
        dmoe = self.prefix / "bin" / "dmoe"
        for file in ("run.h5", "model.h5"):
            said = dmoe_testing.checked(dmoe, "info", output / file)
            self.assertRegex(said, r"(?m)^not known +phases\.1\.balance\.rule = \"relay\"$")
            self.assertIn("phases.1.balance.lead = 5.0", said)
        dmoe_testing.checked(dmoe, "check", *output.glob("*.h5"), *output.glob("checkpoints/*.h5"))
        expected = dmoe_testing.checked(self.program, "evaluate", output)
        said = dmoe_testing.checked(dmoe, "evaluate", output)
        words = '(?m)^not known to this dmoe and left alone: phases.*rule = "relay"; phases.*lead = 5.0$'
        self.assertRegex(said, words)
        self.assertTrue(said.endswith(expected), said)
        dmoe_testing.checked(dmoe, "evaluate", output, "--curve", "--repetitions", "1")
        dmoe_testing.checked(dmoe, "analyze", output, "--permutations", "5")
        with h5py.File(output / "run.h5") as run:
            self.assertIn('balance = { rule = "relay", lead = 5.0 }', run["cost/config"].asstr()[()])
            self.assertEqual(run["cost/config"][()], run["config"][()])
        # Training needs it, and an override is this program's own.
        process = dmoe_testing.run([dmoe, "train", config, "--output", output, "--resume"])
        self.assertEqual(process.returncode, 2, process.stdout)
        self.assertIn('unknown balancing rule "relay"', process.stderr)
        process = dmoe_testing.run([dmoe, "evaluate", output, "--set", "phases.1.balance.rule=rely"])
        self.assertEqual(process.returncode, 2, process.stdout)
        self.assertIn('unknown balancing rule "rely"', process.stderr)

    def test_unknown_rule_lists_it_with_the_others(self):
        config = self.folder / "outside" / "relay.toml"
        wrong = self.folder / "wrong.toml"
        wrong.write_text(config.read_text().replace('rule = "relay", lead = 5.0', 'rule = "rely"'))
        process = dmoe_testing.run([self.program, "train", wrong, "--output", self.folder / "none"])
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertIn("relay", process.stderr + process.stdout)


dmoe_testing.main()
