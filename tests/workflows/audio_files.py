"""Audio files made from nothing: WAV, FLAC and MP3 that players play, as quiet as the number they are given.

In `sounds/` lies what needs an encoder: `write_melody(…, seed=1)` as an MP3, Ogg Vorbis and FLAC file, encoded once with libsndfile; and a
damaged Ogg file that ends the process which decodes it.
"""

from __future__ import annotations

import random
import wave
from pathlib import Path
from typing import Any

SOUNDS = Path(__file__).with_name("sounds")


def write_audio(path: Path, *, seconds: float = 2.0, sound: int = 0, **tags: str) -> Path:
    """A file of the kind its suffix names, with these tags."""
    path.parent.mkdir(parents=True, exist_ok=True)
    {".wav": _wav, ".flac": _flac, ".mp3": _mp3}[path.suffix](path, seconds, sound)
    if tags:
        tag(path, **tags)
    return path


def write_melody(
    path: Path,
    *,
    seed: int,
    rate: int = 16_000,
    width: int = 2,
    channels: int = 1,
    loudness: float = 0.8,
    seconds: float = 6.0,
    silence: float = 0.0,
) -> Path:
    """Chords that change every third of a second, the same for a seed whatever the format; WAV or AIFF."""
    import numpy

    path.parent.mkdir(parents=True, exist_ok=True)
    chosen = random.Random(seed)
    chords = [[chosen.uniform(160, 3000) for _ in range(4)] for _ in range(int(seconds * 3))]
    time = numpy.arange(int(seconds * rate)) / rate
    sound = numpy.zeros(len(time))
    for number, chord in enumerate(chords):
        part = slice(int(number * rate / 3), int((number + 1) * rate / 3))
        sound[part] = sum(numpy.sin(2 * numpy.pi * tone * time[part]) for tone in chord) / 4
    sound = numpy.concatenate([numpy.zeros(int(silence * rate)), sound])
    whole = numpy.round(sound * loudness * ((1 << (8 * width - 1)) - 1)).astype("<i4").repeat(channels)
    is_wav = path.suffix == ".wav"
    low_first = whole.view("u1").reshape(-1, 4)[:, :width]
    data = (low_first + numpy.uint8(128) if is_wav and width == 1 else low_first if is_wav else low_first[:, ::-1]).tobytes()
    if is_wav:
        with wave.open(str(path), "wb") as file:
            file.setparams((channels, width, rate, 0, "NONE", ""))
            file.writeframes(data)
        return path
    exponent = rate.bit_length() - 1
    rate_bytes = (16383 + exponent).to_bytes(2, "big") + (rate << (63 - exponent)).to_bytes(8, "big")
    common = channels.to_bytes(2, "big") + len(sound).to_bytes(4, "big") + (8 * width).to_bytes(2, "big") + rate_bytes
    chunks = b"COMM" + (18).to_bytes(4, "big") + common + b"SSND" + (len(data) + 8).to_bytes(4, "big") + bytes(8) + data
    path.write_bytes(b"FORM" + (len(chunks) + 4).to_bytes(4, "big") + b"AIFF" + chunks)
    return path


def tag(path: Path, **tags: str) -> None:
    """Set tags, by mutagen's own words: artist, album, title, tracknumber, date."""
    from mutagen import File, id3

    opened: Any = File(path, easy=True)
    if opened.tags is None:
        opened.add_tags()
    frames = {"artist": id3.TPE1, "album": id3.TALB, "title": id3.TIT2, "tracknumber": id3.TRCK, "date": id3.TDRC}
    for name, value in tags.items():
        if path.suffix == ".wav":
            opened.tags.add(frames[name](encoding=3, text=[value]))
        else:
            opened[name] = [value]
    opened.save()


def _wav(path: Path, seconds: float, sound: int) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(sound.to_bytes(2, "little") * int(8000 * seconds))


def _mp3(path: Path, seconds: float, sound: int) -> None:
    """Frames of 26 ms each (MPEG 1, layer 3, 128 kbit/s, 44.1 kHz), all silent; the ancillary data at their ends tells files apart."""
    frame = b"\xff\xfb\x90\xc4" + bytes(412) + bytes([sound % 200])
    path.write_bytes(frame * round(seconds * 44100 / 1152))


def _flac(path: Path, seconds: float, sound: int) -> None:
    """Blocks of 4096 equal samples."""
    blocks = max(1, round(seconds * 8000 / 4096))
    packed = (8000 << 44) | (0 << 41) | (15 << 36) | (blocks * 4096)
    info = (4096).to_bytes(2, "big") * 2 + bytes(6) + packed.to_bytes(8, "big") + bytes(16)
    frames = b""
    for number in range(blocks):
        head = b"\xff\xf8\xc0\x00" + bytes([number])
        frame = head + bytes([_crc(head, 8, 0x07)]) + b"\x00" + sound.to_bytes(2, "big")
        frames += frame + _crc(frame, 16, 0x8005).to_bytes(2, "big")
    path.write_bytes(b"fLaC" + b"\x80" + len(info).to_bytes(3, "big") + info + frames)


def _crc(data: bytes, bits: int, polynomial: int) -> int:
    value, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = ((value << 1) ^ polynomial if value & top else value << 1) & mask
    return value
