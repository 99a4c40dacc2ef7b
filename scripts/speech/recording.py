"""What lies between a voice and the microphone: noise, the colour of the channel, the level."""

import numpy as np
from numpy.typing import NDArray

from speech.features import RATE, Floats

REFERENCE = 1000.0  # [Hz] where a tilt leaves the level as it is


def tilted(samples: Floats, decibel_per_octave: float) -> Floats:
    """The samples with a spectrum that rises by so much an octave; flat below 60 Hz."""
    frequency = np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE), 60.0)
    gain = 10 ** (decibel_per_octave * np.log2(frequency / REFERENCE) / 20)
    return np.fft.irfft(np.fft.rfft(samples) * gain, len(samples))


def noisy(samples: Floats, spoken: NDArray[np.bool_], noise: Floats, decibel: float) -> Floats:
    """The samples plus noise, so much louder (mean power) than the noise where something is `spoken` (booleans)."""
    ratio = np.mean(samples[spoken] ** 2) / np.mean(noise**2)
    mixed: Floats = samples + noise * np.sqrt(ratio / 10 ** (decibel / 10))
    return mixed


def with_level(samples: Floats, decibel: float) -> Floats:
    """The samples at so many decibel of mean power, 0 being that of a full square wave."""
    scaled: Floats = samples * np.sqrt(10 ** (decibel / 10) / np.mean(samples**2))
    return scaled
