"""A project that adds dmoe's sources with add_subdirectory keeps its own ways: adding_test.py COMPILER LAUNCHER.

With `--whole` it also builds the whole of dmoe there, and trains."""

import shutil
import sys
import tempfile
import unittest
from pathlib import Path

from dmoe_testing import SOURCE_DIR, main, run

WHOLE = "--whole" in sys.argv
COMPILER, *LAUNCHER = [word for word in sys.argv[1:] if word != "--whole" and word]
del sys.argv[1:]
HERE = Path(SOURCE_DIR) / "tests/install"


class Adding(unittest.TestCase):
    folder: Path
    build: Path
    configured: str
    cache: str

    @classmethod
    def setUpClass(cls):
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="dmoe-adding-")))
        cls.build = cls.folder / "build"
        shutil.copytree(HERE / "adding", cls.folder / "adding")
        launcher = [f"-DCMAKE_CXX_COMPILER_LAUNCHER={LAUNCHER[0]}"] if LAUNCHER else []
        cls.configured = cls.checked(
            *("cmake", "-S", cls.folder / "adding", "-B", cls.build, "-G", "Ninja", f"-DDMOE_SOURCE_DIR={SOURCE_DIR}"),
            *(f"-DCMAKE_CXX_COMPILER={COMPILER}", f"-DCMAKE_INSTALL_PREFIX={cls.folder}/prefix", *launcher),
        )
        cls.cache = (cls.build / "CMakeCache.txt").read_text()

    @classmethod
    def checked(cls, *words):
        process = run(words, timeout=1500)
        if process.returncode != 0:
            raise AssertionError(f"{words}\n{process.stdout}\n{process.stderr}")
        return process.stdout + process.stderr

    def test_nothing_is_decided_for_it(self):
        self.assertRegex(self.cache, r"(?m)^CMAKE_BUILD_TYPE:STRING=$")
        for option in ("DMOE_TESTS", "DMOE_PROGRAM", "DMOE_INSTALL", "DMOE_WARNINGS_AS_ERRORS"):
            self.assertRegex(self.cache, rf"(?m)^{option}:BOOL=OFF$")
        self.assertNotRegex(self.cache, r"(?m)^BUILD_SHARED_LIBS:|^CPACK_|^BUILD_TESTING:")
        self.assertNotRegex(self.configured, "(?i)warning")
        self.assertFalse((self.build / "compile_commands.json").exists())
        self.assertFalse((self.build / "parts/dmoe/tests").exists())

    def test_it_builds_links_and_installs_what_is_its_own(self):
        said = self.checked("cmake", "--build", self.build, "--target", "dmoe")
        self.assertNotIn("-Werror", said)
        listed = self.checked("ninja", "-C", self.build, "-t", "commands", "dmoe")
        own = next(line for line in listed.splitlines() if line.endswith("rules.cpp"))
        self.assertNotRegex(own, "-Werror|-Wall|-march|-fno-math-errno")
        self.assertNotIn("-Werror", listed)
        process = run([self.build / "dmoe"])
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertIn("margin\n", process.stdout)
        self.checked("cmake", "--install", self.build)
        installed = [path for path in (self.folder / "prefix").rglob("*") if path.is_file()]
        self.assertEqual(installed, [self.folder / "prefix/bin/dmoe"])

    def test_whole_of_it_trains(self):
        self.checked("cmake", "--build", self.build, "--target", "whole")
        words = [self.build / "whole", "train", HERE / "outside/relay.toml", "--output", self.folder / "run"]
        process = run(words, ranks=2)
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)


if not WHOLE:
    del Adding.test_whole_of_it_trains
main()
