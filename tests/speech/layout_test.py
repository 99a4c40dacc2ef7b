"""The example of src/data/frames_file.hpp, as it stands there, writes a file that the program trains on."""

import re
import tempfile
import textwrap
import unittest
from pathlib import Path

import numpy as np

from dmoe_testing import DMOE, SOURCE_DIR, main, run

HEADER = Path(SOURCE_DIR) / "src/data/frames_file.hpp"
CONFIG = """
[data]
name = "frames"
path = "{}"
context = 1
[[layers]]
kind = "mixture"
experts = 2
hidden = 8
gate_hidden = 4
[[phases]]
name = "only"
epochs = 1
balance = {{ rule = "none" }}
learning_rate = {{ schedule = "constant", start = 0.1 }}
"""


class Example(unittest.TestCase):
    def test_writes_a_valid_file(self):
        comment = re.sub(r"^// ?", "", HEADER.read_text(), flags=re.MULTILINE)
        example = textwrap.dedent(re.search(r"^  import h5py.*?\n\n", comment, re.MULTILINE | re.DOTALL).group())
        with tempfile.TemporaryDirectory(prefix="dmoe-layout-") as name:
            folder = Path(name)
            example = example.replace('"frames.h5"', f"r'{folder / 'frames.h5'}'")
            random = np.random.default_rng(1)
            given = {
                "utterances": [random.standard_normal((length, 5)) for length in (30, 20, 1, 40)],
                "labels": random.integers(3, size=91),
                "splits": [0, 1, 0, 0],
            }
            exec(example, given)  # pylint: disable=exec-used
            config = folder / "frames.toml"
            config.write_text(CONFIG.format(folder / "frames.h5"))
            process = run([DMOE, "train", config, "--output", folder / "run"])
            self.assertEqual((process.returncode, process.stderr), (0, ""), process.stdout)
            self.assertIn("71 examples", process.stdout)


if __name__ == "__main__":
    main()
