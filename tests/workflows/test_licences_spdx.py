"""What words, classifiers and texts amount to in SPDX."""

from __future__ import annotations

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workflows.environment_folder import AGPL_3, APACHE, BSD_2, BSD_3, GPL_3, ISC, LGPL_21, MIT
from workflows._licences_environment import Metadata
from workflows._licences_spdx import (
    CATEGORIES,
    PERMISSIVE,
    STRONG,
    UNKNOWN,
    WEAK,
    alike,
    category_of,
    classified,
    classify,
    normal,
    recognise,
    spelled,
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("MIT", "MIT"),
        ("The MIT License", "MIT"),
        ("MIT License (MIT)", "MIT"),
        ("BSD-3-Clause (see LICENSE)", "BSD-3-Clause"),
        ("GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later"),
        ("Expat (MIT/X11)", "MIT"),
        ("mit", "MIT"),
        ("BSD", "LicenseRef-BSD-unspecified"),
        ("BSD 3-Clause License", "BSD-3-Clause"),
        ("3-Clause BSD", "BSD-3-Clause"),
        ("new BSD", "BSD-3-Clause"),
        ("BSD-2-Clause", "BSD-2-Clause"),
        ("Simplified BSD License", "BSD-2-Clause"),
        ("Apache", "LicenseRef-Apache-unspecified"),
        ("Apache 2.0", "Apache-2.0"),
        ("Apache License, Version 2.0", "Apache-2.0"),
        ("Apache Software License 2.0", "Apache-2.0"),
        ("ASL 2.0", "Apache-2.0"),
        ("MPL 2.0", "MPL-2.0"),
        ("Mozilla Public License 2.0", "MPL-2.0"),
        ("PSFL", "PSF-2.0"),
        ("Python Software Foundation License", "PSF-2.0"),
        ("ISC License (ISCL)", "ISC"),
        ("ZPL 2.1", "ZPL-2.1"),
        ("GPL", "LicenseRef-GPL-unspecified"),
        ("GPLv3", "GPL-3.0-only"),
        ("GPL v3+", "GPL-3.0-or-later"),
        ("GPL-2.0", "GPL-2.0-only"),
        ("GNU GPL v2 or later", "GPL-2.0-or-later"),
        ("GPL (>= 2)", "GPL-2.0-or-later"),
        ("GNU General Public License v3", "GPL-3.0-only"),
        ("LGPLv2.1+", "LGPL-2.1-or-later"),
        ("LGPL v3", "LGPL-3.0-only"),
        ("GNU Lesser General Public License v3 or later", "LGPL-3.0-or-later"),
        ("GNU Library or Lesser General Public License", "LicenseRef-LGPL-unspecified"),
        ("AGPLv3", "AGPL-3.0-only"),
        ("GNU Affero General Public License v3 or later", "AGPL-3.0-or-later"),
        ("Unlicense", "Unlicense"),
        ("Public Domain", "LicenseRef-Public-Domain"),
        ("Proprietary", "LicenseRef-Proprietary"),
        ("CC0 1.0", "CC0-1.0"),
        ("EUPL v1.2", "EUPL-1.2"),
        ("Boost Software License 1.0", "BSL-1.0"),
        ("LicenseRef-Acme-Commercial", "LicenseRef-Acme-Commercial"),
        ("MIT OR Apache-2.0", "MIT OR Apache-2.0"),
        ("MIT or Apache 2", "MIT OR Apache-2.0"),
        ("Apache-2.0 / MIT", "Apache-2.0 OR MIT"),
        ("MIT, BSD-3-Clause", "MIT AND BSD-3-Clause"),
        ("Apache-2.0 and MIT", "Apache-2.0 AND MIT"),
        ("GPLv2 or later, MIT", "GPL-2.0-or-later AND MIT"),
        (MIT, "MIT"),
    ],
)
def test_what_people_write_becomes_spdx(written: str, expected: str) -> None:
    assert spelled(written) == expected


@pytest.mark.parametrize(
    "written",
    ["", "Be nice to me", "free", "see website", "GPLv9", "???", "MIT or whatever", "Apache-2.0 (except fonts)", "v2", "\x00", "(" * 300],
)
def test_what_is_not_understood_stays_unknown(written: str) -> None:
    assert spelled(written) == ""


@pytest.mark.parametrize(
    ("classifier", "expected"),
    [
        ("License :: OSI Approved :: MIT License", "MIT"),
        ("License :: OSI Approved :: MIT No Attribution License (MIT-0)", "MIT-0"),
        ("License :: OSI Approved :: BSD License", "LicenseRef-BSD-unspecified"),
        ("License :: OSI Approved :: Zero-Clause BSD (0BSD)", "0BSD"),
        ("License :: OSI Approved :: Apache Software License", "LicenseRef-Apache-unspecified"),
        ("License :: OSI Approved :: ISC License (ISCL)", "ISC"),
        ("License :: OSI Approved :: Python Software Foundation License", "PSF-2.0"),
        ("License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)", "MPL-2.0"),
        ("License :: OSI Approved :: GNU General Public License (GPL)", "LicenseRef-GPL-unspecified"),
        ("License :: OSI Approved :: GNU General Public License v2 (GPLv2)", "GPL-2.0-only"),
        ("License :: OSI Approved :: GNU General Public License v2 or later (GPLv2+)", "GPL-2.0-or-later"),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", "GPL-3.0-only"),
        ("License :: OSI Approved :: GNU General Public License v3 or later (GPLv3+)", "GPL-3.0-or-later"),
        ("License :: OSI Approved :: GNU Lesser General Public License v2 (LGPLv2)", "LGPL-2.0-only"),
        ("License :: OSI Approved :: GNU Lesser General Public License v2 or later (LGPLv2+)", "LGPL-2.0-or-later"),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", "LGPL-3.0-only"),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 or later (LGPLv3+)", "LGPL-3.0-or-later"),
        ("License :: OSI Approved :: GNU Library or Lesser General Public License (LGPL)", "LicenseRef-LGPL-unspecified"),
        ("License :: OSI Approved :: GNU Affero General Public License v3", "AGPL-3.0-only"),
        ("License :: OSI Approved :: GNU Affero General Public License v3 or later (AGPLv3+)", "AGPL-3.0-or-later"),
        ("License :: OSI Approved :: Eclipse Public License 2.0 (EPL-2.0)", "EPL-2.0"),
        ("License :: OSI Approved :: European Union Public Licence 1.2 (EUPL 1.2)", "EUPL-1.2"),
        ("License :: OSI Approved :: Boost Software License 1.0 (BSL-1.0)", "BSL-1.0"),
        ("License :: OSI Approved :: CMU License (MIT-CMU)", "MIT-CMU"),
        ("License :: OSI Approved :: Historical Permission Notice and Disclaimer (HPND)", "HPND"),
        ("License :: OSI Approved :: The Unlicense (Unlicense)", "Unlicense"),
        ("License :: OSI Approved :: zlib/libpng License", "Zlib"),
        ("License :: OSI Approved :: PostgreSQL License", "PostgreSQL"),
        ("License :: OSI Approved :: Universal Permissive License (UPL)", "UPL-1.0"),
        ("License :: OSI Approved :: University of Illinois/NCSA Open Source License", "NCSA"),
        ("License :: OSI Approved :: SIL Open Font License 1.1 (OFL-1.1)", "OFL-1.1"),
        ("License :: OSI Approved :: W3C License", "W3C"),
        ("License :: OSI Approved :: Zope Public License", "LicenseRef-ZPL-unspecified"),
        ("License :: OSI Approved :: Artistic License", "LicenseRef-Artistic-unspecified"),
        ("License :: OSI Approved :: Python License (CNRI Python License)", "CNRI-Python"),
        ("License :: CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0"),
        ("License :: Public Domain", "LicenseRef-Public-Domain"),
        ("License :: Other/Proprietary License", "LicenseRef-Proprietary"),
        ("License :: Free for non-commercial use", ""),
        ("License :: Something of my own", ""),
    ],
)
def test_classifiers_become_spdx(classifier: str, expected: str) -> None:
    assert classified(classifier) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (MIT, ["MIT"]),
        (BSD_2, ["BSD-2-Clause"]),
        (BSD_3, ["BSD-3-Clause"]),
        (BSD_3 + BSD_2, ["BSD-2-Clause", "BSD-3-Clause"]),
        (APACHE, ["Apache-2.0"]),
        (ISC, ["ISC"]),
        (GPL_3, ["GPL-3.0-only"]),
        (LGPL_21, ["LGPL-2.1-only"]),
        (AGPL_3, ["AGPL-3.0-only"]),
        (LGPL_21 + GPL_3, ["GPL-3.0-only", "LGPL-2.1-only"]),
        ("under the terms of the GNU General Public License as published by the\nFree Software Foundation; either version 2 of the "
         "License, or (at your option) any later version.", ["GPL-2.0-or-later"]),
        ("Mozilla Public License Version 2.0\n1. Definitions", ["MPL-2.0"]),
        ("PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2", ["PSF-2.0"]),
        ("This is free and unencumbered software released into the public domain.", ["Unlicense"]),
        ("CC0 1.0 Universal", ["CC0-1.0"]),
        ("Altered source versions must be plainly marked as such, and must not be\nmisrepresented as "
         "being the original software.", ["Zlib"]),
        (MIT + "\n\"Commons Clause\" License Condition v1.0", ["LicenseRef-Restricted", "MIT"]),
        ("# SPDX-License-Identifier: BSD-3-Clause OR MIT\n", ["BSD-3-Clause", "MIT"]),
        ("You may use this on Sundays.", []),
        ("", []),
    ],
)  # fmt: skip
def test_texts_are_recognised_by_their_phrases(text: str, expected: list[str]) -> None:
    assert recognise(text) == expected


@pytest.mark.parametrize("text", [MIT, BSD_2, BSD_3, APACHE, ISC, GPL_3, LGPL_21, AGPL_3])
@pytest.mark.parametrize("width", [20, 61, 10_000])
def test_wrapping_case_and_comment_signs_make_no_difference(text: str, width: int) -> None:
    wrapped = textwrap.fill(" ".join(text.split()), width)
    commented = "\r\n".join(f" *  {line}" for line in wrapped.upper().splitlines())

    assert recognise(commented) == recognise(text) != []


@pytest.mark.parametrize(
    ("expression", "category"),
    [
        ("MIT", PERMISSIVE),
        ("CC0-1.0", PERMISSIVE),
        ("MPL-2.0", WEAK),
        ("LGPL-3.0-or-later", WEAK),
        ("GPL-2.0-only", STRONG),
        ("AGPL-3.0-or-later", STRONG),
        ("SSPL-1.0", UNKNOWN),
        ("LicenseRef-Acme", UNKNOWN),
        ("NoSuch-1.0", UNKNOWN),
        ("", UNKNOWN),
        ("MIT OR GPL-3.0-only", PERMISSIVE),
        ("MIT AND GPL-3.0-only", STRONG),
        ("(MIT OR GPL-3.0-only) AND MPL-2.0", WEAK),
        ("MIT OR LicenseRef-Acme", PERMISSIVE),
        ("MIT AND LicenseRef-Acme", UNKNOWN),
        ("GPL-2.0-only WITH Classpath-exception-2.0", WEAK),
        ("Apache-2.0 WITH LLVM-exception", PERMISSIVE),
        ("GPL-3.0-only WITH NoSuch-exception", UNKNOWN),
        ("LicenseRef-BSD-unspecified", PERMISSIVE),
        ("LicenseRef-GPL-unspecified", STRONG),
        ("MIT AND", UNKNOWN),
    ],
)
def test_alternatives_take_the_freest_and_combinations_the_most_binding(expression: str, category: str) -> None:
    assert category_of(expression) == category


def test_an_expression_is_spelled_as_spdx_spells_it() -> None:
    assert normal("mit or apache-2.0") == "MIT OR Apache-2.0"
    assert normal("GPL-2.0+") == "GPL-2.0-or-later"
    assert normal("MIT OR NoSuch-1.0") == ""


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("GPL-3.0-only", "GPL-3.0-or-later", True),
        ("LicenseRef-BSD-unspecified", "BSD-3-Clause", True),
        ("PSF-2.0", "Python-2.0", True),
        ("GPL-2.0-only", "GPL-3.0-only", False),
        ("LicenseRef-GPL-unspecified", "LGPL-2.1-only", False),
        ("MIT", "Apache-2.0", False),
    ],
)
def test_identifiers_of_one_licence_are_alike(one: str, other: str, expected: bool) -> None:
    assert alike(one, other) is alike(other, one) is expected


def package(*, expression: str = "", licence: str = "", classifiers: tuple[str, ...] = ()) -> Metadata:
    return Metadata(expression=expression, licence=licence, classifiers=list(classifiers))


def test_a_family_is_refined_by_the_text_that_is_there() -> None:
    result = classify(package(licence="BSD", classifiers=("License :: OSI Approved :: BSD License",)), {"LICENSE": BSD_3})

    assert (result.expression, result.category, result.basis) == ("BSD-3-Clause", PERMISSIVE, "License")
    assert not result.contradictions
    assert not result.doubts


def test_a_family_nobody_refines_is_a_doubt() -> None:
    result = classify(package(classifiers=("License :: OSI Approved :: BSD License",)), {})

    assert result.expression == "LicenseRef-BSD-unspecified"
    assert result.doubts == ["BSD: which one is said nowhere"]


def test_the_license_expression_decides_over_everything_else() -> None:
    result = classify(package(expression="mit or apache-2.0", licence="MIT", classifiers=("License :: OSI Approved :: MIT License",)), {})

    assert (result.expression, result.basis) == ("MIT OR Apache-2.0", "License-Expression")


def test_a_file_of_another_licence_contradicts() -> None:
    result = classify(package(expression="MIT"), {"LICENSE": GPL_3})

    assert result.contradictions == ["licence files (GPL-3.0-only) against License-Expression (MIT)"]


def test_a_classifier_of_another_licence_contradicts() -> None:
    result = classify(package(licence="MIT", classifiers=("License :: OSI Approved :: GNU General Public License v3 (GPLv3)",)), {})

    assert result.contradictions == ["classifiers (GPL-3.0-only) against License (MIT)"]


def test_permissive_texts_of_bundled_parts_do_not_contradict_and_copyleft_ones_do() -> None:
    own = {"x-1.dist-info/licenses/LICENSE": MIT}

    permissive = classify(package(expression="MIT"), own | {"x-1.dist-info/licenses/vendor/parser/LICENSE": BSD_3})
    copyleft = classify(package(expression="MIT"), own | {"x-1.dist-info/licenses/vendor/parser/LICENSE": GPL_3})

    assert permissive.contradictions == []
    assert copyleft.contradictions == ["licence files and notices (GPL-3.0-only AND MIT) against License-Expression (MIT)"]


def test_a_text_that_is_not_recognised_is_shown_and_doubted() -> None:
    result = classify(package(licence="MIT"), {"LICENSE": "You may use this on Sundays."})

    assert result.doubts == ["the text in LICENSE is not one that is known"]
    assert result.texts["LICENSE"].opening == "You may use this on Sundays."


def test_a_list_of_authors_need_not_be_recognised() -> None:
    result = classify(package(licence="MIT"), {"LICENSE": MIT, "AUTHORS": "Ana\nBo\n", "NOTICE": "Something of Bo's."})

    assert result.doubts == []


def test_without_a_declaration_the_text_decides() -> None:
    result = classify(package(), {"LICENSE": MIT})

    assert (result.expression, result.basis, result.doubts) == ("MIT", "licence files", [])


@pytest.mark.parametrize("pointer", ["See LICENSE", "LICENSE.txt", "see the LICENSE file", "Dual License", "UNKNOWN LICENCE"])
def test_a_pointer_to_the_file_says_nothing_of_its_own(pointer: str) -> None:
    result = classify(package(licence=pointer), {"LICENSE": MIT})

    assert (result.expression, bool(result.doubts)) == ("MIT", pointer.startswith("UNKNOWN"))


def test_nothing_at_all_is_unknown() -> None:
    result = classify(package(), {})

    assert (result.expression, result.category, result.basis) == ("", UNKNOWN, "nothing")


def test_an_unknown_expression_is_kept_as_it_is_written() -> None:
    result = classify(package(expression="LicenseRef-Acme OR NoSuch-2"), {})

    assert (result.expression, result.category) == ("LicenseRef-Acme OR NoSuch-2", UNKNOWN)


anything = st.text(max_size=300) | st.sampled_from(
    ["MIT", "GPL (", "BSD or", "MIT WITH", "((((", "AND OR", GPL_3, MIT, "GPLv3+ / MIT & BSD"]
)


@given(anything, anything, st.lists(anything, max_size=3), st.dictionaries(anything, anything, max_size=3))
@settings(max_examples=300, deadline=None)
def test_nothing_raises_and_nothing_unclear_passes_as_permissive(
    expression: str, licence: str, classifiers: list[str], texts: dict[str, str]
) -> None:
    result = classify(Metadata(expression=expression, licence=licence, classifiers=classifiers), texts)

    assert result.category in CATEGORIES
    assert result.expression or result.category == UNKNOWN
    assert set(result.texts) == set(texts)
