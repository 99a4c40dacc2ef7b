"""One table of 40 classes for the phones of all voices, and the phone of every frame.

The classes are the 39 phones of the CMU pronouncing dictionary and silence. festival's American voices speak the set
"radio", which has a few more: each is counted as the dictionary would write it.
"""

import numpy as np
from numpy.typing import NDArray

SILENCE = "sil"
CLASSES = (
    SILENCE,
    "aa", "ae", "ah", "ao", "aw", "ay", "eh", "er", "ey", "ih", "iy", "ow", "oy", "uh", "uw",
    "b", "d", "g", "k", "p", "t", "ch", "jh", "dh", "f", "hh", "s", "sh", "th", "v", "z", "zh",
    "l", "m", "n", "ng", "r", "w", "y",
)  # fmt: skip
SAME_AS = {
    "pau": SILENCE, "h#": SILENCE, "brth": SILENCE,
    "ax": "ah", "dx": "t", "el": "l", "em": "m", "en": "n", "hv": "hh", "nx": "n",
}  # fmt: skip
Floats = NDArray[np.float64]
Codes = NDArray[np.int32]  # of classes

CODE_OF = {name: code for code, name in enumerate(CLASSES)}


def code_of(phone: str) -> int:
    """The class of a voice's phone; KeyError for one that no voice should have."""
    return CODE_OF[SAME_AS.get(phone, phone)]


def read_segments(text: str) -> tuple[Floats, Codes]:
    """Ends [s] and classes of a recording's segments, in time. festival's `utt.save.segs`: "end colour phone"."""
    rows = [line.split() for line in text.split("#\n", 1)[1].splitlines()]
    return np.array([float(row[0]) for row in rows]), np.array([code_of(row[2]) for row in rows], dtype=np.int32)


def label_frames(times: Floats, ends: Floats, codes: Codes) -> Codes:
    """Of every time [s] the classes of the segment before, its own and the one after, (3, F); silence outside."""
    segment = np.minimum(np.searchsorted(ends, times, side="right"), len(ends) - 1)
    padded = np.concatenate([[CODE_OF[SILENCE]], codes, [CODE_OF[SILENCE]]]).astype(np.int32)
    return np.stack([padded[segment], padded[segment + 1], padded[segment + 2]])


def spoken(labels: Codes, margin: int) -> slice:
    """The slice of an utterance's frames from its first sound to its last, with up to `margin` frames of silence."""
    sounds = np.flatnonzero(labels != CODE_OF[SILENCE])
    return slice(max(0, sounds[0] - margin), sounds[-1] + 1 + margin)
