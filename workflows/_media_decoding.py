"""Compressed sound as plain numbers, by a process of its own: what makes a decoder in C fall over shall fell nothing else.

Run as a program with the name of a file it writes the sound to its standard output: one channel, 16 bits a sample, as this machine
orders bytes. Knows nothing of the workflow. miniaudio is imported by that program.
"""

import itertools
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

DECODED = (".mp3", ".flac", ".ogg", ".oga", ".wav")
RATE = 11025
_TIMEOUT = 120.0


class Undecodable(Exception):
    """A file of another kind than its name says, or a damaged one."""


def can_decode(path: Path) -> bool:
    """Whether it is of a kind that is decoded, and the decoder is installed."""
    return path.suffix.lower() in DECODED and find_spec("miniaudio") is not None


def decoded(path: Path, seconds: int) -> bytes:
    """So much of the beginning, `RATE` samples a second. Raises: `Undecodable`."""
    command = [sys.executable, "-P", str(Path(__file__)), str(path.absolute()), str(seconds)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_TIMEOUT, check=True
        )
    except (subprocess.SubprocessError, OSError, ValueError) as error:
        raise Undecodable(f"{path.name} cannot be decoded") from error
    return done.stdout


def _write_sound(path: str, seconds: int) -> None:
    """Second by second, so that a long recording is not decoded to its end."""
    import miniaudio

    sound = miniaudio.stream_file(path, miniaudio.SampleFormat.SIGNED16, nchannels=1, sample_rate=RATE, frames_to_read=RATE)
    for piece in itertools.islice(sound, seconds):
        sys.stdout.buffer.write(piece.tobytes())


if __name__ == "__main__":
    _write_sound(sys.argv[1], int(sys.argv[2]))
