"""Licence sign-off: every package installed in a Python environment, judged by what it says of itself, or else by a person.

    treadle-tui --db work.db add licences                the interpreter that runs this
    treadle-tui --db work.db add licences .venv          a virtual environment, a site-packages directory, or a python executable
    treadle-tui --db work.db add licences new old        what is in the one and not, or not in this version, in the other

Permissive and consistent packages pass by themselves; copyleft, unknown and contradictory ones wait for a decision, unless somebody has
approved another version about which everything was the same. What is decided stands in `licence-review/` of the directory where the
packages were added: `NOTICE.md` to read, `bom.cdx.json` (CycloneDX) and `bom.spdx.json` (SPDX) for machines. Nothing is executed and no
network is used. docs/licences.md says what the verdicts mean.

The workflow is here, top to bottom in the order in which it runs; what it calls is in the files beside it: reading an environment, SPDX,
the documents, and what was decided before. A stage takes its parameters by name: `item`, `ctx`, or the name of another stage, which makes
it wait for that stage and hands over its output, converted to the annotated type.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from pathlib import Path

from packaging.utils import canonicalize_name

from treadle_tui.engine import (
    Completed,
    Criterion,
    Failed,
    FanOut,
    NeedsReview,
    RetryBudget,
    ReviewData,
    ReviewField,
    ReviewPolicy,
    Skipped,
    StageContext,
    StageExecutionError,
    StageOutcome,
    Workflow,
)

from ._licences_documents import SOURCE_LABEL, publish, write_entry
from ._licences_earlier import Waiver, compared, is_unchanged, waiver_for
from ._licences_environment import (
    Distribution,
    Metadata,
    environment_index,
    find_environment,
    installed_distributions,
    needed,
    read_metadata,
    read_texts,
)
from ._licences_spdx import PERMISSIVE, STRONG, UNKNOWN, Licence, category_of, classify, is_licence_text, sha256


@dataclass
class Check:
    """One thing looked at."""

    passed: bool | None
    """None: it cannot be told."""
    found: str

    def __str__(self) -> str:
        return f"{ {True: '✓ passed', False: '✗ failed', None: '? unclear'}[self.passed] }: {self.found}"


@dataclass
class Verdict:
    """Accepted when there is no reason to ask a person."""

    accepted: bool
    reasons: list[str]
    criteria: list[Criterion]
    waiver: Waiver | None = None
    """The decision on another version that makes asking again unnecessary."""


@dataclass
class Conclusion:
    """What a person is asked to approve, and may edit."""

    licence: str
    reasons: list[str]


licences = Workflow("licences", item=Distribution)


@licences.source
def installed(environment: str = "", baseline: str = "") -> Iterator[Distribution]:
    """What is installed there; with another environment, what that one does not have in the very same version.

    The documents go to the directory the packages are added from.
    """
    _, search_path = find_environment(baseline) if baseline else ("", [])
    for item in installed_distributions(environment, output=str(Path("licence-review").absolute())):
        if not search_path or not is_unchanged(item, search_path):
            item.baseline = search_path
            yield item


@licences.stage(concurrency=8)
def metadata(item: Distribution, ctx: StageContext) -> StageOutcome:
    """Notes the package as not approved, so that the documents do not forget it whatever becomes of it, and reads it."""
    with plain_errors("metadata", item):
        write_entry(item, why=["not decided yet"])
        known = read_metadata(Path(item.path))
        known.required_by = environment_index(item.search_path)[1].get(canonicalize_name(item.name), [])
    if known.problem:
        ctx.log(known.problem)
    return Completed(known, summary=known.problem or known.summary)


@licences.stage(concurrency=8)
def licence(item: Distribution, metadata: Metadata) -> StageOutcome:
    """From License-Expression, License, classifiers and licence files to one SPDX expression and its category."""
    with plain_errors("licence", item):
        result = classify(metadata, read_texts(Path(item.path), metadata))
    return Completed(result, summary=result.expression or "unknown")


@licences.stage
def checks(item: Distribution, metadata: Metadata, licence: Licence) -> StageOutcome:
    """One subtask for each check, side by side; the other environment is one where there is another."""
    return FanOut([*CHECKS, *(COMPARISON if item.baseline else [])])


@checks.each
def check(subtask: str, item: Distribution, metadata: Metadata, licence: Licence) -> StageOutcome:
    """Runs once for each name given to FanOut; the results together are the output of `checks`."""
    with plain_errors("checks", item):
        result = (CHECKS | COMPARISON)[subtask](item, metadata, licence)
    return Completed(result, summary=str(result))


@licences.stage
def judge(item: Distribution, metadata: Metadata, licence: Licence, checks: dict[str, Check]) -> StageOutcome:
    """Permissive and consistent is accepted; copyleft, unknown or contradictory is for a person. The other checks only inform.

    What a person has approved in another version, with the same licence, texts and reasons, is accepted as it was then.
    """
    bound = [] if licence.category == PERMISSIVE else [f"{licence.expression or 'no licence found'}: {licence.category}"]
    unclear = [*licence.contradictions, *licence.doubts, *([metadata.problem] if metadata.problem else [])]
    criteria = [
        Criterion("licence", PERMISSIVE, licence.category, not bound),
        Criterion("statements", "consistent and understood", "; ".join(unclear) or "they are", not unclear),
        *(Criterion(name, "to be looked at", str(result), result.passed is not False) for name, result in checks.items()),
    ]
    reasons = bound + unclear
    with plain_errors("judge", item):
        waiver = waiver_for(item, licence, reasons) if reasons else None
    if waiver is not None:
        return Completed(Verdict(True, reasons, criteria, waiver), summary=f"as {waiver.by} has approved {waiver.id}")
    return Completed(Verdict(not reasons, reasons, criteria), summary=f"uncertain: {reasons[0]}" if reasons else "accepted")


REASONS = ("copyleft is not acceptable here", "the licence is not clear", "the licence text is missing", "remove or replace the package")
FIELDS = [ReviewField("concluded", label="Licence, if not the one shown (SPDX)"), ReviewField("obligation", label="What we must do")]


@licences.stage(review=ReviewPolicy("on_uncertain", reasons=REASONS))
def review(
    item: Distribution, metadata: Metadata, licence: Licence, checks: dict[str, Check], judge: Verdict
) -> Conclusion | NeedsReview | Skipped:
    """Lays everything a decision needs before a person, or skips itself. It does not run again when they have decided."""
    if judge.accepted:
        return Skipped(f"approved as {judge.waiver.id} was" if judge.waiver else "permissive and consistent")
    with plain_errors("review", item):
        about = {"summary": metadata.summary, "urls": metadata.urls, "requires": needed(metadata)[0]}
        publish(item, expression=licence.expression, declared=licence.expression, category=licence.category, why=judge.reasons, **about)
    details = {
        "why you are asked": judge.reasons,
        "declared": licence.statements or "nothing",
        "licence files": {name: ", ".join(text.ids) or "not recognised" for name, text in licence.texts.items()} or "none",
        "text not recognised": {name: text.opening for name, text in licence.texts.items() if text.opening},
        "checks": {name: str(result) for name, result in checks.items()},
        "package": {"about": metadata.summary, "links": metadata.urls, "required by": metadata.required_by, "installed": item.path},
    }
    first, more = metadata.required_by[:3], len(metadata.required_by) - 3
    users = f"; dependency of {', '.join(first)}{f' and {more} more' if more > 0 else ''}" if first else ""
    data = ReviewData(judge.reasons[0] + users, {topic: found for topic, found in details.items() if found}, FIELDS)
    return NeedsReview(Conclusion(licence.expression, judge.reasons), data, summary=judge.reasons[0])


@licences.stage(retry=RetryBudget(max_attempts=3, delay=2.0, retry_on=StageExecutionError))
def export(
    item: Distribution, metadata: Metadata, licence: Licence, judge: Verdict, review: Conclusion | None, ctx: StageContext
) -> StageOutcome:
    """Lists the package as approved: by whom, when and why. After a rejection it never runs, and the package stays as not approved."""
    concluded, approval = licence.expression, {"by": "", "note": "permissive and consistent"}
    if judge.waiver is not None:
        waiver = judge.waiver
        concluded, approval = waiver.licence, {"by": waiver.by, "at": waiver.at, "obligation": waiver.obligation}
        approval["note"] = waiver.note if waiver.note.startswith("as for ") else f"as for {waiver.id}: {waiver.note}".rstrip(": ")
    if review is not None:  # None: it was skipped
        decision, answers = ctx.decisions["review"], ctx.values.get("review", {})
        concluded = answers.get("concluded") or review.licence
        approval = {"by": decision.by or "a person", "at": f"{decision.at:%Y-%m-%d %H:%M} UTC" if decision.at else ""}
        approval |= {"note": decision.note or "", "obligation": answers.get("obligation") or ""}
    with plain_errors("export", item):
        texts = read_texts(Path(item.path), metadata)
        changed = [name for name, text in licence.texts.items() if sha256(texts.get(name, "")) != text.sha256]
        if changed:
            return Failed(f"{changed[0]} has changed since {item.id} was reviewed; run `metadata` and what follows it again")
        about = {"summary": metadata.summary, "urls": metadata.urls, "requires": needed(metadata)[0], "texts": texts}
        reasons = review.reasons if review else judge.reasons
        publish(
            item,
            approved=True,
            expression=concluded,
            declared=licence.expression,
            category=category_of(concluded),
            why=reasons,
            **approval,
            **about,
        )
    return Completed({"folder": item.output, "licence": concluded}, summary=f"approved by {approval['by'] or 'rule'}")


@contextmanager
def plain_errors(stage: str, item: Distribution) -> Iterator[None]:
    """What the file system refuses, as one sentence: it becomes the error of the stage, which can be retried when that is mended."""
    try:
        yield
    except OSError as error:
        refused = f"{error.filename or item.path} cannot be used: {error.strerror or error}"
        raise StageExecutionError(stage, f"{item.id}: {refused}; mend that, then retry") from error


# ---------------------------------------------------------------- the checks, in the order in which they are shown


def licence_file_present(item: Distribution, metadata: Metadata, licence: Licence) -> Check:
    """Most licences ask that their text goes along."""
    texts = [name for name in licence.texts if is_licence_text(name)]
    return Check(bool(texts), ", ".join(name.rpartition("/")[2] for name in texts) or "none is installed with the package")


def metadata_and_file_agree(item: Distribution, metadata: Metadata, licence: Licence) -> Check:
    """Whether what is declared is what the texts say."""
    recognised = sorted({key for text in licence.texts.values() for key in text.ids})
    if licence.contradictions:
        return Check(False, "; ".join(licence.contradictions))
    if not recognised or not licence.statements:
        return Check(
            None, "no licence text was recognised" if not recognised else f"nothing is declared; the files say {', '.join(recognised)}"
        )
    return Check(True, f"the files say {', '.join(recognised)}, which agrees")


def dependencies_licences(item: Distribution, metadata: Metadata, licence: Licence) -> Check:
    """What comes along with it; each dependency of the environment is an item of its own, and decided there."""
    names, unreadable = needed(metadata)
    places, _ = environment_index(item.search_path)
    known = {name: licence_at(str(places[name]), places[name].stat().st_mtime_ns) for name in names if name in places}
    parts = [f"{name} {known[name][0] or 'unknown'}" if name in known else f"{name} is not installed" for name in names]
    parts += [f"cannot read {line!r}" for line in unreadable]
    if any(category in (STRONG, UNKNOWN) for _, category in known.values()):
        return Check(False, ", ".join(parts))
    return Check(None if len(known) < len(names) or unreadable else True, ", ".join(parts) or "it has none")


@lru_cache(maxsize=5_000)
def licence_at(path: str, _changed: int) -> tuple[str, str]:
    """Expression and category of a package, worked out once for all that require it."""
    metadata = read_metadata(Path(path))
    licence = classify(metadata, read_texts(Path(path), metadata))
    return licence.expression, licence.category


def last_release_age(item: Distribution, metadata: Metadata, licence: Licence) -> Check:
    """Installed files carry no release date, so it is known only where the version is one."""
    numbers = re.match(r"(20\d\d)[.-]?(\d\d?)(?:[.-]?(\d\d?))?(?!\d)|.*\.(20\d\d)(\d\d)(\d\d)$", item.version)
    try:
        year, month, day = (
            (int(number or 1) for number in (numbers.groups()[:3] if numbers[1] else numbers.groups()[3:])) if numbers else (0, 0, 0)
        )
        released = date(year, month, day)
    except ValueError:
        return Check(None, "unknown: not in the metadata" + (f"; installed {metadata.installed}" if metadata.installed else ""))
    age = (datetime.now(UTC).date() - released).days / 365.25
    return Check(age < 3, f"by its version {released:%Y-%m}, {age:.1f} years ago")


def source_available(item: Distribution, metadata: Metadata, licence: Licence) -> Check:
    """Whether somebody could read, or pass on, the source."""
    labelled = [url for label, url in metadata.urls.items() if SOURCE_LABEL.search(label)]
    hosted = [url for url in metadata.urls.values() if re.search(r"//(www\.)?(github|gitlab|codeberg|bitbucket|sr\.ht|git)\b", url, re.I)]
    if labelled or hosted:
        return Check(True, [*labelled, *hosted][0])
    if metadata.python_files and not metadata.binary_files:
        return Check(True, f"{metadata.python_files} Python files are installed, nothing is compiled")
    if metadata.binary_files:
        return Check(False, f"{metadata.binary_files} compiled files, and no link to their source")
    return Check(None, next(iter(metadata.urls.values()), "no link, and no list of files"))


def the_other_environment(item: Distribution, metadata: Metadata, licence: Licence) -> Check:
    """What stands there in its place, and under which licence."""
    is_same, found = compared(item, licence)
    return Check(is_same, found)


COMPARISON = {"the other environment": the_other_environment}
"""Only where there is one to compare with."""

CHECKS: dict[str, Callable[[Distribution, Metadata, Licence], Check]] = {
    "licence file present": licence_file_present,
    "metadata and file agree": metadata_and_file_agree,
    "dependencies' licences": dependencies_licences,
    "last release age": last_release_age,
    "source available": source_available,
}
