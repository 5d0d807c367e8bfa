"""A music folder in order: what each recording is, found from several sources; contradictions to a person; tags written back.

    pip install "treadle-tui[media]"
    treadle-tui --db work.db add media ~/Music              nothing leaves this machine
    treadle-tui --db work.db add media ~/Music online       MusicBrainz is asked as well

Tags, names of files and folders, duplicates and, if you allow it, MusicBrainz each say what they know. Where they agree nobody is
asked; where they contradict each other, or something is missing, a person decides and may edit. Then the tags are written, with a copy
of every file as it was; the catalogue stands in `media-catalogue/`. docs/media.md has the rest.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from treadle_tui.engine import (
    Completed,
    Failed,
    FanOut,
    InvalidItem,
    NeedsReview,
    Retry,
    RetryBudget,
    ReviewData,
    ReviewPolicy,
    StageContext,
    StageExecutionError,
    StageOutcome,
    Workflow,
)

from ._extras import missing_extra
from ._media_catalogue import Entry, backup_place, note_sound, publish, same_recordings
from ._media_claims import Claim, agree, from_musicbrainz, from_names
from ._media_files import FIELDS, SUFFIXES, Audio, Unreadable, read, write
from ._media_likeness import LEAST_SECONDS, likeness_of

NEEDED = ("artist", "title")
"""Without these a recording cannot be found again, so a person is asked."""


@dataclass
class Recording:
    """A work item: one audio file."""

    id: str
    """Its path below the folder that was added."""
    path: str
    root: str
    online: bool
    catalogue: str
    """The folder for what is made."""


@dataclass
class Identity:
    """What a person is asked to approve, and may edit: these tags are written."""

    artist: str = ""
    album: str = ""
    title: str = ""
    track: str = ""
    year: str = ""


@dataclass
class Merged:
    """What all sources together say."""

    identity: Identity
    conflicts: dict[str, dict[str, str]]
    missing: list[str]
    duplicates: list[str]


@dataclass
class Found:
    """What one source says, and what it has seen besides."""

    claim: Claim
    duplicates: list[str] = field(default_factory=list)


media = Workflow("media", item=Recording)
media.limit("musicbrainz", concurrency=1, rate=1.0)  # what its rules allow


@media.source
def recordings(folder: str, network: str = "offline") -> Iterator[Recording]:
    """Every audio file below a folder; "online" allows MusicBrainz to be asked."""
    root = Path(folder).expanduser().absolute()
    if not root.is_dir():
        raise InvalidItem(f"folder {folder!r} does not exist; give one with {', '.join(SUFFIXES)} files in it")
    if network not in ("offline", "online"):
        raise InvalidItem(f"{network!r} is neither offline nor online")
    catalogue = Path("media-catalogue").absolute()
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith(".") and not path.is_relative_to(catalogue):
            yield Recording(path.relative_to(root).as_posix(), str(path), str(root), network == "online", str(catalogue))


@media.stage(concurrency=8)
def listen(item: Recording) -> StageOutcome:
    """Tags, duration, a digest of the sound and what it is like; noted, so that later files find their duplicates."""
    missing = missing_extra("media", "mutagen")
    if missing:
        return Failed(missing)
    try:
        audio = read(Path(item.path))
    except Unreadable as error:
        return Failed(str(error))
    except OSError as error:
        raise StageExecutionError("listen", f"{item.path}: {error.strerror or error}; mend that, then retry") from error
    likeness = likeness_of(Path(item.path)) if audio.seconds >= LEAST_SECONDS else ""
    note_sound(Path(item.catalogue), item.id, audio.sound, audio.seconds, likeness)
    return Completed(audio, summary=f"{audio.kind}, {audio.seconds:.0f} s, {len(audio.tags)} tags")


@media.stage(concurrency=8)
def identify(item: Recording, listen: Audio) -> FanOut:
    """One subtask for each source, side by side."""
    return FanOut(["embedded tags", "file and folder names", "duplicates", *(["MusicBrainz"] if item.online else [])])


@identify.each(retry=RetryBudget(max_attempts=4, delay=5.0, backoff=2.0, attempt_timeout=60.0))
def ask_source(subtask: str, item: Recording, listen: Audio, ctx: StageContext) -> StageOutcome:
    """Runs once for each source; together they are the output of `identify`."""
    names = from_names(Path(item.path), Path(item.root))
    if subtask == "embedded tags":
        return Completed(Found(Claim(dict(listen.tags), 0.6)), summary=spoken(listen.tags))
    if subtask == "file and folder names":
        return Completed(Found(names), summary=spoken(names.fields))
    if subtask == "duplicates":
        same = same_recordings(Path(item.catalogue), item.id, listen.sound, listen.seconds)
        return Completed(Found(Claim(), same), summary=", ".join(same) or "none")
    try:
        claim = from_musicbrainz(names.fields | listen.tags, listen.seconds)
    except (OSError, ValueError) as error:
        return Retry(f"MusicBrainz could not be asked: {error}")
    return Completed(Found(claim), summary=claim.note or spoken(claim.fields))


def spoken(fields: dict[str, str]) -> str:
    """Fields as one line."""
    return ", ".join(f"{name} {value}" for name, value in fields.items()) or "nothing"


@media.stage
def merge(identify: dict[str, Found]) -> StageOutcome:
    """Field by field what all agree on; contradictions and gaps are kept for a person."""
    agreed = agree({source: found.claim for source, found in identify.items()})
    duplicates = sorted({name for found in identify.values() for name in found.duplicates})
    missing = [name for name in NEEDED if not agreed.fields.get(name)]
    merged = Merged(Identity(**agreed.fields), agreed.conflicts, missing, duplicates)
    return Completed(merged, summary=doubts(merged) or "all agree")


def doubts(merged: Merged) -> str:
    """Why a person is asked; empty when there is no reason."""
    parts = [f"{name}: {' or '.join(dict.fromkeys(said.values()))}" for name, said in merged.conflicts.items()]
    parts += [f"no {name}" for name in merged.missing]
    parts += [f"the same recording as {merged.duplicates[0]}"] if merged.duplicates else []
    return "; ".join(parts)


REASONS = ("a duplicate: keep the other one", "no music", "leave its tags as they are")


@media.stage(review=ReviewPolicy("on_uncertain", reasons=REASONS))
def review(item: Recording, listen: Audio, identify: dict[str, Found], merge: Merged) -> StageOutcome:
    """Lays contradictions before a person; what is clear passes. It does not run again when they have decided."""
    if not doubts(merge):
        return Completed(merge.identity, summary="all agree")
    details = {
        "contradictions": merge.conflicts,
        "missing": merge.missing,
        "the same recording": merge.duplicates,
        "sources": {source: found.claim.fields or found.claim.note for source, found in identify.items()},
        "file": {"path": item.path, "kind": listen.kind, "seconds": listen.seconds, "other tags, kept": listen.others},
    }
    return NeedsReview(merge.identity, ReviewData(doubts(merge), {topic: found for topic, found in details.items() if found}))


@media.stage(concurrency=4, retry=RetryBudget(max_attempts=3, delay=2.0))
def tag(item: Recording, review: Identity) -> StageOutcome:
    """The tags into the file; the file as it was is kept."""
    wanted = {name: " ".join(getattr(review, name).split()) for name in FIELDS}
    wrong = [name for name in ("track", "year") if wanted[name] and not wanted[name].isdecimal()]
    if wrong:
        return Failed(f"{wrong[0]} {wanted[wrong[0]]!r} is no number; reopen the review and edit it")
    backup = backup_place(Path(item.catalogue), item.id)
    try:
        changed = write(Path(item.path), wanted, backup)
    except Unreadable as error:
        return Failed(str(error))
    except OSError as error:
        raise StageExecutionError("tag", f"{error.filename or item.path}: {error.strerror or error}; mend that, then retry") from error
    kept = str(backup) if changed else None
    return Completed({"changed": changed, "backup": kept}, summary=f"wrote {', '.join(changed)}" if changed else "nothing to write")


@media.stage(concurrency=1, retry=RetryBudget(max_attempts=3, delay=1.0))
def catalogue(item: Recording, listen: Audio, review: Identity, merge: Merged, tag: dict[str, object], ctx: StageContext) -> StageOutcome:
    """Into the catalogue, and the files made from it anew."""
    decision = ctx.decisions.get("review")
    by = (decision.by or "a person") if decision else ""
    entry = Entry(item.id, item.path, listen.seconds, by, "; ".join(merge.duplicates), **{name: getattr(review, name) for name in FIELDS})
    count = publish(Path(item.catalogue), entry)
    return Completed({"recordings": count}, summary=f"{count} in the catalogue")
