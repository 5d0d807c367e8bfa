"""What different sources say a recording is, and where they contradict each other.

Knows files by their names and MusicBrainz by its address; nothing of tags on disk and nothing of the workflow.
"""

import json
import os
import re
import unicodedata
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

from ._media_files import FIELDS

MUSICBRAINZ = "https://musicbrainz.org"


@dataclass
class Claim:
    """What one source says. Fields it says nothing of are missing."""

    fields: dict[str, str] = field(default_factory=dict)
    trust: float = 0.5
    """Between equals the more trusted source wins; contradictions are for a person whatever the trust."""
    note: str = ""


@dataclass
class Agreed:
    """What all sources together say."""

    fields: dict[str, str]
    conflicts: dict[str, dict[str, str]]
    """Field → source → what it says, where they differ in more than the way of writing."""


_PATTERNS = (
    re.compile(r"(?P<track>\d{1,3})[ ._-]+(?P<artist>.+?) +- +(?P<title>.+)"),
    re.compile(r"(?P<track>\d{1,3})[ ._-]+(?P<title>.+)"),
    re.compile(r"(?P<artist>.+?) +- +(?P<title>.+)"),
    re.compile(r"(?P<title>.+)"),
)
_ALBUM = re.compile(r"(?:(?P<artist>.+?) +- +)?(?P<album>.+?)(?: *[(\[](?P<year>(?:19|20)\d\d)[)\]])?")
_GENERIC = frozenset(["music", "musik", "audio", "downloads", "download", "unsorted", "various", "mp3", "flac", "inbox", "new", "tmp"])


def from_names(path: Path, root: Path) -> Claim:
    """Artist/Album (Year)/01 - Title, or as much of it as the names below the root have."""
    found = next(match.groupdict() for pattern in _PATTERNS if (match := pattern.fullmatch(_spaced(path.stem))))
    folders = [_spaced(part) for part in path.parent.relative_to(root).parts if path.is_relative_to(root)]
    folders = [folder for folder in folders if folder.casefold() not in _GENERIC]
    fields: dict[str, Any] = {}
    if folders:
        album = _ALBUM.fullmatch(folders[-1])
        fields |= {} if album is None else {key: value for key, value in album.groupdict().items() if value}
    if len(folders) > 1:
        fields["artist"] = folders[-2]
    if found.get("track"):
        found["track"] = found["track"].lstrip("0")
    fields |= {key: value for key, value in found.items() if value}
    if re.fullmatch(r"(track|audiotrack|titel|piste)? ?\d*", fields.get("title", "").casefold()):
        fields.pop("title", None)
    return Claim({name: fields[name].strip() for name in FIELDS if fields.get(name, "").strip()}, 0.4)


def _spaced(name: str) -> str:
    return " ".join((name if " " in name else name.replace("_", " ")).split())


def agree(claims: dict[str, Claim]) -> Agreed:
    """Field by field: the most trusted source's way of writing, and every real contradiction."""
    fields: dict[str, str] = {}
    conflicts: dict[str, dict[str, str]] = {}
    for name in FIELDS:
        said = {source: claim.fields[name] for source, claim in claims.items() if claim.fields.get(name)}
        if not said:
            continue
        best = max(said, key=lambda source: claims[source].trust)
        fields[name] = said[best]
        if any(not is_same(said[best], other) for other in said.values()):
            conflicts[name] = said
    return Agreed(fields, conflicts)


def is_same(first: str, second: str) -> bool:
    """Whether two names differ only in the way of writing: accents, case, punctuation, "The", "feat."."""
    return _plain(first) == _plain(second)


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.casefold().replace("ß", "ss"))
    name = "".join(letter for letter in letters if not unicodedata.combining(letter))
    name = re.sub(r"\b(feat|ft|featuring)\b.*", "", name).replace("&", " and ")
    words = re.findall(r"[^\W_]+", name)
    return " ".join(words[1:] if len(words) > 1 and words[0] == "the" else words)


def from_musicbrainz(known: dict[str, str], seconds: float, timeout: float = 20.0) -> Claim:
    """The recording MusicBrainz finds under that title and artist whose length fits, if there is one.

    Raises: OSError when it cannot be asked, ValueError for an answer that is none.
    """
    if not known.get("title") or not known.get("artist"):
        return Claim(note="a title and an artist are needed to ask")
    query = f'recording:"{_quoted(known["title"])}" AND artist:"{_quoted(known["artist"])}"'
    base = os.environ.get("TREADLE_MEDIA_MUSICBRAINZ", MUSICBRAINZ).rstrip("/")
    address = f"{base}/ws/2/recording?{urllib.parse.urlencode({'query': query, 'fmt': 'json', 'limit': 10})}"
    request = urllib.request.Request(address, headers={"User-Agent": "treadle-tui-media/1 (https://pypi.org/project/treadle-tui)"})
    with urllib.request.urlopen(request, timeout=timeout) as response:
        answer = json.loads(response.read(4_000_000))
    if not isinstance(answer, dict) or not isinstance(answer.get("recordings", []), list):
        raise ValueError("MusicBrainz answered in a form nobody expects")
    fitting = [each for each in answer.get("recordings", []) if _fits(each, known["title"], seconds)]
    return _claim_of(fitting[0], known) if fitting else Claim(note="nothing of that title, artist and length was found")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _fits(recording: dict[str, Any], title: str, seconds: float) -> bool:
    length = recording.get("length")
    is_as_long = not length or not seconds or abs(length / 1000 - seconds) < 8
    likeness = SequenceMatcher(None, _plain(str(recording.get("title", ""))), _plain(title)).ratio()
    return is_as_long and likeness > 0.8 and int(recording.get("score", 100)) >= 80


def _claim_of(recording: dict[str, Any], known: dict[str, str]) -> Claim:
    credit = "".join(f"{part.get('name', '')}{part.get('joinphrase', '')}" for part in recording.get("artist-credit", []))
    releases = recording.get("releases", [])
    release = next((each for each in releases if is_same(str(each.get("title", "")), known.get("album", ""))), None)
    fields = {"title": str(recording["title"]), "artist": credit}
    if release is not None:
        fields |= {"album": str(release["title"]), "year": str(release.get("date", ""))[:4]}
    return Claim({name: value for name, value in fields.items() if value}, 0.9, f"recording {recording.get('id', '')}")
