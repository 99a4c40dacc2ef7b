"""This build computes the bits of another: with another MPI library, another compiler. test_other_build.py PROGRAM."""

import sys
import tempfile
import unittest
from pathlib import Path

from dmoe_testing import DMOE, main, run
from run_contents import contents, differing
from test_routing import CONFIG as ROUTED
from test_training import LAYER, SMALL

OTHER = sys.argv[1]
del sys.argv[1:]
CONFIGS = {"dense": SMALL.format(layers=LAYER.format(7, 9, 6) + LAYER.format(5, 8, 5)), "routed": ROUTED}
RANK_COUNTS = (None, 1, 2, 3, 4)  # None: without a launcher
SECONDS = 300


class OtherBuild(unittest.TestCase):
    def train(self, program, config, output, ranks=None):
        for command in (["train", config, "--output", output], ["analyze", output]):
            process = run([program, *command], ranks=ranks, timeout=SECONDS)
            self.assertEqual(process.returncode, 0, process.stderr)
        return output

    def test_is_another(self):
        versions = [run([program, "--version"]).stdout for program in (DMOE, OTHER)]
        print(*versions, sep="", end="", flush=True)
        self.assertNotEqual(*versions)

    def test_has_the_same_bits(self):
        for name, text in CONFIGS.items():
            with tempfile.TemporaryDirectory(prefix="dmoe-other-build-") as temporary:
                folder = Path(temporary)
                config = folder / "config.toml"
                config.write_text(text)
                expected = self.train(OTHER, config, folder / "other")
                self.assertIn("run.h5/train/loss", contents(expected))
                self.assertIn("model.h5/model/layers/1/experts/weight", contents(expected))
                for ranks in RANK_COUNTS:
                    with self.subTest(name, ranks=ranks):
                        output = self.train(DMOE, config, folder / f"{ranks}", ranks)
                        self.assertEqual(differing(output, expected), [])


main()
