"""What lies between a voice and the microphone: noise, the colour of the channel, the level."""

import numpy as np

from speech.features import RATE

REFERENCE = 1000.0  # [Hz] where a tilt leaves the level as it is


def tilted(samples, decibel_per_octave):
    """The samples with a spectrum that rises by so much an octave; flat below 60 Hz."""
    frequency = np.maximum(np.fft.rfftfreq(len(samples), 1 / RATE), 60.0)
    gain = 10 ** (decibel_per_octave * np.log2(frequency / REFERENCE) / 20)
    return np.fft.irfft(np.fft.rfft(samples) * gain, len(samples))


def noisy(samples, spoken, noise, decibel):
    """The samples plus noise, so much louder (mean power) than the noise where something is `spoken` (booleans)."""
    ratio = np.mean(samples[spoken] ** 2) / np.mean(noise**2)
    return samples + noise * np.sqrt(ratio / 10 ** (decibel / 10))


def with_level(samples, decibel):
    """The samples at so many decibel of mean power, 0 being that of a full square wave."""
    return samples * np.sqrt(10 ** (decibel / 10) / np.mean(samples**2))
