"""What a recording sounds like, coarsely: the same for another encoding, sample rate or loudness of it, another for other music.

Reads uncompressed sound (WAV and AIFF); of other files nothing is told. Knows nothing of the workflow. numpy is imported by the functions
that need it.
"""

import itertools
import wave
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_SECONDS = 120
"""So much of the beginning is listened to."""
_BANDS, _LOWEST, _HIGHEST = 9, 150.0, 3400.0
"""Hz; within what a recording of 8000 samples a second still has."""
_WINDOW, _HOP = 0.256, 0.128
_LEAST_STEPS = 12
_MOST_DIFFERENT = 0.2
"""The share of bits in which two prints of one recording may differ; those of different ones differ in about half."""


def likeness_of(path: Path) -> str:
    """A print of the sound, one byte for each step of time, in hexadecimal; empty where it cannot be told."""
    if find_spec("numpy") is None or path.suffix.lower() not in (".wav", ".aiff", ".aif"):
        return ""
    try:
        samples, rate = _wav(path) if path.suffix.lower() == ".wav" else _aiff(path)
        return str(_print_of(samples, rate))
    except (wave.Error, EOFError, ValueError):  # compressed, in floating point, or damaged: the tags may be readable all the same
        return ""


def is_alike(one: str, other: str) -> bool:
    """Whether two prints are of one recording."""
    steps = min(len(one), len(other)) // 2
    if steps < _LEAST_STEPS:
        return False
    different = int(one[: 2 * steps], 16) ^ int(other[: 2 * steps], 16)
    return different.bit_count() / (8 * steps) < _MOST_DIFFERENT


def _print_of(samples: Any, rate: int) -> str:
    """Of each step and each two neighbouring bands: whether their difference grew since the step before."""
    import numpy

    window, hop = int(_WINDOW * rate), int(_HOP * rate)
    if rate < 2 * _HIGHEST or len(samples) < window + _LEAST_STEPS * hop:
        return ""
    edges = numpy.geomspace(_LOWEST, _HIGHEST, _BANDS + 1) * window / rate
    shape = numpy.hanning(window)
    powers = []
    for start in range(0, len(samples) - window + 1, hop):
        spectrum = numpy.abs(numpy.fft.rfft(samples[start : start + window] * shape)) ** 2
        powers.append([spectrum[int(low) : int(high) + 1].mean() for low, high in itertools.pairwise(edges)])
    energies = numpy.array(powers)
    if energies.max(axis=1).mean() < 1e-3 or numpy.ptp(energies) == 0:
        return ""  # silence is like silence, and says nothing
    differences = numpy.diff(numpy.log(energies + energies.mean() * 1e-4), axis=1)
    bits = numpy.diff(differences, axis=0) > 0
    return numpy.packbits(bits, axis=1).tobytes().hex()


def _wav(path: Path) -> tuple[Any, int]:
    with wave.open(str(path), "rb") as file:
        rate, channels, width = file.getframerate(), file.getnchannels(), file.getsampwidth()
        return _samples(file.readframes(rate * _SECONDS), width, channels, "little"), rate


def _aiff(path: Path) -> tuple[Any, int]:
    """The chunks COMM, which says how to read, and SSND, which is read."""
    with path.open("rb") as file:
        head = file.read(12)
        if head[:4] != b"FORM" or head[8:] != b"AIFF":
            raise ValueError("no uncompressed AIFF")
        common = b""
        while len(chunk := file.read(8)) == 8:
            name, length = chunk[:4], int.from_bytes(chunk[4:], "big")
            if name == b"SSND" and len(common) >= 18:
                channels, bits = int.from_bytes(common[:2], "big"), int.from_bytes(common[6:8], "big")
                rate = _extended(common[8:18])
                file.seek(8, 1)
                return _samples(file.read(min(length - 8, rate * _SECONDS * channels * (bits // 8))), bits // 8, channels, "big"), rate
            if name == b"COMM":
                common = file.read(length)
                file.seek(length % 2, 1)
            else:
                file.seek(length + length % 2, 1)
    raise ValueError("no sound")


def _extended(data: bytes) -> int:
    """A whole number as AIFF writes it: a floating point number of ten bytes."""
    exponent = int.from_bytes(data[:2], "big") - 16383
    if not 0 <= exponent < 32:
        raise ValueError("no sample rate")
    return int.from_bytes(data[2:], "big") >> (63 - exponent)


def _samples(data: bytes, width: int, channels: int, order: str) -> Any:
    """One channel, the mean of all, between -1 and 1."""
    import numpy

    if width not in (1, 2, 3, 4) or channels < 1:
        raise ValueError("no whole numbers")
    data = data[: len(data) // (width * channels) * width * channels]
    if width == 1:
        values = numpy.frombuffer(data, "u1").astype(float) - 128 if order == "little" else numpy.frombuffer(data, "i1").astype(float)
    elif width == 3:
        parts = numpy.frombuffer(data, "u1").reshape(-1, 3)[:, :: 1 if order == "little" else -1].astype(numpy.int32)
        values = ((parts[:, 0] << 8 | parts[:, 1] << 16 | parts[:, 2] << 24) >> 8).astype(float)
    else:
        values = numpy.frombuffer(data, f"{'<' if order == 'little' else '>'}i{width}").astype(float)
    return values.reshape(-1, channels).mean(axis=1) / float(1 << (8 * width - 1))
