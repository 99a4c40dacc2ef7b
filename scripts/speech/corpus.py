"""Utterances with labelled frames: who says what, how, and over what noise. All of it follows from the seed."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from speech import features, recording
from speech.features import Floats
from speech.phones import Codes, label_frames, spoken
from speech.text import sentences
from speech.voices import VOICES, Order, Recording, speak

TRAINING_VOICES = VOICES[:2]
HELD_OUT_VOICE = VOICES[2]
SPLITS = ("train", "test", "held_out_speaker")
SPLIT_OF = (0,) * 8 + (1, 2)  # of utterance i: [i % 10]
TRACTS = (0.85, 0.9, 0.95, 1.0, 1.05, 1.1, 1.15)  # factors on the resonances
RATES = {"slow": (1.15, 1.4), "normal": (0.9, 1.15), "fast": (0.7, 0.9)}  # factors on the durations
MARGIN = 10  # frames of silence kept before and after an utterance
BATCH = 20  # sentences that one process of festival speaks

Item = TypeVar("Item")
Result = TypeVar("Result")


class Options(NamedTuple):
    frames: int
    seed: int
    noise: tuple[float, ...]  # signal-to-noise ratios to draw from [dB]
    jobs: int


class Draw(NamedTuple):
    """What was drawn for one utterance. The numbers of levels are factors of the data set."""

    order: Order
    split: int
    speaker: int
    rate: int
    tract: int
    noise: int
    decibel: float  # signal-to-noise ratio
    slope: float  # of the noise's spectrum: power ~ f^-slope
    tilt: float  # of the channel [dB an octave]
    level: float  # [dB]
    seed: tuple[int, int, int]  # of the noise itself


class Utterance(NamedTuple):
    split: int
    speaker: int
    rate: int
    tract: int
    noise: int
    features: NDArray[np.float32]  # (F, BINS)
    labels: Codes  # (3, F): previous phone, phone, next phone


def draw(text: str, number: int, options: Options) -> Draw:
    """Utterance `number`, of that text."""
    random = np.random.default_rng([options.seed, 1, number])
    split = SPLIT_OF[number % len(SPLIT_OF)]
    voice = HELD_OUT_VOICE if SPLITS[split] == "held_out_speaker" else TRAINING_VOICES[random.integers(2)]
    rate, tract, noise = (int(random.integers(len(levels))) for levels in (RATES, TRACTS, options.noise))
    stretch = random.uniform(*list(RATES.values())[rate])
    order = Order(voice, text, stretch, pitch=2 ** random.uniform(-0.4, 0.4))
    slope, tilt, level = random.uniform(0, 2), random.uniform(-3, 3), random.uniform(-27, -23)
    seed = (options.seed, 2, number)
    speaker = VOICES.index(voice)
    return Draw(order, split, speaker, rate, tract, noise, options.noise[noise], slope, tilt, level, seed)


def coloured_noise(random: np.random.Generator, count: int, slope: float) -> Floats:
    """Gaussian noise whose power falls as frequency^-slope; level below 60 Hz."""
    return recording.tilted(random.standard_normal(count), -3.0103 * slope)


def utterance_of(drawn: Draw, spoken_text: Recording) -> Utterance:
    """What the microphone hears, as frames."""
    random = np.random.default_rng(drawn.seed)
    samples = recording.tilted(spoken_text.samples, drawn.tilt)
    noise = coloured_noise(random, len(samples), drawn.slope)
    samples = recording.with_level(recording.noisy(samples, spoken_text.is_spoken(), noise, drawn.decibel), drawn.level)
    frames = features.log_mel(samples, TRACTS[drawn.tract])
    labels = label_frames(features.frame_times(len(frames)), spoken_text.ends, spoken_text.codes)
    kept = spoken(labels[1], MARGIN)
    return Utterance(drawn.split, drawn.speaker, drawn.rate, drawn.tract, drawn.noise, frames[kept], labels[:, kept])


def render(batch: list[Draw]) -> list[Utterance]:
    """The utterances of a list of draws."""
    recordings = speak([drawn.order for drawn in batch])
    return [utterance_of(drawn, spoken_text) for drawn, spoken_text in zip(batch, recordings)]


def utterances(options: Options, progress: Callable[[int], object] = lambda frames: None) -> list[Utterance]:
    """Utterances in the order drawn, until together they have options.frames frames; progress(frames so far) is called
    now and then. ValueError where the text is too short for so many, or a split is left without an utterance."""
    texts = sentences()
    order = np.random.default_rng([options.seed, 0]).permutation(len(texts))
    draws = (draw(texts[order[number]], number, options) for number in range(len(texts)))
    batches = iter(lambda: [drawn for _, drawn in zip(range(BATCH), draws)], [])
    made, frames = [], 0
    # Threads are enough: festival runs as processes of its own, and NumPy computes without Python's lock.
    with ThreadPoolExecutor(options.jobs) as pool:
        for batch in ahead(pool, render, batches, 2 * options.jobs):
            for utterance in batch:
                made.append(utterance)
                frames += len(utterance.features)
                if frames >= options.frames:
                    pool.shutdown(wait=False, cancel_futures=True)
                    return with_all_splits(made)
            progress(frames)
    raise ValueError(f"the {len(texts):,} sentences make {frames:,} frames, not {options.frames:,}")


def with_all_splits(made: list[Utterance]) -> list[Utterance]:
    """The utterances themselves; ValueError where a split has none."""
    empty = [name for split, name in enumerate(SPLITS) if all(utterance.split != split for utterance in made)]
    if empty:
        frames = sum(len(utterance.features) for utterance in made)
        raise ValueError(f"{frames:,} frames are {len(made)} sentences, none of them in {' and '.join(empty)}: more "
                         f"frames are needed, of at least {len(SPLIT_OF)} sentences")
    return made


def ahead(pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], most: int) -> Iterator[Result]:
    """function(item) of every item, in order; at most `most` of them wait or are at work (map would start them all)."""
    waiting = []
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) == most:
            yield waiting.pop(0).result()
    for result in waiting:
        yield result.result()
