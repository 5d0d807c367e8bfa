"""A language model, or any other program, that tidies a converted document: off unless somebody has said which.

    TREADLE_DOCUMENTS_COMMAND    a program and its arguments; the prompt on its standard input, the answer on its standard output
    TREADLE_DOCUMENTS_URL        an address that is sent {"model", "messages"} as chat services take it
    TREADLE_DOCUMENTS_MODEL      the model's name for that address
    TREADLE_DOCUMENTS_KEY        sent as a bearer token

They stand in the environment, not in the items: an address or a key must not travel inside a database.
"""

import json
import os
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

PROMPT = (
    "Below is a document that a program has converted to Markdown. Mend what the conversion broke: words cut in two, headings that are "
    "not marked, tables that fell apart. Keep every sentence, add nothing, and answer with the Markdown only."
)


class ModelFailed(Exception):
    """The command or address gave no usable answer; one sentence."""


def is_configured(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody has named a command or an address."""
    return any(environment.get(f"TREADLE_DOCUMENTS_{name}", "").strip() for name in ("COMMAND", "URL"))


def ask(text: str, hint: str = "", timeout: float = 300.0) -> str:
    """What the configured command or address makes of the document.

    Raises: `ModelFailed`.
    """
    prompt = "\n\n".join(part for part in (PROMPT, f"The last answer was refused: {hint}" if hint else "", text) if part)
    command = os.environ.get("TREADLE_DOCUMENTS_COMMAND", "").strip()
    return _ask_command(_words(command), prompt, timeout) if command else _ask_address(prompt, timeout)


def _words(command: str) -> list[str]:
    """As a shell parts them; on Windows a backslash is part of a path."""
    words = shlex.split(command, posix=sys.platform != "win32")
    return [word.strip('"') for word in words] if sys.platform == "win32" else words


def _ask_command(arguments: list[str], prompt: str, timeout: float) -> str:
    name = f"TREADLE_DOCUMENTS_COMMAND ({arguments[0]})"
    try:
        done = subprocess.run(arguments, input=prompt.encode(), capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        raise ModelFailed(f"{name} was not found; install it, or give its full path") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelFailed(f"{name} gave no answer: {error}") from error
    if done.returncode:
        raise ModelFailed(f"{name} ended with {done.returncode}: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return done.stdout.decode("utf-8", errors="replace")


def _ask_address(prompt: str, timeout: float) -> str:
    address = os.environ.get("TREADLE_DOCUMENTS_URL", "").strip()
    if not address.startswith(("http://", "https://")):
        raise ModelFailed(f"TREADLE_DOCUMENTS_URL={address!r} must begin with http:// or https://")
    body = {"model": os.environ.get("TREADLE_DOCUMENTS_MODEL", ""), "messages": [{"role": "user", "content": prompt}], "stream": False}
    headers = {"Content-Type": "application/json", "User-Agent": "treadle-tui"}
    key = os.environ.get("TREADLE_DOCUMENTS_KEY", "").strip()
    if key:
        headers["Authorization"] = f"Bearer {key}"
    try:
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=timeout) as response:
            answer = response.read(16_000_000).decode("utf-8", errors="replace")
    except (OSError, ValueError) as error:
        raise ModelFailed(f"{address} gave no answer: {error}") from error
    return _said(answer, address)


def _said(answer: str, address: str) -> str:
    """The text of an answer: `choices[0].message.content`, `message.content`, `response` or `text`."""
    try:
        found = json.loads(answer)
        choice = found["choices"][0] if "choices" in found else found
        said = choice["message"]["content"] if "message" in choice else choice.get("response") or choice.get("text")
    except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ModelFailed(f"{address} answered in a form nobody expects: {answer[:200]}") from error
    if not isinstance(said, str) or not said.strip():
        raise ModelFailed(f"{address} answered with nothing")
    return said
