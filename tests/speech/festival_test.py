"""scripts/synthesize-speech with festival's voices: recordings and labels belong together, and the file trains."""

import sys
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy as np

from dmoe_testing import DMOE, SOURCE_DIR, main, run

sys.path.insert(0, str(Path(SOURCE_DIR) / "scripts"))
from speech import features, phones, text, voices  # noqa: E402

SCRIPT = Path(SOURCE_DIR) / "scripts/synthesize-speech"
HISSES = [phones.code_of(name) for name in ("s", "sh", "z", "zh", "ch", "jh")]


class Voices(unittest.TestCase):
    texts: list[str]
    recordings: dict[str, list[voices.Recording]]

    @classmethod
    def setUpClass(cls):
        cls.texts = text.sentences()[:600:30]
        cls.recordings = {voice.name: cls.speak(voice) for voice in voices.VOICES}

    @classmethod
    def speak(cls, voice, stretch=1.0):
        return voices.speak([voices.Order(voice, sentence, stretch, 1.0) for sentence in cls.texts])

    def test_hiss_where_the_labels_say_so(self):
        """Brightness follows the labels better than those of a frame 40 ms earlier or later."""
        for name, recordings in self.recordings.items():
            with self.subTest(voice=name):
                brightness = []
                hissing: dict[int, list] = {shift: [] for shift in (-4, 0, 4)}
                for recording in recordings:
                    frames = features.log_mel(recording.samples)
                    times = features.frame_times(len(frames))
                    labels = phones.label_frames(times, recording.ends, recording.codes)[1]
                    brightness.append(frames[:, 30:].mean(axis=1) - frames[:, 2:10].mean(axis=1))
                    for shift, parts in hissing.items():
                        parts.append(np.isin(np.roll(labels, shift), HISSES))
                follows = {
                    shift: np.corrcoef(np.concatenate(brightness), np.concatenate(parts))[0, 1]
                    for shift, parts in hissing.items()
                }
                self.assertGreater(follows[0], max(follows[-4], follows[4]) + 0.04, follows)

    def test_labels_end_with_the_recording(self):
        for name, recordings in self.recordings.items():
            for recording in recordings:
                self.assertLess(abs(len(recording.samples) / features.RATE - recording.ends[-1]), 0.05, name)

    def test_speak_at_the_rate_asked_for(self):
        for voice in voices.VOICES:
            with self.subTest(voice=voice.name):
                slow, own = (
                    sum(recording.ends[-1] for recording in recordings)
                    for recordings in (self.speak(voice, stretch=1.4), self.recordings[voice.name])
                )
                self.assertTrue(1.2 < slow / own < 1.5, slow / own)

    def test_a_sentence_that_is_none_says_so(self):
        with self.assertRaisesRegex(RuntimeError, "festival did not speak"):
            voices.speak([voices.Order(voices.VOICES[0], 'five" wide', 1.0, 1.0)])


class Script(unittest.TestCase):
    def test_makes_a_file_that_trains(self):
        with tempfile.TemporaryDirectory(prefix="dmoe-festival-") as name:
            folder = Path(name)
            process = run([SCRIPT, "--frames", "9000", "--output", folder / "frames.h5"], timeout=500)
            self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
            with h5py.File(folder / "frames.h5") as file:
                labels = file["frames/labels"][()]
                self.assertGreaterEqual(len(labels), 9000)
                self.assertTrue(np.isfinite(file["frames/features"][()]).all())
                self.assertLess(np.mean(labels == 0), 0.2)  # silence
                self.assertGreater(len(set(labels)), 35)
                self.assertIn("festvox-us-slt-hts", file.attrs["origin"])
            config = folder / "frames.toml"
            config.write_text(
                '[data]\nname = "frames"\n[[layers]]\nkind = "mixture"\nexperts = 2\nhidden = 64\ngate_hidden = 8\n'
                '[[phases]]\nname = "only"\nepochs = 3\nbalance = { rule = "none" }\n'
                'learning_rate = { schedule = "constant", start = 0.05 }\n'
            )
            command = [DMOE, "train", config, "--output", folder / "run", "--set", f"data.path={folder / 'frames.h5'}"]
            process = run(command, timeout=300)
            self.assertEqual(process.returncode, 0, process.stdout + process.stderr)
            with h5py.File(folder / "run/run.h5") as file:
                chance = 1 - np.bincount(labels).max() / len(labels)
                self.assertLess(file["evaluation/train_error"][-1], chance - 0.1)


if __name__ == "__main__":
    main()
