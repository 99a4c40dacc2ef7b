"""The parts of scripts/synthesize-speech, without festival: features against their definition, labels and trimming on
recordings whose phones are known, and the file they make through the real program."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import h5py
import numpy as np

from dmoe_testing import DMOE, SOURCE_DIR, main, run

sys.path.insert(0, str(Path(SOURCE_DIR) / "scripts"))
from speech import corpus, features, frames_file, phones, recording, text, voices  # noqa: E402

SCRIPT = Path(SOURCE_DIR) / "scripts/synthesize-speech"
RATE = 16000


def tone(hertz, seconds, level=0.1):
    return level * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)


def reference_filters(warp):
    """Triangles on the mel scale by their definition, one filter and one frequency at a time."""
    edges = []
    lowest, highest = (2595 * np.log10(1 + f / 700) for f in (64, 7600))
    for number in range(42):
        hertz = 700 * (10 ** ((lowest + number * (highest - lowest) / 41) / 2595) - 1)
        bend = 4800 * min(warp, 1)
        if hertz <= bend:
            edges.append(hertz / warp)
        else:  # the straight line from (bend, bend / warp) to (8000, 8000)
            edges.append(bend / warp + (hertz - bend) * (8000 - bend / warp) / (8000 - bend))
    filters = np.zeros((40, 257))
    for bin_number in range(40):
        low, middle, high = edges[bin_number : bin_number + 3]
        for k in range(257):
            f = k * 8000 / 256
            if low < f <= middle:
                filters[bin_number, k] = (f - low) / (middle - low)
            elif middle < f < high:
                filters[bin_number, k] = (high - f) / (high - middle)
    return filters


def reference_log_mel(samples, warp):
    """Frame by frame, the transform as a sum of products with complex exponentials."""
    count = 1 + (len(samples) - 400) // 160
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(400) / 399)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(257), np.arange(400)) / 512)
    filters = reference_filters(warp)
    frames = np.zeros((count, 40))
    for frame in range(count):
        heard = np.zeros(400)
        for n in range(400):
            t = 160 * frame + n
            heard[n] = samples[t] - 0.97 * samples[t - 1] if t > 0 else samples[0]
        frames[frame] = np.log(filters @ np.abs(waves @ (heard * window)) ** 2 + 1e-10)
    return frames


class Features(unittest.TestCase):
    def test_agree_with_the_definition(self):
        samples = np.random.default_rng(1).uniform(-0.5, 0.5, 1234)
        for warp in (1.0, 0.85, 1.15):
            with self.subTest(warp=warp):
                found = features.log_mel(samples, warp)
                self.assertEqual((found.shape, found.dtype), ((6, 40), np.float32))
                np.testing.assert_allclose(found, reference_log_mel(samples, warp), rtol=1e-5, atol=1e-5)

    def test_are_there_for_whole_windows_only(self):
        for samples, count in ((400, 1), (559, 1), (560, 2), (16000, 98)):
            self.assertEqual(len(features.log_mel(np.ones(samples))), count)

    def test_of_a_tone_are_largest_where_it_sounds(self):
        """A vocal tract that is `warp` times shorter makes a tone sound in the bin of the higher frequency."""
        for warp in (0.85, 1.0, 1.15):
            loudest = features.log_mel(tone(1500, 0.1), warp).argmax(axis=1)
            expected = features.log_mel(tone(1500 * warp, 0.1)).argmax(axis=1)
            np.testing.assert_array_equal(loudest, expected)

    def test_times_are_the_middle_of_the_window(self):
        np.testing.assert_allclose(features.frame_times(3), [0.0125, 0.0225, 0.0325])


class Labels(unittest.TestCase):
    SEGMENTS = "separator ;\nnfields 1\n#\n\t0.1000 100 pau\n\t0.2000 100 sh\n\t0.3500 100 ax\n\t0.5000 100 pau\n"

    def test_are_the_phone_at_each_time_and_its_neighbours(self):
        ends, codes = phones.read_segments(self.SEGMENTS)
        np.testing.assert_array_equal(ends, [0.1, 0.2, 0.35, 0.5])
        times = [0.0, 0.0999, 0.1, 0.2001, 0.3499, 0.4, 0.6]
        names = [[phones.CLASSES[code] for code in row] for row in phones.label_frames(np.array(times), ends, codes)]
        self.assertEqual(names[0], ["sil", "sil", "sil", "sh", "sh", "ah", "ah"])
        self.assertEqual(names[1], ["sil", "sil", "sh", "ah", "ah", "sil", "sil"])
        self.assertEqual(names[2], ["sh", "sh", "ah", "sil", "sil", "sil", "sil"])

    def test_fall_into_forty_classes(self):
        self.assertEqual(len(set(phones.CLASSES)), 40)
        self.assertEqual(phones.CLASSES[0], "sil")
        self.assertEqual([phones.code_of(name) for name in phones.CLASSES], list(range(40)))
        self.assertEqual(phones.code_of("ax"), phones.code_of("ah"))
        with self.assertRaises(KeyError):
            phones.code_of("xx")

    def test_keep_some_silence_around_what_is_spoken(self):
        labels = np.array([0] * 8 + [3, 0, 5] + [0] * 9)
        self.assertEqual(phones.spoken(labels, 2), slice(6, 13))
        self.assertEqual(phones.spoken(labels, 20).start, 0)
        self.assertEqual(len(labels[phones.spoken(labels, 20)]), 20)


class Recordings(unittest.TestCase):
    def test_have_the_noise_asked_for(self):
        random = np.random.default_rng(2)
        samples = np.concatenate([np.zeros(8000), tone(440, 1), np.zeros(8000)])
        spoken = np.arange(len(samples)) // 8000 % 3 != 0
        for decibel in (-3, 0, 20):
            noise = recording.noisy(samples, spoken, random.standard_normal(len(samples)), decibel) - samples
            ratio = np.mean(samples[spoken] ** 2) / np.mean(noise**2)
            self.assertAlmostEqual(10 * np.log10(ratio), decibel, places=6)

    def test_have_the_level_and_tilt_asked_for(self):
        self.assertAlmostEqual(float(np.mean(recording.with_level(tone(300, 1), -25) ** 2)), 10**-2.5)
        for hertz, decibel in ((1000, 0), (2000, 3), (4000, 6), (500, -3)):
            gain = np.std(recording.tilted(tone(hertz, 1), 3)) / np.std(tone(hertz, 1))
            self.assertAlmostEqual(20 * np.log10(gain), decibel, places=6)


class Text(unittest.TestCase):
    def test_yields_plain_sentences(self):
        quotations = (
            "The owl and the cat went to sea.  It took them all of 40 days to get back home.\n\t\t-- E. Lear\n%\n"
            '"Do you think so?" she said.  "I never thought of it that way!"\n%\n'
            "NASA built it in a very big hall.  Too short.  A well-known saying, isn't\nit, has many words in it."
        )
        self.assertEqual(
            list(text.sentences_of(quotations)),
            [
                "The owl and the cat went to sea.",
                "I never thought of it that way!",
                "A well-known saying, isn't it, has many words in it.",
            ],
        )


PHONES = ("pau", "aa", "s", "iy", "m", "pau")
PITCHES = {"pau": 0, "aa": 700, "s": 5000, "iy": 2300, "m": 250}  # one tone stands for a phone


def spoken_by_tones(orders):
    """What festival returns for these orders, were its voices tones."""
    recordings = []
    for order in orders:
        random = np.random.default_rng(list(order.text.encode()))
        inner = [name for _ in range(3) for name in random.permutation(PHONES[1:-1])]
        names = ["pau", *inner, "pau"]
        lengths = order.stretch * random.uniform(0.05, 0.12, len(names))
        samples = np.concatenate([tone(PITCHES[name], length) for name, length in zip(names, lengths)])
        codes = np.array([phones.code_of(name) for name in names], dtype=np.int32)
        recordings.append(voices.Recording(samples, np.cumsum(lengths), codes))
    return recordings


TEXTS = [f"sentence {number}" for number in range(100)]
OPTIONS = corpus.Options(frames=5000, seed=3, noise=(30.0, 10.0), jobs=2)


def tone_corpus(options=OPTIONS):
    with mock.patch.object(corpus, "sentences", lambda: TEXTS), mock.patch.object(corpus, "speak", spoken_by_tones):
        return corpus.utterances(options)


def contents(path):
    with h5py.File(path) as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
        return found


CONFIG = """
[data]
name = "frames"
path = "{}"
[[layers]]
kind = "mixture"
experts = 3
hidden = 16
gate_hidden = 8
[train]
batch_size = 50
[[phases]]
name = "constrained"
epochs = 1
balance = {{ rule = "margin", margin = 20 }}
learning_rate = {{ schedule = "constant", start = 0.1 }}
"""


class File(unittest.TestCase):
    folder: Path
    path: Path
    utterances: list[corpus.Utterance]
    contents: dict[str, np.ndarray]

    @classmethod
    def setUpClass(cls):
        temporary = tempfile.TemporaryDirectory(prefix="dmoe-speech-")
        cls.addClassCleanup(temporary.cleanup)
        cls.folder = Path(temporary.name)
        cls.path = cls.folder / "frames.h5"
        cls.utterances = tone_corpus()
        frames_file.write(cls.path, cls.utterances, OPTIONS, "a test")
        cls.contents = contents(cls.path)

    def split(self, name):
        """Slices of the utterances of a split, and the utterances' numbers."""
        levels = corpus.SPLITS
        chosen = np.flatnonzero(self.contents["utterances/split"] == levels.index(name))
        borders = np.append(self.contents["utterances/first_frame"], len(self.contents["frames/labels"]))
        return [slice(borders[u], borders[u + 1]) for u in chosen], chosen

    def test_is_the_same_from_the_same_seed_whatever_the_jobs(self):
        again = self.folder / "again.h5"
        frames_file.write(again, tone_corpus(OPTIONS._replace(jobs=1)), OPTIONS, "a test")
        found = contents(again)
        self.assertEqual(found.keys(), self.contents.keys())
        for name, values in found.items():
            self.assertEqual(values.tobytes(), self.contents[name].tobytes(), name)
        frames_file.write(again, tone_corpus(OPTIONS._replace(seed=4)), OPTIONS, "a test")
        self.assertFalse(np.array_equal(contents(again)["frames/labels"], self.contents["frames/labels"]))

    def test_has_as_many_frames_as_asked_for(self):
        frames = len(self.contents["frames/labels"])
        last = len(self.utterances[-1].features)
        self.assertTrue(5000 <= frames < 5000 + last)

    def test_text_too_short_says_so(self):
        with self.assertRaisesRegex(ValueError, r"the 100 sentences make [\d,]+ frames, not 1,000,000"):
            tone_corpus(OPTIONS._replace(frames=1_000_000))

    def test_too_few_frames_for_all_splits_say_so(self):
        with self.assertRaisesRegex(ValueError, r"frames are 1 sentences, none of them in test and held_out_speaker"):
            tone_corpus(OPTIONS._replace(frames=1))
        frames = [len(utterance.features) for utterance in self.utterances]
        with self.assertRaisesRegex(ValueError, r"frames are 9 sentences, none of them in held_out_speaker"):
            tone_corpus(OPTIONS._replace(frames=sum(frames[:9])))
        self.assertEqual(len(tone_corpus(OPTIONS._replace(frames=sum(frames[:10])))), 10)

    def test_is_as_documented(self):
        with h5py.File(self.path) as file:
            self.assertEqual((file.attrs["format"], file.attrs["format_version"]), ("dmoe-frames", 1))
            self.assertRegex(file.attrs["dmoe_version"], r"^\d+\.\d+\.\d+$")
            for path in self.contents:
                dataset = file[path]
                self.assertTrue(dataset.fletcher32, path)
                self.assertEqual(len(dataset.attrs["dimensions"]), dataset.ndim, path)
                self.assertTrue(dataset.attrs["units"], path)
            self.assertEqual(list(file["frames/labels"].attrs["levels"]), list(phones.CLASSES))
            self.assertEqual(list(file["utterances/factors"]), ["speaker", "vocal_tract", "rate", "noise"])
            self.assertEqual(list(file["utterances/factors/noise"].attrs["levels"]), ["30 dB", "10 dB"])

    def test_labels_are_the_tones_that_sound(self):
        """In the loudest bin of a clean, unwarped frame in the middle of a phone."""
        drawn = corpus.draw("sentence 0", 0, OPTIONS)._replace(tract=3, decibel=80.0, tilt=0.0)
        utterance = corpus.utterance_of(drawn, spoken_by_tones([drawn.order])[0])
        loudest = utterance.features.argmax(axis=1)
        labels = utterance.labels[1]
        settled = [t for t in range(2, len(labels) - 2) if len(set(labels[t - 2 : t + 3])) == 1 and labels[t] != 0]
        self.assertGreater(len(settled), 20)
        bins = {name: features.log_mel(tone(PITCHES[name], 0.1))[3].argmax() for name in PHONES[1:-1]}
        for t in settled:
            expected = bins[phones.CLASSES[labels[t]]]  # the phase of a tone between two bins may tell either
            self.assertLessEqual(abs(loudest[t] - expected), 1, f"frame {t}")

    def test_neighbouring_phones_are_those_of_the_next_frames_that_differ(self):
        labels, following = self.contents["frames/labels"], self.contents["frames/factors/next_phone"]
        previous = self.contents["frames/factors/previous_phone"]
        utterance = self.split("train")[0][0]
        changes = np.flatnonzero(np.diff(labels[utterance])) + utterance.start
        self.assertGreater(len(changes), 8)
        for t in changes:
            self.assertEqual(following[t], labels[t + 1])
            self.assertEqual(previous[t + 1], labels[t])

    def test_features_of_the_training_split_are_normalised(self):
        slices, _ = self.split("train")
        training = np.concatenate([self.contents["frames/features"][part] for part in slices]).astype(float)
        np.testing.assert_allclose(training.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(training.std(axis=0), 1, atol=1e-5)
        mean, deviation = (self.contents[f"normalization/{name}"] for name in ("mean", "deviation"))
        first = next(u for u in self.utterances if corpus.SPLITS[u.split] == "train")
        restored = self.contents["frames/features"][slices[0]] * deviation + mean
        np.testing.assert_allclose(restored, first.features, rtol=1e-4, atol=1e-4)

    def test_held_out_speaker_is_in_no_other_split(self):
        speaker = self.contents["utterances/factors/speaker"]
        spoken = {name: set(speaker[self.split(name)[1]]) for name in corpus.SPLITS}
        self.assertEqual(spoken["held_out_speaker"], {2})
        self.assertEqual(spoken["train"], {0, 1})
        self.assertTrue(spoken["test"] <= {0, 1})

    def test_program_learns_from_it(self):
        config = self.folder / "frames.toml"
        config.write_text(CONFIG.format(self.path))
        process = run([DMOE, "train", config, "--output", self.folder / "run"], ranks=2)
        self.assertEqual((process.returncode, process.stderr), (0, ""), process.stdout)
        labels = self.contents["frames/labels"]
        slices, _ = self.split("test")
        tested = np.concatenate([labels[part] for part in slices])
        with h5py.File(self.folder / "run/run.h5") as file:
            self.assertLess(file["evaluation/test_error"][-1], 0.75 * (1 - np.bincount(tested).max() / len(tested)))
        for split, slices in ((name, self.split(name)[0]) for name in ("test", "held_out_speaker")):
            process = run([DMOE, "evaluate", self.folder / "run", "--set", f"data.test={split}"])
            frames = sum(part.stop - part.start for part in slices)
            self.assertEqual((process.returncode, process.stderr), (0, ""), process.stdout)
            self.assertIn(f"of {frames:,})", process.stdout)


class Arguments(unittest.TestCase):
    """Wrong ones are refused before anything is installed or spoken."""

    def refusal(self, *arguments):
        process = run([SCRIPT, *arguments], timeout=60)
        self.assertEqual((process.returncode, process.stdout), (2, ""))
        return process.stderr.splitlines()[-1].removeprefix("synthesize-speech: error: ")

    def test_noise_is_finite(self):
        for given in ("nan", "20,nan", "inf", "10,-inf", "loud", "10,", ""):
            message = f"argument --noise: expected finite numbers as in 20,10,0, got '{given}'"
            self.assertEqual(self.refusal(f"--noise={given}"), message)

    def test_output_is_a_file_that_can_be_written(self):
        with tempfile.TemporaryDirectory(prefix="dmoe-speech-") as folder:
            message = f"argument --output: {folder} is a folder; name a file in it"
            self.assertEqual(self.refusal("--output", folder), message)
            file = Path(folder) / "file"
            file.write_text("")
            message = f"argument --output: cannot write {file}/frames.h5: {file} is no folder"
            self.assertEqual(self.refusal("--output", file / "frames.h5"), message)
            self.assertEqual([path.name for path in Path(folder).iterdir()], ["file"])

    def test_counts_are_positive(self):
        with tempfile.TemporaryDirectory(prefix="dmoe-speech-") as folder:
            output = ("--output", Path(folder) / "frames.h5")
            self.assertEqual(self.refusal("--frames", "0", *output), "--frames must be at least 1, got 0")
            self.assertEqual(self.refusal("--jobs", "0", *output), "--jobs must be at least 1, got 0")


if __name__ == "__main__":
    main()
