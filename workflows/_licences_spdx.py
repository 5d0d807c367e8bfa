"""What the words, classifiers and texts of a package amount to in SPDX, and how far that binds its users.

Pure: text in, `Licence` out. Whatever is not recognised stays unknown, and is said; nothing here raises, whatever it is given.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from license_expression import LicenseWithExceptionSymbol, get_license_index, get_spdx_licensing  # type: ignore[import-untyped]

from ._licences_environment import Metadata

PERMISSIVE, WEAK, STRONG, UNKNOWN = CATEGORIES = ("permissive", "weak copyleft", "strong copyleft", "proprietary or unknown")
"""From the freest to the most binding."""


@dataclass
class Text:
    """One licence file."""

    ids: list[str]
    """The SPDX identifiers recognised in it."""
    sha256: str
    opening: str
    """How a text begins that was not recognised."""


@dataclass
class Licence:
    """What a package may be used under, and how that is known."""

    expression: str
    """SPDX; empty when nothing is known."""
    category: str
    """One of CATEGORIES; of alternatives the freest, of licences that apply together the most binding."""
    basis: str
    """The statement that decided."""
    statements: dict[str, str]
    """Source to what it says, in its own words where they were not understood."""
    texts: dict[str, Text]
    contradictions: list[str]
    doubts: list[str]


# "BSD" or "GPL" without a version is a family. It is refined by another statement, or stays as LicenseRef-BSD-unspecified.
FAMILIES = {"BSD": PERMISSIVE, "Apache": PERMISSIVE, "ZPL": PERMISSIVE, "AFL": PERMISSIVE, "MPL": WEAK, "EPL": WEAK, "EUPL": WEAK}
FAMILIES |= {"LGPL": WEAK, "Artistic": WEAK, "GPL": STRONG, "AGPL": STRONG}
VAGUE = {f"LicenseRef-{family}-unspecified": (f"{family}-", category) for family, category in FAMILIES.items()}

# Names people use for one and the same licence, when two statements are compared.
ALIKE = {"Python-2.0": "PSF-2.0", "Python-2.0.1": "PSF-2.0", "MIT-CMU": "HPND", "X11": "MIT", "libpng-2.0": "Zlib"}

SPELLINGS = {
    spelling: identifier
    for line in """
    MIT: mit, expat, mit x11, x11 mit, mit expat, expat mit x11, x11
    BSD-3-Clause: 3 clause bsd, bsd 3 clause, bsd 3, bsd3, new bsd, bsd new, modified bsd, revised bsd, bsd 3 clause new or revised
    BSD-2-Clause: 2 clause bsd, bsd 2 clause, bsd 2, bsd2, simplified bsd, bsd simplified, freebsd
    Apache-2.0: apache 2, apache 2 0, apache2, apache2 0, asl 2, asl 2 0, al2, al 2 0, apachev2
    MPL-2.0: mozilla public 2 0, mpl2, mpl 2, mplv2
    MPL-1.1: mozilla public 1 1
    PSF-2.0: psf, psfl, python, python foundation, psf 2, python foundation 2
    CNRI-Python: cnri python
    ISC: isc, iscl
    Zlib: zlib, zlib libpng
    Unlicense: unlicense
    0BSD: zero clause bsd, bsd 0 clause, bsd zero clause
    BSL-1.0: boost, boost 1 0, bsl
    CC0-1.0: cc0, cc0 1 0 universal, creative commons zero
    EPL-2.0: eclipse public 2 0, epl2
    EPL-1.0: eclipse public 1 0
    HPND: hpnd
    NCSA: university of illinois ncsa, university illinois ncsa, ncsa
    PostgreSQL: postgresql
    W3C: w3c
    UPL-1.0: upl, universal permissive
    AAL: attribution assurance
    QPL-1.0: qpl
    OFL-1.1: sil font 1 1, ofl
    WTFPL: wtfpl
    LicenseRef-MPL-unspecified: mpl, mozilla public
    LicenseRef-EPL-unspecified: eclipse public
    LicenseRef-ZPL-unspecified: zope public
    LicenseRef-Public-Domain: public domain
    LicenseRef-Proprietary: proprietary, commercial, other proprietary, all rights reserved, closed source, freeware
    """.strip().splitlines()
    for identifier, _, spellings in [line.strip().partition(": ")]
    for spelling in spellings.split(", ")
}
FILLER = re.compile(r"\b(the|an?|licen[cs]ed?|version|software|gnu|under|terms|of|open source|osi approved|v(?= ?\d))\b")
GNU = re.compile(r"(a|l)?gpl ?v?(?:(\d)(?: (\d))?)?(?: ?(plus|or later|or newer|or above|or greater|and later|or any later)| ?(only))?")
SAYS_NOTHING = re.compile(
    r"(see |refer to |read )?(the )?(included |attached )?(licen[cs]e|copying)( file)?( (md|txt|rst))?( file)?"
    "|dual( licen[cs]ed?)?|osi approved|dfsg approved"
)

# How a licence text is known: an opening, then what tells the members of its family apart; the last one has nothing of the others.
TEXTS: list[tuple[str, list[tuple[str, str]]]] = [
    (
        "permission is hereby granted free of charge to any person obtaining a copy",
        [
            ("shall be used for good not evil", "JSON"),
            ("to deal with the software without restriction", "NCSA"),
            (r"this permission notice( including the next paragraph)? shall be included", "MIT"),
            ("", "MIT-0"),
        ],
    ),
    (
        "redistribution and use in source and binary forms with or without modification are permitted",
        [
            ("all advertising materials mentioning features or use of this software must display", "BSD-4-Clause"),
            ("the end user documentation included with the redistribution", "Apache-1.1"),
            (r"neither the names? |may not be used to endorse|must not be used to endorse", "BSD-3-Clause"),
            ("", "BSD-2-Clause"),
        ],
    ),
    (
        r"permission to use copy modify and( or)? distribute this software for any purpose with or without fee is hereby granted",
        [("^ provided that", "ISC"), ("", "0BSD")],
    ),
    (
        "permission to use copy modify and distribute this software and its documentation for any purpose",
        [("^.{0,20}without fee and without a written agreement", "PostgreSQL"), ("", "HPND")],
    ),
]
PHRASES = {
    "Apache-2.0": r"apache license version 2 0 january 2004|licensed under the apache license version 2 0",
    "PSF-2.0": "python software foundation license version 2",
    "Zlib": "altered source versions must be plainly marked as such and must not be misrepresented as being the original software",
    "BSL-1.0": "permission is hereby granted free of charge to any person or organization obtaining a copy",
    "Unlicense": "this is free and unencumbered software released into the public domain",
    "CC0-1.0": "cc0 1 0 universal",
    "CC-BY-4.0": "creative commons attribution 4 0 international",
    "CC-BY-SA-4.0": "creative commons attribution sharealike 4 0 international",
    "MPL-2.0": r"mozilla public license version 2 0 (1|1 definitions)|terms of the mozilla public license v 2 0",
    "MPL-1.1": "mozilla public license version 1 1",
    "EPL-2.0": "eclipse public license v 2 0",
    "EPL-1.0": "eclipse public license v 1 0",
    "EUPL-1.2": "european union public licence v 1 2",
    "OFL-1.1": "sil open font license version 1 1",
    "ZPL-2.1": "zope public license zpl version 2 1",
    "Artistic-2.0": "the artistic license 2 0",
    "WTFPL": "do what the fuck you want to public license",
    "BlueOak-1.0.0": "blue oak model license version 1 0 0",
    "UPL-1.0": "the universal permissive license upl version 1 0",
    # Looks free, and is not: a condition added to an open text, or a contract.
    "LicenseRef-Restricted": r"commons clause|non commercial|noncommercial use only|academic use only|evaluation purposes"
    r"|end user licen[cs]e agreement\b|proprietary and confidential",
}
GNU_TITLE = re.compile(
    r"gnu (affero |lesser |library )?general public license version (\d)(?: (\d))? (?:\d+ )?(?:june|november|february) \d{4}"
)
GNU_NOTICE = re.compile(
    r"gnu (affero |lesser |library )?general public license (?:version (\d)(?: (\d))? )?as published by the free software foundation"
    r"(?: either version (\d)(?: (\d))? of the license or at your option any later)?"
)


# ---------------------------------------------------------------- expressions


@cache
def spdx() -> Any:
    """The SPDX licences. Parses once before anybody shares it: the first parse builds its tables, which two threads must not do at once."""
    licensing = get_spdx_licensing()
    licensing.parse("MIT")
    return licensing


@cache
def _index() -> dict[str, tuple[str, bool]]:
    """SPDX identifier to its category, and whether it is an exception."""
    names = {"Permissive": PERMISSIVE, "Public Domain": PERMISSIVE, "Copyleft Limited": WEAK, "Copyleft": STRONG}
    return {
        key: (names.get(entry.get("category"), UNKNOWN), bool(entry.get("is_exception")))
        for entry in get_license_index()
        for key in (entry.get("spdx_license_key"), *entry.get("other_spdx_license_keys", ()))
        if key
    }


def parse(text: str) -> Any:
    """The expression as a tree; None for what is none."""
    try:
        return spdx().parse(text) if text and len(text) <= 500 else None
    except Exception:  # ExpressionError, ParseError, and whatever a hostile text brings about
        return None


@lru_cache(maxsize=10_000)
def normal(text: str) -> str:
    """The expression in canonical spelling; empty when it is none, or names what SPDX does not have."""
    tree = parse(text)
    return "" if tree is None or any(key not in _index() and key not in VAGUE for key in spdx().license_keys(tree)) else str(tree.render())


@lru_cache(maxsize=10_000)
def identifiers(expression: str) -> frozenset[str]:
    """The licences an expression names, exceptions left out."""
    tree = parse(expression)
    return frozenset(key for key in (spdx().license_keys(tree) if tree is not None else ()) if not _index().get(key, ("", False))[1])


@lru_cache(maxsize=10_000)
def category_of(expression: str) -> str:
    """One of CATEGORIES."""
    tree = parse(expression)
    return UNKNOWN if tree is None else CATEGORIES[_rank(tree)]


def _rank(tree: Any) -> int:
    if isinstance(tree, spdx().OR):
        return min(_rank(branch) for branch in tree.args)
    if isinstance(tree, spdx().AND):
        return max(_rank(branch) for branch in tree.args)
    if isinstance(tree, LicenseWithExceptionSymbol):
        granted, is_exception = _index().get(tree.exception_symbol.key, (UNKNOWN, False))
        return min(_rank(tree.license_symbol), CATEGORIES.index(granted)) if is_exception else CATEGORIES.index(UNKNOWN)
    return CATEGORIES.index(VAGUE[tree.key][1] if tree.key in VAGUE else _index().get(tree.key, (UNKNOWN, False))[0])


# ---------------------------------------------------------------- words, classifiers, texts


def words(text: str) -> str:
    """Lower case words with one blank between them: line breaks, quotes, bullets and comment signs do not count."""
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


def spelled(text: str) -> str:
    """What a person wrote about the licence, as an expression; a whole licence text too. Empty when not understood."""
    text = text.strip()
    if len(text) > 200 or text.count("\n") > 2:
        return together(recognise(text))
    found = spelled_one(text)
    if found:
        return found
    named = re.fullmatch(r"([^()]+)\(([^()]+)\)", text)  # "MIT License (MIT)", "BSD (see LICENSE)"
    if named and spelled_one(named[1]) and (SAYS_NOTHING.fullmatch(words(named[2])) or spelled_one(named[1]) == spelled_one(named[2])):
        return spelled_one(named[1])
    for joint, separator in ((" AND ", r"\s+and\s+|[,;&\n]"), (" OR ", r"\s+or\s+(?!later|newer|above|any)|\s*[/|]\s*")):
        parts = [part for part in re.split(separator, text, flags=re.I) if part.strip()]
        if len(parts) > 1:
            understood = [spelled(part) for part in parts]
            return normal(joint.join(f"({part})" for part in understood)) if all(understood) else ""
    return ""


@lru_cache(maxsize=10_000)
def spelled_one(text: str) -> str:
    """One licence, as SPDX or people spell it."""
    if re.fullmatch(r"LicenseRef-[\w.-]+", text.strip()):
        return text.strip()
    text = re.sub(r"[>≥]=?\s*v?([\d.]+)", r"\1 or later", text.replace("+", " plus "))
    key = words(text)
    for long, short in (("affero general public", "agpl"), ("library or lesser general public", "lgpl"), ("general public", "gpl")):
        key = key.replace(long, short)
    key = " ".join(FILLER.sub(" ", re.sub("(lesser|library) gpl", "lgpl", key)).split())
    gnu = GNU.fullmatch(key)
    if gnu:
        kind, major, minor, later = (gnu[1] or "").upper(), gnu[2], gnu[3] or "0", bool(gnu[4])
        return normal(f"{kind}GPL-{major}.{minor}-{'or-later' if later else 'only'}") if major else f"LicenseRef-{kind}GPL-unspecified"
    families = {family.lower(): f"LicenseRef-{family}-unspecified" for family in FAMILIES}
    shortened = " ".join(FILLER.sub(" ", re.sub(r"[,()\"']", " ", text.lower())).split())
    return normal(text) or SPELLINGS.get(key) or families.get(key) or normal(re.sub(r" v?(?=\d)", "-", shortened))


def classified(classifier: str) -> str:
    """A `License ::` classifier: by the short name in its brackets, or else by its words. Empty when not understood."""
    name = classifier.rpartition("::")[2].strip()
    short = re.search(r"\(([^()]+)\)", name)
    return (spelled_one(short[1]) if short else "") or spelled_one(re.sub(r"\([^()]*\)", " ", name))


def recognise(text: str) -> list[str]:
    """The licences whose characteristic phrases a text holds."""
    found = {
        key for tag in re.findall(r"SPDX-License-Identifier:[ \t]*([^\r\n*#/]+)", text, re.I) for key in identifiers(normal(tag.strip()))
    }
    plain = words(text)
    for opening, members in TEXTS:
        for section in re.split(opening.replace("( or)", "(?: or)"), plain)[1:]:
            found.add(next(identifier for mark, identifier in members if re.search(mark, section)))
    found |= {identifier for identifier, phrase in PHRASES.items() if re.search(phrase, plain)}
    gnu = {_gnu(*title) for title in GNU_TITLE.findall(plain)}
    for kind, major, minor, later, later_minor in GNU_NOTICE.findall(plain) if not gnu else ():
        gnu.add(_gnu(kind, later or major, later_minor or minor, bool(later)))
    return sorted(found | gnu - {""})


def _gnu(kind: str, major: str, minor: str, later: bool = False) -> str:
    name = {"a": "AGPL", "l": "LGPL"}.get(kind[:1], "GPL")
    return normal(f"{name}-{major}.{minor or '0'}-{'or-later' if later else 'only'}") if major else ""


# ---------------------------------------------------------------- the whole package


def classify(metadata: Metadata, texts: dict[str, str]) -> Licence:
    """Everything a package says about its licence, weighed: License-Expression, then License, then classifiers, then the files."""
    known = {name: Text(recognise(text), sha256(text), "") for name, text in texts.items()}
    for name, text in known.items():
        if not text.ids and is_licence_text(name):
            text.opening = texts[name].strip()[:1500]
    said, statements, doubts = _declared(metadata)
    own = {key for name, text in known.items() if is_licence_text(name) for key in text.ids}
    every = {key for text in known.values() for key in text.ids}
    if every:
        said["licence files"] = together(own or every)
    basis, expression = next(iter(said.items()), ("nothing", ""))
    others = [*list(said.items())[1:], ("licence files and notices", together(every))]
    against = {source: other for source, other in others if contradicts(expression, other)}
    if "licence files" in against:
        against.pop("licence files and notices", None)  # the same again, and more
    expression = refined(expression, {key for other in said.values() for key in identifiers(other)})
    doubts += [f"{VAGUE[key][0][:-1]}: which one is said nowhere" for key in sorted(identifiers(expression) & set(VAGUE))]
    unread = [name for name, text in known.items() if text.opening]
    if unread and not own:
        doubts.append(f"the text in {', '.join(unread)} is not one that is known")
    contradictions = [f"{source} ({other}) against {basis} ({expression})" for source, other in against.items()]
    return Licence(expression, category_of(expression), basis, statements, known, contradictions, doubts)


def _declared(metadata: Metadata) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Source to expression for what was understood, source to words for everything, and what was not understood."""
    said: dict[str, str] = {}
    statements: dict[str, str] = {}
    doubts: list[str] = []
    readings = [spelled(metadata.licence)] if metadata.licence else []
    classifiers = [text for text in metadata.classifiers if not SAYS_NOTHING.fullmatch(words(text.rpartition("::")[2]))]
    for source, words_of, reading in (
        ("License-Expression", metadata.expression, normal(metadata.expression) or metadata.expression),
        ("License", "" if SAYS_NOTHING.fullmatch(words(metadata.licence)) else metadata.licence, "".join(readings)),
        ("classifiers", "; ".join(classifiers), together(map(classified, classifiers)) if all(map(classified, classifiers)) else ""),
    ):
        if words_of:
            short = words_of if len(words_of) <= 120 else f"{words_of[:119]}…"
            statements[source] = short if reading in ("", short) else f"{reading} ({' '.join(short.split())})"
            if reading:
                said[source] = reading
            else:
                doubts.append(f"{source} not understood: {' '.join(short.split())}")
    return said, statements, doubts


def together(keys: Iterable[str]) -> str:
    """Licences that all apply, as one expression."""
    parts = sorted(set(keys) - {""})
    return " AND ".join(f"({part})" if " " in part and len(parts) > 1 else part for part in parts)


def is_licence_text(name: str) -> bool:
    """Whether a file is the package's own licence, not a notice, a list of authors, or the licence of a part it bundles."""
    inner = re.sub(r"^[^/]*\.(dist|egg)-info/(licen[cs]es?/)*", "", name, flags=re.I)
    is_nested = inner != name and "/" in inner
    return not is_nested and not re.search("notice|authors|patents|credits|third.?party|vendor|bundled", inner, re.I)


def alike(one: str, other: str) -> bool:
    """Whether two identifiers can mean the same licence: `-only` and `-or-later` share their text, a family has members."""
    a, b = (re.sub(r"(-only|-or-later|\+)$", "", ALIKE.get(key, key)) for key in (one, other))
    return (
        a == b
        or (a.endswith("-Proprietary") and b.endswith("-Proprietary"))
        or any(key in VAGUE and member.startswith(VAGUE[key][0]) for key, member in ((a, b), (b, a)))
    )


def contradicts(declared: str, other: str) -> bool:
    """Whether two statements have nothing in common, or the second adds a licence that binds more than permissive ones do."""
    named, found = identifiers(declared), identifiers(other)
    matched = {key for key in found if any(alike(name, key) for name in named)}
    return bool(named and found) and (not matched or any(category_of(key) != PERMISSIVE for key in found - matched))


def refined(expression: str, keys: Iterable[str]) -> str:
    """The expression with each family replaced by the members that other statements name."""
    for vague in sorted(identifiers(expression) & set(VAGUE)):
        members = together(key for key in keys if key not in VAGUE and alike(vague, key))
        if members:
            expression = expression.replace(vague, f"({members})" if " " in members and " " in expression else members)
    return expression


def sha256(text: str) -> str:
    """The digest by which a text is known again."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
