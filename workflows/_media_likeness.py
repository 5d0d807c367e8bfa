"""What a recording sounds like, coarsely: the same for another format, bit rate, sample rate or loudness of it, another for other music.

MP3, FLAC, Ogg Vorbis and WAV are decoded, AIFF is read here; of Opus and M4A nothing is told. Knows nothing of the workflow. numpy is
imported by the functions that need it.
"""

import itertools
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ._media_decoding import RATE, Undecodable, can_decode, decoded

_AIFF = (".aiff", ".aif")
_NATIVE, _BIG_ENDIAN = "=", ">"
_SECONDS = 120
"""So much of the beginning is listened to."""
_BANDS, _LOWEST, _HIGHEST = 9, 150.0, 3400.0
"""Hz; within what a recording of 8000 samples a second still has."""
_WINDOW, _HOP = 0.256, 0.064
_LAG = 4
"""Steps between two looks at one band: as far as two windows do not overlap."""
_PIECE = 256
"""Windows looked at at once: what bounds the memory."""

LEAST_SECONDS = 3.0
"""Of shorter ones nothing can be told."""
LATER_SECONDS = 2.0
"""How much earlier or later one of two recordings may begin."""
_SHIFTS = int(LATER_SECONDS / _HOP)
_FEW_STEPS, _MANY_STEPS = 40, 150
"""Less than two and a half seconds say nothing; ten are sure enough for a wider limit."""
_MOST_DIFFERENT, _MOST_DIFFERENT_OF_FEW = 0.28, 0.2
"""The share of bits in which two prints of one recording may differ. Measured on made music: 0.26 between a WAV and an MP3 of 8 kbit/s
of it, 0.16 with one of 48 kbit/s, and never less than 0.36 between two pieces of ten seconds of different music (0.22 of three)."""


def likeness_of(path: Path) -> str:
    """A print of the sound, one byte for each step of time, in hexadecimal; empty where it cannot be told."""
    is_aiff = path.suffix.lower() in _AIFF
    if find_spec("numpy") is None or not (is_aiff or can_decode(path)):
        return ""
    try:
        samples, rate = _aiff(path) if is_aiff else (_samples(decoded(path, _SECONDS), 2, 1, _NATIVE), RATE)
    except (EOFError, ValueError, Undecodable):  # damaged, say: the tags may be readable all the same
        return ""
    return str(_print_of(samples, rate))


def is_alike(one: str, other: str) -> bool:
    """Whether two prints are of one recording; one of them may begin up to `LATER_SECONDS` later."""
    first, second = bytes.fromhex(one), bytes.fromhex(other)
    shifts = sorted(range(-_SHIFTS, _SHIFTS + 1), key=abs)
    return any(_is_alike(first[max(0, shift) :], second[max(0, -shift) :]) for shift in shifts)


def _is_alike(one: bytes, other: bytes) -> bool:
    steps = min(len(one), len(other))
    if steps < _FEW_STEPS:
        return False
    different = int.from_bytes(one[:steps]) ^ int.from_bytes(other[:steps])
    return different.bit_count() / (8 * steps) < (_MOST_DIFFERENT if steps >= _MANY_STEPS else _MOST_DIFFERENT_OF_FEW)


def _print_of(samples: Any, rate: int) -> str:
    """Of each step and each two neighbouring bands: whether their difference has grown."""
    import numpy

    window, hop = int(_WINDOW * rate), int(_HOP * rate)
    if rate < 2 * _HIGHEST or len(samples) < window + (_FEW_STEPS + _LAG) * hop:
        return ""
    edges = [int(edge) for edge in numpy.geomspace(_LOWEST, _HIGHEST, _BANDS + 1) * window / rate]
    shape = numpy.hanning(window)
    windows = numpy.lib.stride_tricks.sliding_window_view(samples, window)[::hop]
    powers = []
    for start in range(0, len(windows), _PIECE):
        spectrum = numpy.abs(numpy.fft.rfft(windows[start : start + _PIECE] * shape, axis=1)) ** 2
        powers.append(numpy.stack([spectrum[:, low : high + 1].mean(axis=1) for low, high in itertools.pairwise(edges)], axis=1))
    energies = numpy.concatenate(powers)
    if energies.max(axis=1).mean() < 1e-3 or numpy.ptp(energies) == 0:
        return ""  # silence is like silence, and says nothing
    differences = numpy.diff(numpy.log(energies + energies.mean() * 1e-4), axis=1)
    bits = differences[_LAG:] > differences[:-_LAG]
    return numpy.packbits(bits, axis=1).tobytes().hex()


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
                return _samples(
                    file.read(min(length - 8, rate * _SECONDS * channels * (bits // 8))), bits // 8, channels, _BIG_ENDIAN
                ), rate
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
    if width == 3:
        parts = numpy.frombuffer(data, "u1").reshape(-1, 3)[:, ::-1].astype(numpy.int32)
        values = ((parts[:, 0] << 8 | parts[:, 1] << 16 | parts[:, 2] << 24) >> 8).astype(float)
    else:
        values = numpy.frombuffer(data, f"{order}i{width}").astype(float)
    return values.reshape(-1, channels).mean(axis=1) / float(1 << (8 * width - 1))
