"""What Python tests share: the program, mpirun, and a main that fails where nothing was tested."""

import os
import re
import subprocess
import sys
import typing
import unittest
from collections.abc import Iterable
from pathlib import Path

DMOE = os.environ.get("DMOE", "")
MPIEXEC = os.environ.get("MPIEXEC", "mpirun")
SOURCE_DIR = os.environ.get("DMOE_SOURCE_DIR", "")
BUILD_DIR = os.environ.get("DMOE_BUILD_DIR", "")


def run(command: Iterable[object], ranks: int | None = None, timeout: float = 100,
        **options: typing.Any) -> subprocess.CompletedProcess[str]:
    """The finished process of a command, under mpirun where `ranks` is given; its output is text."""
    launcher = [] if ranks is None else [MPIEXEC, "-n", str(ranks)]
    return subprocess.run(
        [*launcher, *map(str, command)], text=True, capture_output=True, timeout=timeout, check=False, **options
    )


def checked(*words: object, timeout: float = 600) -> str:
    """What a command that ends with 0 printed on its standard output."""
    process = run(words, timeout=timeout)
    if process.returncode != 0:
        raise AssertionError(f"{words}\n{process.stdout}\n{process.stderr}")
    return process.stdout


def readme_block(language: str, words: str) -> str:
    """The code block of README.md in that language that holds these words; there must be one."""
    text = (Path(SOURCE_DIR) / "README.md").read_text()
    blocks: list[str] = re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)
    blocks = [block for block in blocks if words in block]
    if len(blocks) != 1:
        raise AssertionError(f"README.md has {len(blocks)} blocks of {language} with {words!r}")
    return blocks[0]


def enter_own_mounts() -> None:
    """Begins this script anew in a mount namespace of its own, in which it may mount, unless it is in one."""
    if "DMOE_OWN_MOUNTS" in os.environ:
        return
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    environment = {**os.environ, "DMOE_OWN_MOUNTS": "yes"}
    os.execvpe("unshare", ["unshare", "--mount", *user, sys.executable, "-B", *sys.argv], environment)


def main() -> None:
    """Runs the calling file's unittest cases; no test or a skipped one is a failure."""
    result = unittest.main(exit=False, verbosity=2).result
    if result.testsRun == 0 or result.skipped:
        print("FAILED: no test was found" if result.testsRun == 0 else "FAILED: a test was skipped")
        sys.exit(1)
    sys.exit(0 if result.wasSuccessful() else 1)
