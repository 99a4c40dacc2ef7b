"""What README.md shows, as it stands there."""

import shutil
import subprocess
import sys
from pathlib import Path

from dmoe_testing import DMOE, SOURCE_DIR, checked, main, readme_block
from small_frames import CONFIG, SmallFrames


class Readme(SmallFrames):
    def setUp(self):
        super().setUp()
        self.config = self.folder / "config.toml"
        self.config.write_text(CONFIG.format(path=self.frames("good.h5")))

    def test_reading_the_files_in_python(self):
        checked(DMOE, "train", self.config, "--output", self.folder / "runs/quickstart")
        block = readme_block("python", "h5py")
        process = subprocess.run(
            [sys.executable, "-c", block], cwd=self.folder, text=True, capture_output=True, check=False
        )
        self.assertEqual((process.returncode, process.stderr), (0, ""))
        self.assertIn("f_i(x) of the experts (2, 4)", process.stdout)

    def test_sweep(self):
        block = readme_block("toml", "[[grids]]")
        there = (Path(SOURCE_DIR) / "experiments/fashion/sweep.toml").read_text()
        for line in block.splitlines()[1:]:
            self.assertIn(line.split("#")[0].strip(), there)
        (self.folder / "sweep.toml").write_text(block)
        shutil.copy(self.config, self.folder / "A.toml")
        said = checked(DMOE, "sweep", self.folder / "sweep.toml", "--output", self.folder / "many", "--dry-run")
        self.assertEqual(said.count("to do "), 12)

    def test_routings(self):
        block = readme_block("toml", "routing = ")
        settings = [part.split("}")[0].strip() for part in block.split("{")[1:]]
        self.assertEqual(len(settings), 3)
        for setting in settings:
            value = setting.replace("k = 2", "k = 1")  # the small network has 2 experts
            words = ["--set", f"phases.only.routing={{ {value} }}", "--output", self.folder / "none", "--dry-run"]
            checked(DMOE, "train", self.config, *words)


main()
