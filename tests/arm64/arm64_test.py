"""Builds dmoe for aarch64 in a folder beside this build, against a root of arm64 packages, and runs the tests that
need no mpirun and a training under qemu-user (docs/cross.md). What is there from an earlier run is used again."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy

import dmoe_testing
from dmoe_testing import DMOE, run

SOURCE = Path(dmoe_testing.SOURCE_DIR)
FOLDER = Path(dmoe_testing.BUILD_DIR) / "arm64"
ROOT = FOLDER / "root"
BUILD = FOLDER / "build"
ARM64 = BUILD / "dmoe"
PACKAGES = {"aarch64-linux-gnu-g++": "g++-aarch64-linux-gnu", "qemu-aarch64-static": "qemu-user-static"}
MODULES = "core numerics balance comm hdf5 model data distribution training analysis io app".split()
# The CPUs that are emulated, and what dmoe calls their instruction sets.
CPUS = {"cortex-a72": "asimd", "max,sve512=on": "sve_512"}
AARCH64 = 183  # of e_machine
OF_THE_ROOT = "MPI_mpi_LIBRARY HDF5_hdf5_LIBRARY_RELEASE DNNL_LIBRARY ZLIB_LIBRARY_RELEASE Boost_DIR".split()
CONFIG = """
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
[[layers]]
kind = "mixture"
experts = 2
hidden = 10
gate_hidden = 5
[train]
seed = 7
batch_size = 20
log_every_steps = 5
[evaluation]
batch_size = 50
[[phases]]
name = "constrained"
epochs = 2
balance = { rule = "margin", margin = 50 }
learning_rate = { schedule = "constant", start = 0.3 }
"""


def checked(*command, **options):
    """Runs a command, its output on this test's own; fails with it."""
    print("$", *command, flush=True)
    subprocess.run([*map(str, command)], check=True, **options)


def emulated(*command, cpu="cortex-a72", ranks=None):
    """The finished process of an arm64 program on that CPU, under the root's own mpirun where `ranks` is given."""
    launcher = [] if ranks is None else [ROOT / "usr/bin/mpirun.openmpi", "-n", ranks]
    environment = {**os.environ, "QEMU_CPU": cpu}
    return run([SOURCE / "scripts/cross/arm64-run", ROOT, *launcher, *command], env=environment, timeout=600)


def curves(folder):
    """The losses of a run: of training and of the test set."""
    with h5py.File(folder / "run.h5") as file:
        return file["train/loss"][:], file["evaluation/test_loss"][:]


def launch_of(folder):
    with h5py.File(folder / "run.h5") as file:
        return dict(file["launches/1"].attrs)


def furthest(ours, others):
    """The largest difference of two curves, as a share of the value."""
    return max(float(numpy.max(numpy.abs(a - b) / numpy.abs(b))) for a, b in zip(ours, others, strict=True))


class Arm64(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        missing = [package for program, package in PACKAGES.items() if shutil.which(program) is None]
        if missing:
            raise AssertionError(f"missing Debian packages: {' '.join(missing)}; scripts/install-dependencies arm64")
        checked(SOURCE / "scripts/cross/arm64-root", ROOT)
        launcher = ["-DCMAKE_CXX_COMPILER_LAUNCHER=ccache"] if shutil.which("ccache") else []
        checked("cmake", "--preset", "arm64", "-B", BUILD, f"-DDMOE_ARM64_ROOT={ROOT}", "-DDMOE_ONCE=ON", *launcher,
                cwd=SOURCE)
        environment = {**os.environ, "CCACHE_BASEDIR": str(SOURCE), "CCACHE_NOHASHDIR": "1"}
        targets = ["dmoe", *(f"{module}_tests" for module in MODULES)]
        checked("cmake", "--build", BUILD, "--parallel", os.cpu_count(), "--target", *targets, env=environment)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="dmoe-arm64-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.config = self.folder / "config.toml"
        self.config.write_text(CONFIG)

    def assert_done(self, process):
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        return process.stdout

    def train(self, name, **how):
        self.assert_done(emulated(ARM64, "train", self.config, "--output", self.folder / name, **how))
        return self.folder / name

    def train_here(self):
        self.assert_done(run([DMOE, "train", self.config, "--output", self.folder / "here"]))
        return self.folder / "here"

    def test_is_built_of_the_root_alone(self):
        self.assertEqual(int.from_bytes(ARM64.read_bytes()[18:20], "little"), AARCH64)
        cache = (BUILD / "CMakeCache.txt").read_text()
        for variable in OF_THE_ROOT:
            self.assertRegex(cache, rf"(?m)^{variable}:\w+={re.escape(str(ROOT))}/")
        commands = (BUILD / "compile_commands.json").read_text() + (BUILD / "build.ninja").read_text()
        self.assertNotRegex(commands, r"/usr/lib/x86_64|[ =]/usr/include|-march=x86")

    def test_cplusplus_tests_pass(self):
        log = FOLDER / "ctest.log"
        modules = "|".join(MODULES)
        command = [SOURCE / "scripts/cross/arm64-run", ROOT, "ctest", "--test-dir", BUILD, "--parallel", "2"]
        command += ["--label-regex", f"^({modules})$", "--label-exclude", "^(mpi|python)$"]
        process = run([*command, "--no-tests=error", "--output-on-failure", "--output-log", log], timeout=5400)
        self.assert_done(process)
        self.assertNotRegex(process.stdout, r"\*\*\*(Skipped|Not Run)|\((Skipped|Not Run|Disabled)\)")
        print(process.stdout[-400:])

    def test_training_has_the_losses_of_this_machine(self):
        here = curves(self.train_here())
        for cpu, name in CPUS.items():
            with self.subTest(cpu=cpu):
                there = self.train(name, cpu=cpu)
                self.assertEqual(launch_of(there)["instruction_set"], name)
                far = furthest(curves(there), here)
                of_here = launch_of(self.folder / "here")["instruction_set"]
                print(f"losses with {name} differ from those with {of_here} by {far:.1e} of them at most")
                self.assertLess(far, 1e-5)

    def test_files_are_read_on_both(self):
        there, here = self.train("there"), self.train_here()

        def run_there(*words):
            return self.assert_done(emulated(ARM64, *words))

        def run_here(*words):
            return self.assert_done(run([DMOE, *words]))

        for program, folder in [(run_here, there), (run_there, here), (run_there, there)]:
            self.assertEqual(program("check", folder / "run.h5", folder / "model.h5").count("whole"), 2)
            self.assertIn("finished", program("info", folder))
        texts = [program("evaluate", here) for program in (run_here, run_there)]
        errors = [re.search(r"test error [\d.]+ %", text).group() for text in texts]
        self.assertEqual(*errors)

    def test_two_ranks_have_the_bits_of_one(self):
        one, two = self.train("one"), self.train("two", ranks=2)
        self.assertEqual(launch_of(two)["ranks"], 2)
        for a, b in zip(curves(one), curves(two), strict=True):
            self.assertEqual(a.tobytes(), b.tobytes())

    def test_instruction_sets_of_another_architecture_are_refused(self):
        words = ["train", self.config, "--output", self.folder / "none", "--set", "numerics.isa=avx2"]
        process = emulated(ARM64, *words)
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertIn("must be one of best on this architecture, got avx2", process.stderr)


dmoe_testing.main()
