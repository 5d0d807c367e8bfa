"""The media workflow from end to end: a folder of tagged files goes in, agreed tags and a catalogue come out."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytest.importorskip("mutagen")
pytest.importorskip("miniaudio")

from tests.local_service import answering_json
from tests.workflows.audio_files import SOUNDS, tag, write_audio, write_melody
from treadle_tui.engine import Approve, ApproveWithEdits, Engine, InvalidItem, MemoryStateStore, SqliteStateStore
from workflows._media_catalogue import backup_place
from workflows._media_claims import Claim, agree, from_names, is_same
from workflows._media_files import Unreadable, read, sound_of, write
from workflows._media_likeness import is_alike, likeness_of
from workflows.media import media, recordings

KINDS = ["wav", "flac", "mp3"]


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    opened: Any = MemoryStateStore() if request.param == "memory" else await SqliteStateStore.open(tmp_path / "work.db")
    async with opened:
        yield opened


@pytest.fixture(autouse=True)
def music(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "music").mkdir()
    return tmp_path / "music"


async def run(engine: Engine, network: str = "offline") -> dict[str, str]:
    """Add the folder and run; what waits then, by item."""
    await engine.submit(media, recordings("music", network))
    await engine.run_until_idle()
    return {review.item_id: review.review.summary if review.review else "" for review in await engine.pending_reviews()}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_file_whose_tags_and_names_agree_passes_and_gets_what_was_missing(store: Any, music: Path, kind: str) -> None:
    path = write_audio(music / f"Ana Ito/Weaving (2019)/03 - The Loom.{kind}", artist="ana ito", title="Loom")
    before = sound_of(path)

    async with Engine(store, [media]) as engine:
        waiting = await run(engine)
        item = f"Ana Ito/Weaving (2019)/03 - The Loom.{kind}"
        assert (await engine.status(item)).is_complete()

    assert waiting == {}
    assert read(path).tags == {"artist": "ana ito", "album": "Weaving", "title": "Loom", "track": "3", "year": "2019"}
    assert sound_of(path) == before, "the sound is as it was"
    original = backup_place(music.parent / "media-catalogue", item)
    assert read(original).tags == {"artist": "ana ito", "title": "Loom"}


async def test_contradictions_go_to_a_person_and_what_they_edit_is_written(store: Any, music: Path) -> None:
    path = write_audio(music / "Ben Okafor/Shuttle/01 Red.flac", artist="Ana Ito", title="Red", tracknumber="1/9", date="2020-02-03")

    async with Engine(store, [media]) as engine:
        waiting = await run(engine)
        (item,) = waiting
        edited = {"artist": "Ben Okafor", "album": "Shuttle", "title": "Red", "track": "1", "year": "2021"}
        await engine.resolve_review(item, "review", ApproveWithEdits(edited, by="ana"))
        await engine.run_until_idle()

    assert waiting[item] == "artist: Ana Ito or Ben Okafor"
    assert read(path).tags == edited
    assert (await store.get_status(item, "tag")).summary == "wrote artist, album, year"
    (entry,) = json.loads((music.parent / "media-catalogue" / "catalogue.json").read_text())
    assert (entry["artist"], entry["decided_by"], entry["seconds"]) == ("Ben Okafor", "ana", 2.05)


async def test_the_same_sound_twice_is_noticed_whatever_the_tags(store: Any, music: Path) -> None:
    write_audio(music / "Ana/A/01 - One.mp3", sound=1, artist="Ana", title="One")
    write_audio(music / "Ana/A/02 - Two.mp3", sound=1, artist="Ana", title="Two")
    write_audio(music / "Ana/A/03 - Three.mp3", sound=3, artist="Ana", title="Three")

    async with Engine(store, [media], concurrency=1) as engine:
        waiting = await run(engine)

    assert "Ana/A/03 - Three.mp3" not in waiting
    assert [said for said in waiting.values() if said.startswith("the same recording as Ana/A/0")] == list(waiting.values()) != []


async def test_a_recording_nothing_is_known_of_is_for_a_person(store: Any, music: Path) -> None:
    write_audio(music / "track 07.wav")

    async with Engine(store, [media]) as engine:
        waiting = await run(engine)
        await engine.resolve_review("track 07.wav", "review", ApproveWithEdits({"artist": "Ana", "title": "Seven", "track": "VII"}))
        await engine.run_until_idle()
        status = await store.get_status("track 07.wav", "tag")

    assert waiting == {"track 07.wav": "no artist; no title"}
    assert status.error == "track 'VII' is no number; reopen the review and edit it"


async def test_the_catalogue_is_sorted_and_harmless_to_spreadsheets(store: Any, music: Path) -> None:
    write_audio(music / "Zoe/B/02 - Late.wav", sound=1, artist="Zoe", title="Late")
    write_audio(music / "Zoe/B/01 - Early.wav", sound=2, artist="Zoe", title="Early")
    write_audio(music / "Ana/A/01 - =1+1.wav", sound=3, artist="Ana", title="=1+1")

    async with Engine(store, [media]) as engine:
        assert await run(engine) == {}

    with (music.parent / "media-catalogue" / "catalogue.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["artist"], row["title"]) for row in rows] == [("Ana", "'=1+1"), ("Zoe", "Early"), ("Zoe", "Late")]


@pytest.mark.parametrize("content", [b"", b"\x00" * 4000, b"fLaC\x00\x00"])
async def test_a_file_that_is_no_audio_fails_once_with_one_sentence(content: bytes, music: Path) -> None:
    (music / "broken.flac").write_bytes(content)

    async with MemoryStateStore() as store, Engine(store, [media]) as engine:
        await run(engine)
        status = await store.get_status("broken.flac", "listen")

    assert (status.state, status.attempt) == ("failed", 1)
    assert str(status.error).startswith("broken.flac is no sound .flac file: ")


async def test_without_the_extra_the_stage_says_what_to_install(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_audio(music / "a.wav")
    monkeypatch.setattr("workflows._extras.find_spec", lambda name: None)

    async with MemoryStateStore() as store, Engine(store, [media]) as engine:
        await run(engine)
        error = (await store.get_status("a.wav", "listen")).error

    assert error == 'mutagen is not installed; run: pip install "treadle-tui[media]", then retry'


# ---------------------------------------------------------------- MusicBrainz


@pytest.fixture
def musicbrainz(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A MusicBrainz on this machine that knows one recording; what it was asked."""
    asked: list[str] = []
    recording = {
        "id": "42",
        "score": 100,
        "title": "Red Thread",
        "length": 2000,
        "artist-credit": [{"name": "Ana Ito", "joinphrase": " & "}, {"name": "Ben"}],
        "releases": [{"title": "Other", "date": "2001"}, {"title": "Weaving", "date": "2019-05-01"}],
    }

    def search(request: BaseHTTPRequestHandler) -> Any:
        asked.append(parse_qs(urlsplit(request.path).query)["query"][0])
        return {"recordings": [{**recording, "length": 900_000}, recording]}

    with answering_json(search) as service:
        monkeypatch.setenv("TREADLE_MEDIA_MUSICBRAINZ", service)
        yield asked


async def test_musicbrainz_is_asked_only_when_it_is_allowed(music: Path, musicbrainz: list[str]) -> None:
    write_audio(music / "Ana Ito/Weaving/01 - Red thread.wav", artist="Ana Ito", title='Red "thread"')

    async with MemoryStateStore() as store, Engine(store, [media]) as engine:
        await run(engine)
        assert musicbrainz == []
        await engine.delete_item("Ana Ito/Weaving/01 - Red thread.wav")
        waiting = await run(engine, "online")
        found: Any = (await store.get_status("Ana Ito/Weaving/01 - Red thread.wav", "merge")).output

    assert musicbrainz == ['recording:"Red \\"thread\\"" AND artist:"Ana Ito"']
    assert found["identity"] == {"artist": "Ana Ito & Ben", "album": "Weaving", "title": "Red Thread", "track": "1", "year": "2019"}
    assert waiting["Ana Ito/Weaving/01 - Red thread.wav"] == "artist: Ana Ito or Ana Ito & Ben"


# ---------------------------------------------------------------- the parts


@pytest.fixture(scope="module")
def prints(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of four melodies; the first is the one that is written again and again."""
    folder = tmp_path_factory.mktemp("melodies")
    return [likeness_of(write_melody(folder / f"{seed}.wav", seed=seed)) for seed in (1, 2, 3, 4)]


LIKE = [("b.wav", 44_100, 2, 2), ("c.wav", 8_000, 1, 1), ("d.wav", 48_000, 3, 1), ("e.aiff", 22_050, 2, 2), ("f.aiff", 11_025, 3, 1)]


@pytest.mark.parametrize(("name", "rate", "width", "channels"), LIKE)
def test_another_encoding_of_a_melody_is_like_it_and_another_melody_is_not(
    music: Path, prints: list[str], name: str, rate: int, width: int, channels: int
) -> None:
    again = likeness_of(write_melody(music / name, seed=1, rate=rate, width=width, channels=channels, loudness=0.3))

    assert [is_alike(again, other) for other in prints] == [True, False, False, False]


@pytest.mark.parametrize("name", ["one.mp3", "one.ogg", "one.flac"])
def test_a_compressed_melody_is_like_it_and_not_like_another(prints: list[str], name: str) -> None:
    compressed = likeness_of(SOUNDS / name)

    assert [is_alike(compressed, other) for other in prints] == [True, False, False, False]


def test_a_melody_that_begins_later_is_like_it_and_one_that_begins_much_later_is_not(music: Path) -> None:
    first = likeness_of(write_melody(music / "a.wav", seed=1, seconds=12))

    assert is_alike(first, likeness_of(write_melody(music / "b.wav", seed=1, seconds=12, silence=1.3)))
    assert not is_alike(first, likeness_of(write_melody(music / "c.wav", seed=1, seconds=12, silence=4.0)))


def test_silence_and_what_is_too_short_damaged_or_cut_off_is_like_nothing(music: Path) -> None:
    melody = write_melody(music / "a.wav", seed=1)
    cut = music / "cut.wav"
    cut.write_bytes(melody.read_bytes()[:300])
    files = [write_audio(music / "s.wav", seconds=4), write_audio(music / "s.flac"), write_audio(music / "s.mp3"), cut]

    assert [likeness_of(file) for file in files] == [""] * 4
    assert not is_alike("", "")


def test_a_file_that_fells_its_decoder_is_like_nothing_and_fells_nothing_else() -> None:
    assert likeness_of(SOUNDS / "damaged.ogg") == ""


@pytest.mark.parametrize("missing", ["numpy", "miniaudio"])
def test_without_a_decoder_nothing_is_alike_and_the_rest_goes_on(music: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    module = "_media_likeness" if missing == "numpy" else "_media_decoding"
    monkeypatch.setattr(f"workflows.{module}.find_spec", lambda name: None)

    assert likeness_of(SOUNDS / "one.mp3") == ""
    assert read(Path(shutil.copy(SOUNDS / "one.mp3", music / "one.mp3"))).seconds > 5


async def test_the_same_recording_in_another_format_goes_to_a_person(store: Any, music: Path) -> None:
    write_melody(music / "Ana/A/01 - One.wav", seed=1)
    write_melody(music / "Ana/A/02 - Two.aiff", seed=1, rate=22_050, width=3)
    write_melody(music / "Ana/A/03 - Three.wav", seed=2)
    for name in ("mp3", "ogg"):
        tag(Path(shutil.copy(SOUNDS / f"one.{name}", music / f"Ana/A/04 - Four.{name}")), artist="Ana", title="Four")

    async with Engine(store, [media], concurrency=1) as engine:
        waiting = await run(engine)

    assert "Ana/A/03 - Three.wav" not in waiting
    assert len(waiting) >= 3, "all but perhaps the first"
    assert [said for said in waiting.values() if said.startswith("the same recording as Ana/A/0")] == list(waiting.values()) != []


@pytest.mark.parametrize("kind", KINDS)
def test_writing_keeps_the_first_original_and_tags_nobody_asked_about(kind: str, music: Path) -> None:
    path, backup = write_audio(music / f"a.{kind}", title="Old"), music / f"kept.{kind}"
    original = path.read_bytes()

    assert write(path, {"title": "New", "artist": "Ana"}, backup) == ["artist", "title"]
    assert write(path, {"title": "Newer", "artist": "Ana"}, backup) == ["title"]
    assert write(path, {"title": "Newer", "artist": "Ana"}, backup) == []
    assert write(path, {"title": "Newer"}, backup) == ["artist"], "what is empty is taken away"

    assert backup.read_bytes() == original
    assert read(path).tags == {"title": "Newer"}
    assert sorted(each.name for each in music.iterdir()) == [f"a.{kind}", f"kept.{kind}"]


def test_a_file_that_cannot_be_written_is_left_as_it_was(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_audio(music / "a.mp3", title="Old")
    before = path.read_bytes()
    monkeypatch.setattr("workflows._media_files._set", lambda new, tags: new.write_bytes(b"other sound"))

    with pytest.raises(Unreadable, match="would change its sound; it was left as it is"):
        write(path, {"title": "New"}, music / "kept.mp3")

    assert path.read_bytes() == before
    assert [each.name for each in music.iterdir() if each.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Ana Ito/Weaving (2019)/03 - Loom.mp3", {"artist": "Ana Ito", "album": "Weaving", "year": "2019", "track": "3", "title": "Loom"}),
        ("Ana_Ito_-_Red.mp3", {"artist": "Ana Ito", "title": "Red"}),
        ("12. Ben - Blue.mp3", {"track": "12", "artist": "Ben", "title": "Blue"}),
        ("Music/Ana - Live [1999]/Green.mp3", {"artist": "Ana", "album": "Live", "year": "1999", "title": "Green"}),
        ("Track 01.mp3", {}),
        ("downloads/x.mp3", {"title": "x"}),
    ],
)
def test_names_of_files_and_folders_say_what_they_can(name: str, fields: dict[str, str]) -> None:
    assert from_names(Path("/music") / name, Path("/music")).fields == fields


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("The Loom", "loom", True),
        ("Björk", "Bjork", True),
        ("Red & Blue", "red and blue", True),
        ("Red (feat. Ana)", "Red", True),
        ("Don't stop", "Dont Stop", False),
        ("Red", "Blue", False),
    ],
)
def test_ways_of_writing_are_no_contradiction(first: str, second: str, same: bool) -> None:
    assert is_same(first, second) is same
    assert bool(agree({"a": Claim({"title": first}), "b": Claim({"title": second})}).conflicts) is not same


def test_the_source_refuses_what_it_cannot_read(music: Path) -> None:
    with pytest.raises(InvalidItem, match="'nowhere' does not exist"):
        list(recordings("nowhere"))
    with pytest.raises(InvalidItem, match="'yes' is neither offline nor online"):
        list(recordings("music", "yes"))


async def test_approving_as_it_is_writes_the_proposal(store: Any, music: Path) -> None:
    path = write_audio(music / "Ben/Shuttle/01 Red.wav", artist="Ana", title="Red")

    async with Engine(store, [media]) as engine:
        (item,) = await run(engine)
        await engine.resolve_review(item, "review", Approve(by="ana"))
        await engine.run_until_idle()

    assert read(path).tags == {"artist": "Ana", "album": "Shuttle", "title": "Red", "track": "1"}
