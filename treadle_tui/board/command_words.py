"""The words of a line that a person typed or an environment variable holds, as the system's own shell would part them."""

from __future__ import annotations

import shlex
import sys


def command_words(line: str, platform: str = sys.platform) -> list[str]:
    r"""The words; quotes hold one together. On Windows a backslash is part of a path (`C:\Music`), elsewhere it guards what follows.

    Raises: ValueError for a quote without its match.
    """
    if platform != "win32":
        return shlex.split(line)
    words = shlex.shlex(line, posix=True, punctuation_chars=False)
    words.whitespace_split, words.commenters, words.escape, words.quotes = True, "", "", '"'
    return list(words)
