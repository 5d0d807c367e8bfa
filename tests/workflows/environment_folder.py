"""Python environments written by hand: a site-packages directory with just the files a test is about."""

from __future__ import annotations

from pathlib import Path

MIT = """MIT License

Copyright (c) 2024 Somebody

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.
"""
BSD_2 = """Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:
1. Redistributions of source code must retain the above copyright notice.
"""
BSD_3 = BSD_2 + "3. Neither the name of the copyright holder nor the names of its contributors may be used to endorse products.\n"
APACHE = "                                 Apache License\n                           Version 2.0, January 2004\n"
GPL_3 = "                    GNU GENERAL PUBLIC LICENSE\n                       Version 3, 29 June 2007\n"
LGPL_21 = "                  GNU LESSER GENERAL PUBLIC LICENSE\n                       Version 2.1, February 1999\n"
AGPL_3 = "GNU AFFERO GENERAL PUBLIC LICENSE\nVersion 3, 19 November 2007\n"
ISC = """Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.
"""


class EnvironmentFolder:
    """A site-packages directory that packages are put into."""

    def __init__(self, site_packages: Path) -> None:
        self.path = site_packages
        site_packages.mkdir(parents=True, exist_ok=True)

    def add(self, name: str, version: str, *headers: str, files: dict[str, str] | None = None, record: str | None = None) -> Path:
        """Write a .dist-info. `headers` are lines of the metadata; `files` are relative to the .dist-info. Returns its path."""
        info = self.path / f"{name}-{version}.dist-info"
        info.mkdir()
        lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *headers, "", "A description."]
        (info / "METADATA").write_text("\n".join(lines), encoding="utf-8")
        for place, text in (files or {}).items():
            (info / place).parent.mkdir(parents=True, exist_ok=True)
            (info / place).write_text(text, encoding="utf-8")
        if record is not None:
            (info / "RECORD").write_text(record, encoding="utf-8")
        return info


def fill(environment: EnvironmentFolder) -> None:
    """One package for each thing a review may meet."""
    add = environment.add
    add("plain", "1.0", "License-Expression: MIT", "License-File: LICENSE", "Summary: Says what it is", files={"licenses/LICENSE": MIT})
    add("dual", "2.0", "License-Expression: GPL-3.0-or-later OR MIT", files={"licenses/LICENSE.MIT": MIT, "licenses/COPYING": GPL_3})
    add("oldstyle", "3.1", "License: BSD", "Classifier: License :: OSI Approved :: BSD License", files={"LICENSE.txt": BSD_3})
    add("copyleft", "4.0", "License: GPLv3+", files={"COPYING": GPL_3})
    add("library", "5.0", "License-Expression: LGPL-2.1-or-later", "Requires-Dist: plain", files={"licenses/COPYING": LGPL_21})
    add("twofaced", "6.0", "License-Expression: MIT", files={"licenses/LICENSE": GPL_3})
    add("silent", "7.0")
    add("homemade", "8.0", "License: Be nice to me", files={"LICENSE": "You may use this on Sundays.\n"})
    add(
        "user", "9.0", "License: MIT", "Requires-Dist: copyleft>=4", "Requires-Dist: plain", "Requires-Dist: absent", files={"LICENSE": MIT}
    )
    add("grüße", "1.0", "License-Expression: ISC", "Summary: Grüße — 你好 🎉", files={"licenses/LICENSE": f"© Müller\n{ISC}"})
    (environment.path / "broken-0.1.dist-info").mkdir()
    (environment.path / "~lain-0.9.dist-info").mkdir()


ACCEPTED = {"plain 1.0", "dual 2.0", "oldstyle 3.1", "user 9.0", "grüße 1.0"}
UNCERTAIN = {"copyleft 4.0", "library 5.0", "twofaced 6.0", "silent 7.0", "homemade 8.0", "broken 0.1"}
