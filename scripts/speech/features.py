"""Log-mel features: 40 bins of a 25 ms window every 10 ms.

Pre-emphasis y[t] = x[t] - 0.97 x[t-1], Hamming window of 400 samples, power spectrum of 512 points, 40 triangular
filters at equal distances on the mel scale m = 2595 log10(1 + f / 700) from 64 to 7600 Hz, natural logarithm.
Frame t covers the samples 160 t .. 160 t + 399; there is no frame that reaches past the end.
"""

import functools

import numpy as np
from numpy.typing import NDArray

RATE = 16000  # [1/s]
WINDOW = 400  # [samples], 25 ms
STEP = 160  # [samples], 10 ms
TRANSFORM = 512  # [samples]
BINS = 40
LOWEST, HIGHEST = 64.0, 7600.0  # [Hz]
KEPT = 4800.0  # [Hz] above it a warp bends back
PRE_EMPHASIS = 0.97
FLOOR = 1e-10  # [power, samples in -1 .. 1]: far below any noise

Floats = NDArray[np.float64]


def frame_times(count: int) -> Floats:
    """Middle of every window [s]."""
    return (np.arange(count) * STEP + WINDOW / 2) / RATE


@functools.lru_cache
def mel_filters(warp: float = 1.0) -> Floats:
    """The filters (BINS, TRANSFORM/2 + 1) that hear a recording as if spoken with resonances `warp` times as high.

    Piecewise linear as in Jaitly and Hinton (Vocal tract length perturbation, 2013): they listen at f / warp up to
    4800 Hz, and still at half the sampling rate at its top.
    """
    lowest, highest = 2595 * np.log10(1 + np.array([LOWEST, HIGHEST]) / 700)
    mel_edges = np.linspace(lowest, highest, BINS + 2)
    edges = 700 * (10 ** (mel_edges / 2595) - 1)
    bend = KEPT * min(warp, 1.0)
    edges = np.interp(edges, [0, bend, RATE / 2], [0, bend / warp, RATE / 2])
    low, middle, high = (edges[first : first + BINS, None] for first in range(3))
    frequency = np.fft.rfftfreq(TRANSFORM, 1 / RATE)
    rising, falling = (frequency - low) / (middle - low), (high - frequency) / (high - middle)
    filters: Floats = np.maximum(0, np.minimum(rising, falling))
    return filters


def log_mel(samples: Floats, warp: float = 1.0) -> NDArray[np.float32]:
    """Features (F, BINS), float32, of samples in -1 .. 1."""
    emphasised = np.append(samples[0], samples[1:] - PRE_EMPHASIS * samples[:-1])
    windows = np.lib.stride_tricks.sliding_window_view(emphasised, WINDOW)[::STEP]
    power = np.abs(np.fft.rfft(windows * np.hamming(WINDOW), TRANSFORM)) ** 2
    logarithms: Floats = np.log(power @ mel_filters(warp).T + FLOOR)
    return logarithms.astype(np.float32)
