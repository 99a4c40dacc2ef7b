"""dmoe as shared libraries: built, installed, moved, and the same bits: shared_test.py COMPILER LAUNCHER."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from dmoe_testing import BUILD_DIR, DMOE, SOURCE_DIR, checked, main, run
from run_contents import differing

COMPILER, *LAUNCHER = [word for word in sys.argv[1:] if word]
del sys.argv[1:]
BUILD = Path(f"{BUILD_DIR}-shared")
HERE = Path(SOURCE_DIR) / "tests/install"
# A rule of dmoe's own in place of the outside project's.
CONFIG = (HERE / "outside/relay.toml").read_text().replace('"relay", lead = 5.0', '"margin", margin = 50')


class Shared(unittest.TestCase):
    folder: Path
    prefix: Path

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="dmoe-shared-"))).resolve()
        launcher = [f"-DCMAKE_CXX_COMPILER_LAUNCHER={LAUNCHER[0]}"] if LAUNCHER else []
        options = ["-DBUILD_SHARED_LIBS=ON", "-DDMOE_TESTS=OFF", f"-DCMAKE_CXX_COMPILER={COMPILER}", *launcher]
        checked("cmake", "-S", SOURCE_DIR, "--preset", "release", "-B", BUILD, *options)
        checked("cmake", "--build", BUILD, timeout=1500)
        checked("cmake", "--install", BUILD, "--prefix", cls.folder / "first")
        cls.prefix = cls.folder / "moved"
        (cls.folder / "first").rename(cls.prefix)

    def test_libraries_are_shared_and_found_beside_the_program(self):
        libraries = {path.name for path in self.prefix.glob("lib/**/libdmoe_*.so")}
        self.assertLessEqual({"libdmoe_core.so", "libdmoe_model.so", "libdmoe_app.so"}, libraries)
        self.assertFalse(list(self.prefix.glob("lib/**/libdmoe_*.a")))
        loaded = subprocess.run(["ldd", self.prefix / "bin/dmoe"], text=True, capture_output=True, check=True).stdout
        ours = [line.split(" => ")[1] for line in loaded.splitlines() if "libdmoe_" in line]
        self.assertTrue(ours)
        for path in ours:
            self.assertTrue(path.startswith(f"{self.prefix}/"), path)

    def test_trains_with_the_bits_of_static_libraries(self):
        config = self.folder / "config.toml"
        config.write_text(CONFIG)
        for program, output in ((self.prefix / "bin/dmoe", "shared"), (DMOE, "static")):
            process = run([program, "train", config, "--output", self.folder / output], ranks=2)
            self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        self.assertEqual(differing(self.folder / "shared", self.folder / "static"), [])

    def test_a_project_outside_links_to_them(self):
        build = self.folder / "build"
        words = ["-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DCMAKE_CXX_COMPILER={COMPILER}"]
        checked("cmake", "-S", HERE / "outside", "-B", build, *words)
        checked("cmake", "--build", build)
        output = self.folder / "outside"
        process = run([build / "outside", "train", HERE / "outside/relay.toml", "--output", output], ranks=2)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)


main()
