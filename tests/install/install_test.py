"""Installs this build, builds the project in outside/ against it alone, and trains with the rule it adds:
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


class Install(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="dmoe-install-")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = Path(cls.temporary.name)
        cls.prefix = cls.folder / "prefix"
        dmoe_testing.checked("cmake", "--install", dmoe_testing.BUILD_DIR, "--prefix", cls.prefix)
        # A copy, so that nothing of the repository is found by a relative path.
        shutil.copytree(Path(__file__).parent / "outside", cls.folder / "outside")
        flags = [f"-DCMAKE_CXX_FLAGS=-fsanitize={SANITIZE}"] if SANITIZE else []
        dmoe_testing.checked(
            *("cmake", "-S", cls.folder / "outside", "-B", cls.folder / "build", "-G", "Ninja"),
            *(f"-DCMAKE_PREFIX_PATH={cls.prefix}", f"-DCMAKE_CXX_COMPILER={COMPILER}", *flags),
        )
        dmoe_testing.checked("cmake", "--build", cls.folder / "build")
        cls.program = cls.folder / "build" / "outside"

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

    def test_unknown_rule_lists_it_with_the_others(self):
        config = self.folder / "outside" / "relay.toml"
        wrong = self.folder / "wrong.toml"
        wrong.write_text(config.read_text().replace('rule = "relay", lead = 5.0', 'rule = "rely"'))
        process = dmoe_testing.run([self.program, "train", wrong, "--output", self.folder / "none"])
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertIn("relay", process.stderr + process.stdout)


dmoe_testing.main()
