"""Audio files: their tags read and written, their sound told apart from their tags.

Knows nothing of the workflow. mutagen is imported by the functions that need it.
"""

import hashlib
import os
import shutil
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

SUFFIXES = (".mp3", ".flac", ".ogg", ".oga", ".opus", ".m4a", ".wav", ".aiff", ".aif")
FIELDS = ("artist", "album", "title", "track", "year")
"""What is known, asked and written of a recording."""
_KEYS = {"track": "tracknumber", "year": "date"}
"""What mutagen's easy interface calls them, where it is another word."""
_ID3 = {"artist": "TPE1", "album": "TALB", "title": "TIT2", "track": "TRCK", "year": "TDRC"}


class Unreadable(Exception):
    """No audio file, or a damaged one: trying again does not help."""


@dataclass
class Audio:
    """What a file says of itself."""

    tags: dict[str, str]
    """Only those that are there; the track and the year as plain numbers."""
    seconds: float
    kind: str
    sound: str
    """The same for two files whose sound is the same to the bit, whatever their tags and names."""
    size: int
    others: list[str] = field(default_factory=list)
    """Names of further tags, which stay as they are."""


def read(path: Path) -> Audio:
    """Tags, duration and sound of a file.

    Raises: `Unreadable`, or OSError.
    """
    opened = _opened(path)
    tags = {name: _cleaned(name, value) for name in FIELDS if (value := _tag(opened, name))}
    kind = type(opened).__name__.removeprefix("Easy")
    others = sorted(str(key)[:40] for key in (opened.tags or {}) if str(key) not in (*FIELDS, *_KEYS.values(), *_ID3.values()))
    return Audio(
        {name: value for name, value in tags.items() if value},
        round(float(getattr(opened.info, "length", 0.0) or 0.0), 2),
        kind,
        sound_of(path),
        path.stat().st_size,
        others,
    )


def _opened(path: Path) -> Any:
    from mutagen import File, MutagenError

    try:
        opened = File(path, easy=True)
    except MutagenError as error:
        if isinstance(error.__cause__ or error.__context__, OSError) or not path.exists():
            raise OSError(2, "cannot be read", str(path)) from error
        raise Unreadable(f"{path.name} is no sound {path.suffix} file: {error}") from error
    if opened is None:
        raise Unreadable(f"{path.name} is no audio file of a known kind")
    return opened


def _tag(opened: Any, name: str) -> str:
    """The first value of a tag; WAV and AIFF have no easy interface, their ID3 frames are asked."""
    tags = opened.tags
    if tags is None:
        return ""
    if _is_id3(opened):
        frame = tags.get(_ID3[name])
        return str(frame.text[0]) if frame is not None and frame.text else ""
    values = tags.get(_KEYS.get(name, name)) or [""]
    return str(values[0])


def _is_id3(opened: Any) -> bool:
    return type(opened).__name__ in ("WAVE", "AIFF")


def _cleaned(name: str, value: str) -> str:
    """ "03/12" is track 3, "2019-05-01" is the year 2019."""
    value = " ".join(value.replace("\x00", " ").split())
    if name == "track":
        value = value.partition("/")[0].lstrip("0")
    if name == "year":
        value = value[:4]
    return value if name not in ("track", "year") or value.isdecimal() else ""


def sound_of(path: Path) -> str:
    """A digest of what is heard, without the tags. Read piece by piece: a recording may be larger than memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        for start, end in _sound_ranges(file, size):
            file.seek(start)
            while start < end and (piece := file.read(min(_PIECE, end - start))):
                digest.update(piece)
                start += len(piece)
    return digest.hexdigest()[:16]


_PIECE = 1 << 20


def _sound_ranges(file: IO[bytes], size: int) -> list[tuple[int, int]]:
    """From where to where the sound lies; from the beginning to the end where it cannot be told from the tags."""
    begins = _bytes_at(file, 0, 10)
    if begins[:4] == b"fLaC":
        return _flac_ranges(file, size)
    if begins[:4] == b"RIFF":
        return _chunk_range(file, size, b"data", "little")
    if begins[:4] == b"FORM":
        return _chunk_range(file, size, b"SSND", "big")
    start = 0
    if begins[:3] == b"ID3" and len(begins) == 10:
        start = 10 + sum((byte & 0x7F) << shift for byte, shift in zip(begins[6:10], (21, 14, 7, 0), strict=True))
    has_old_tag = size >= 128 and _bytes_at(file, size - 128, 3) == b"TAG"
    return [(start, size - 128 if has_old_tag else size)]


def _bytes_at(file: IO[bytes], place: int, count: int) -> bytes:
    file.seek(place)
    return file.read(count)


def _flac_ranges(file: IO[bytes], size: int) -> list[tuple[int, int]]:
    """The first block, which says how long and how loud it is; and the frames behind the last block."""
    place, is_last = 4, False
    while not is_last and place + 4 <= size:
        head = _bytes_at(file, place, 4)
        is_last = bool(head[0] & 0x80)
        place += 4 + int.from_bytes(head[1:], "big")
    return [(8, 42), (place, size)]


def _chunk_range(file: IO[bytes], size: int, name: bytes, order: Literal["little", "big"]) -> list[tuple[int, int]]:
    place = 12
    while place + 8 <= size:
        head = _bytes_at(file, place, 8)
        length = int.from_bytes(head[4:], order)
        if head[:4] == name:
            return [(place + 8, min(size, place + 8 + length))]
        place += 8 + length + length % 2
    return [(0, size)]


def write(path: Path, tags: dict[str, str], backup: Path) -> list[str]:
    """Bring the tags of a file to these; the fields that were changed. What is not named here stays as it is.

    The file as it was is kept at `backup`, once: a second writing does not replace the original. The new one takes the place of the old
    one in one step, so that there is a whole file at every moment.

    Raises: `Unreadable`, or OSError.
    """
    before = read(path)
    changed = [name for name in FIELDS if tags.get(name, "") != before.tags.get(name, "")]
    if not changed:
        return []
    if not backup.exists():
        _copy(path, backup)
    new = path.with_name(f".{path.stem}.{os.getpid()}-{threading.get_ident()}{path.suffix}")
    try:
        shutil.copy2(path, new)
        _set(new, {name: tags.get(name, "") for name in changed})
        if sound_of(new) != before.sound:
            raise Unreadable(f"{path.name}: writing its tags would change its sound; it was left as it is")
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
    return changed


def _copy(path: Path, backup: Path) -> None:
    backup.parent.mkdir(parents=True, exist_ok=True)
    part = backup.with_name(f".{backup.name}.{os.getpid()}-{threading.get_ident()}.part")
    shutil.copy2(path, part)
    os.replace(part, backup)


def _set(path: Path, tags: dict[str, str]) -> None:
    opened = _opened(path)
    if opened.tags is None:
        opened.add_tags()
    for name, value in tags.items():
        if _is_id3(opened):
            _set_frame(opened.tags, _ID3[name], value)
        elif value:
            opened[_KEYS.get(name, name)] = [value]
        elif _KEYS.get(name, name) in opened:
            del opened[_KEYS.get(name, name)]
    opened.save()


def _set_frame(tags: Any, name: str, value: str) -> None:
    from mutagen import id3

    tags.delall(name)
    if value:
        tags.add(getattr(id3, name)(encoding=3, text=[value]))
