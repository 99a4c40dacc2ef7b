"""scripts/build-dependencies on this machine: what it finds, what it refuses, how it fails and goes on."""

import gzip
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
from pathlib import Path
from typing import IO, cast

from dmoe_testing import SOURCE_DIR, main

SCRIPT = Path(SOURCE_DIR) / "scripts" / "build-dependencies"
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(small LANGUAGES NONE)
install(FILES CMakeLists.txt DESTINATION share/{name})
{more}
"""


def tarball(path, name, more=""):
    """A release of a small project, each time with the same bytes; returns its sum."""
    with gzip.GzipFile(path, "wb", mtime=0) as zipped, \
            tarfile.open(fileobj=cast(IO[bytes], zipped), mode="w") as archive:
        for file, text in {
            "CMakeLists.txt": PROJECT.format(name=name, more=more),
            "include/Random123/small.h": "",
        }.items():
            member = tarfile.TarInfo(f"{name}-1/{file}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return hashlib.sha256(path.read_bytes()).hexdigest()


class BuildDependencies(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-dependencies-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.prefix = self.folder / "prefix"
        self.sources = self.folder / "sources"
        self.sources.mkdir()
        self.table = self.folder / "packages.ini"

    def run_script(self, *arguments, **environment):
        return subprocess.run(
            [SCRIPT, *map(str, arguments)],
            text=True, capture_output=True, timeout=200, check=False, env={**os.environ, **environment},
        )  # fmt: skip

    def refused(self, process, *words):
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertEqual(process.stderr.count("build-dependencies: "), 1, process.stderr)
        for word in words:
            self.assertIn(str(word), process.stderr)
        self.assertFalse(self.prefix.exists())

    def every_package(self, **more):
        """A table and a folder in which every package is a small project; `more` is added to a package's CMake."""
        listed = self.run_script("--list").stdout
        names = re.findall(r"^(\w+) [\d.]+ ", listed, re.MULTILINE)
        self.assertEqual(len(names), 11, listed)
        with self.table.open("w") as table:
            for name in names:
                path = self.sources / f"{name}.tar.gz"
                digest = tarball(path, name, more.get(name, ""))
                table.write(f"[{name}]\nversion = 1\nurl = https://example.org/{path.name}\nsha256 = {digest}\n")
        return ["--prefix", self.prefix, "--sources", self.sources, "--packages", self.table, "--all"]

    def only(self, *programs):
        """A folder to be the whole PATH: these programs of this machine and no other."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        paths = {"python3": sys.executable, **{program: shutil.which(program) for program in programs}}
        for program, path in paths.items():
            if not (folder / program).exists():
                (folder / program).symlink_to(path)
        return str(folder)

    def test_uses_what_is_here(self):
        process = self.run_script("--prefix", self.prefix, "--dry-run")
        self.assertEqual(process.returncode, 0, process.stderr)
        for name in ("zlib", "hdf5", "onednn", "boost", "fmt", "spdlog", "tomlplusplus", "cli11", "random123",
                     "xxhash"):
            self.assertRegex(process.stdout, rf"(?m)^{name}: the site has ")
        self.assertFalse(self.prefix.exists())

    def test_list_names_url_and_sum_of_each(self):
        process = self.run_script("--list")
        self.assertEqual(process.returncode, 0, process.stderr)
        self.assertEqual(len(re.findall(r"(?m)^  sha256 [0-9a-f]{64}$", process.stdout)), 11)
        self.assertEqual(len(re.findall(r"(?m)^  https://\S+$", process.stdout)), 11)

    def test_refuses_bad_usage(self):
        self.refused(self.run_script(), "--prefix")
        self.refused(self.run_script("--prefix", self.prefix, "--jobs", "0"), "--jobs", "got 0")
        self.refused(self.run_script("--prefix", "/proc/none", "--dry-run"), "/proc")
        self.table.write_text("[openblas]\nversion = 1\n")
        self.refused(self.run_script("--list", "--packages", self.table), self.table, "openblas", "onednn")
        self.table.write_text("[zlib]\nmd5 = 1\n")
        self.refused(self.run_script("--list", "--packages", self.table), self.table, "zlib", "md5", "sha256")

    def test_refuses_a_site_without_tools(self):
        python = self.only()
        self.refused(self.run_script("--prefix", self.prefix, PATH=python), "cmake", "3.25")
        with_cmake = self.only("cmake")
        self.refused(self.run_script("--prefix", self.prefix, PATH=with_cmake), "no compiler", "CC")
        with_compiler = self.only("cc", "c++", "ninja")
        self.refused(self.run_script("--prefix", self.prefix, PATH=with_compiler), "mpicc", "module load")
        self.refused(self.run_script("--prefix", self.prefix, CXX="none-such"), "CXX=none-such")

    def test_refuses_an_old_compiler(self):
        # GCC 9 had this dialect and no std::source_location.
        old = self.folder / "old-c++"
        old.write_text('#!/bin/bash\nexec c++ "${@//-std=*20/-std=gnu++17}"\n')
        old.chmod(0o755)
        self.refused(self.run_script("--prefix", self.prefix, CXX=str(old)), "too old", "GCC 12")

    def test_names_all_tarballs_that_are_missing(self):
        arguments = self.every_package()
        for name in ("boost", "cli11"):
            (self.sources / f"{name}.tar.gz").unlink()
        process = self.run_script(*arguments)
        self.refused(process, self.sources, "boost.tar.gz", "https://example.org/cli11.tar.gz")
        self.assertNotIn("hdf5", process.stderr)

    def test_refuses_another_sum(self):
        arguments = self.every_package()
        with (self.sources / "fmt.tar.gz").open("ab") as file:
            file.write(b"\0")
        self.refused(self.run_script(*arguments), "fmt.tar.gz", "SHA-256", "expected")

    def test_failure_names_package_and_log_and_the_next_call_goes_on(self):
        arguments = self.every_package(boost='message(FATAL_ERROR "no such luck")')
        process = self.run_script(*arguments)
        self.assertEqual(process.returncode, 1, process.stdout + process.stderr)
        self.assertIn("boost 1 failed while configuring", process.stderr)
        self.assertIn("no such luck", process.stderr)
        log = self.prefix / "dmoe-dependencies" / "boost.log"
        self.assertIn(str(log), process.stderr)
        self.assertIn("no such luck", log.read_text())
        self.assertTrue((self.prefix / "share" / "hdf5").exists())

        process = self.run_script(*self.every_package())
        self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
        self.assertIn("hdf5: 1 is built", process.stdout)
        self.assertIn("boost: 1 will be built", process.stdout)
        self.assertTrue((self.prefix / "include" / "Random123" / "small.h").exists())
        self.assertFalse((self.prefix / "share" / "googletest").exists())  # nobody asked for it

    def test_interrupted_it_begins_the_package_again(self):
        slow = "add_custom_target(slow ALL COMMAND sleep 61.5)"
        arguments = self.every_package(onednn=slow)
        process = subprocess.Popen(
            [SCRIPT, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for line in process.stdout:
            if "onednn 1: building" in line:
                break
        time.sleep(1)  # the build tool has started
        process.send_signal(signal.SIGTERM)  # to it alone, as a scheduler may
        _, stderr = process.communicate(timeout=20)
        self.assertEqual(process.returncode, 130, stderr)
        self.assertIn("interrupted", stderr)
        commands = subprocess.run(["ps", "-eo", "args"], text=True, capture_output=True, check=True).stdout
        self.assertNotIn("sleep 61.5", commands.splitlines())  # nothing that it started goes on
        again = self.run_script(*arguments, "--dry-run")
        self.assertIn("hdf5: 1 is built", again.stdout)
        self.assertIn("onednn: 1 will be built", again.stdout)


main()
