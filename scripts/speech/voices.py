"""Sentences spoken by festival: the waveform and, exactly, where every phone of it lies."""

import subprocess
import tempfile
import wave
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speech.features import RATE, Floats
from speech.phones import Codes, read_segments


class Voice(NamedTuple):
    name: str
    call: str  # festival's, selects it
    hertz: float  # mean pitch of its own; 0: festival cannot change that of this voice


VOICES = (
    Voice("kal", "voice_kal_diphone", 105.0),  # festvox-kallpc16k, male, diphones
    Voice("slt", "voice_cmu_us_slt_arctic_hts", 0.0),  # festvox-us-slt-hts, female, statistical
    Voice("ked", "voice_ked_diphone", 105.0),  # festvox-kdlpc16k, male, diphones
)


class Order(NamedTuple):
    """One sentence to be spoken."""

    voice: Voice
    text: str
    stretch: float  # of all durations
    pitch: float  # factor; of the voices that have `hertz`


class Recording(NamedTuple):
    samples: Floats  # -1 .. 1, RATE a second
    ends: Floats  # [s] of the segments
    codes: Codes  # classes of the segments

    def is_spoken(self) -> NDArray[np.bool_]:
        """Of every sample whether it belongs to a phone (and not to silence)."""
        segment = np.searchsorted(self.ends, np.arange(len(self.samples)) / RATE, side="right")
        is_sound: NDArray[np.bool_] = self.codes[np.minimum(segment, len(self.codes) - 1)] != 0
        return is_sound


DEFINITIONS = """
(define (speak text base)
  (let ((utt (utt.synth (eval (list 'Utterance 'Text text)))))
    (utt.wave.resample utt %d)
    (utt.save.wave utt (string-append base ".wav") 'riff)
    (utt.save.segs utt (string-append base ".segments"))))
""" % RATE


def script_of(orders: list[Order]) -> str:
    """festival's program (Scheme) that speaks the orders into the files 0.wav, 0.segments, 1.wav, .."""
    lines = [DEFINITIONS]
    for number, order in enumerate(orders):
        lines.append(f"({order.voice.call})")
        if order.voice.hertz:
            mean = order.voice.hertz * order.pitch
            lines.append(f"(Parameter.set 'Duration_Stretch {order.stretch:.4f})")
            lines.append(f"(set! int_lr_params (cons '(target_f0_mean {mean:.2f}) (cdr int_lr_params)))")
        else:
            lines.append(f'(set! hts_engine_params (append hts_engine_params \'(("-r" {1 / order.stretch:.4f}))))')
        lines.append(f'(speak "{order.text}" "{number}")')
    return "\n".join(lines)


def read_samples(path: Path) -> Floats:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768.0


def speak(orders: list[Order]) -> list[Recording]:
    """A Recording of every order, all by one process of festival. RuntimeError where one does not come."""
    with tempfile.TemporaryDirectory(prefix="speech-") as name:
        folder = Path(name)
        (folder / "orders.scm").write_text(script_of(orders))
        process = subprocess.run(
            ["festival", "--batch", "orders.scm"], cwd=folder, text=True, capture_output=True, check=False
        )
        for number, order in enumerate(orders):
            if not (folder / f"{number}.segments").exists():
                raise RuntimeError(f"festival did not speak '{order.text}': {process.stdout}{process.stderr}")
        return [
            Recording(read_samples(folder / f"{n}.wav"), *read_segments((folder / f"{n}.segments").read_text()))
            for n in range(len(orders))
        ]
