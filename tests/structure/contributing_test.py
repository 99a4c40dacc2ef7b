"""What CONTRIBUTING.md shows of a new key compiles, and names files that are there: contributing_test.py."""

import json
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from dmoe_testing import BUILD_DIR, SOURCE_DIR, main

TEXT = (Path(SOURCE_DIR) / "CONTRIBUTING.md").read_text()


def hunks():
    """File, the line to add, and the line that it goes in front of, of the one diff."""
    diff = re.search(r"(?ms)^```diff\n(.*?)^```$", TEXT).group(1)
    return re.findall(r"(?m)^\+\+\+ b/(\S+)\n@@\n\+(.*)\n (.*)$", diff)


class Contributing(unittest.TestCase):
    def test_a_new_key_takes_what_it_says(self):
        found = hunks()
        self.assertEqual(len(found), 3)
        with tempfile.TemporaryDirectory(prefix="dmoe-key-") as folder:
            tree = Path(folder) / "src"
            shutil.copytree(Path(SOURCE_DIR) / "src", tree)
            for name, line, anchor in found:
                path = Path(folder) / name
                text = path.read_text()
                self.assertEqual(text.count(anchor), 1, (name, anchor))
                at = text.index(anchor)
                path.write_text(text[:at] + line.lstrip() + "\n" + text[at:])
            commands = json.loads((Path(BUILD_DIR) / "compile_commands.json").read_text())
            # Of any source of the module, or of all of them together.
            command = next(one for one in commands if "/dmoe_config.dir/" in one["command"])
            for name in ("config/schema.cpp", "config/config.cpp"):
                words = shlex.split(command["command"].replace(f"{SOURCE_DIR}/src", str(tree)))
                words[words.index("-o") : words.index("-o") + 2] = ["-fsyntax-only"]
                words[words.index("-c") + 1] = str(tree / name)
                process = subprocess.run(words, cwd=command["directory"], text=True, capture_output=True, check=False)
                self.assertEqual(process.returncode, 0, process.stderr)

    def test_the_files_that_it_names_are_there(self):
        for name in re.findall(r"`((?:src|tests|scripts)/[^`\s]+)`", TEXT):
            for ending in ("hpp", "cpp"):
                path = name.replace(".{hpp,cpp}", f".{ending}")
                if "NAME" not in path:
                    self.assertTrue((Path(SOURCE_DIR) / path).exists(), path)


main()
