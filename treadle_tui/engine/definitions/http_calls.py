"""HTTP requests as stages: urllib on a daemon thread, JSON in and out, every failure one sentence.

urllib.request and what it brings are imported by the first request: loading a definition should not wait for them.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from treadle_tui.engine.errors import StageExecutionError
from treadle_tui.engine.json_values import encode_json
from treadle_tui.engine.outcomes import Retry
from treadle_tui.engine.record import Record
from treadle_tui.engine.runner.threads import run_in_daemon_thread

if TYPE_CHECKING:
    import urllib.error
    import urllib.request

DEFAULT_TIMEOUT_SECONDS = 60.0
"""How long the other side may be silent, when the stage's budget has no `attempt_timeout`."""
MAX_RESPONSE_BYTES = 16 * 1024 * 1024
_TRY_LATER = (429, 503)


class HttpCall(Record, frozen=True):
    """One request, ready to be sent."""

    method: str
    url: str
    body: Any = None
    """Sent as JSON; None for no body."""
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    timeout: float = DEFAULT_TIMEOUT_SECONDS
    idempotency_key: str = ""
    """Sent along with everything but GET and HEAD, so that a server that knows the header does the same thing only once."""


class HttpAnswer(Record, frozen=True):
    """A response with a good status."""

    text: str
    is_json: bool
    """Whether the server calls it JSON."""


async def send(call: HttpCall, stage: str) -> HttpAnswer | Retry:
    """The answer; `Retry` when the server says when to come again.

    Raises: `StageExecutionError` for everything that is no answer with a good status.
    """
    return await run_in_daemon_thread(lambda: _send(call, stage), name=stage)


def _send(call: HttpCall, stage: str) -> HttpAnswer | Retry:
    import http.client
    import urllib.error
    import urllib.request

    what = f"{call.method} {call.url}"
    request = _request(call, stage)
    try:
        with urllib.request.urlopen(request, timeout=call.timeout) as response:
            content = response.read(MAX_RESPONSE_BYTES + 1)
            kind = response.headers.get_content_type()
            charset = response.headers.get_content_charset() or "utf-8"
    except urllib.error.HTTPError as error:
        with error:
            return _refused(what, error, stage)
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise StageExecutionError(stage, f"{what} had no answer: {reason}") from error
    if len(content) > MAX_RESPONSE_BYTES:
        raise StageExecutionError(stage, f"{what} answered with more than {MAX_RESPONSE_BYTES} bytes")
    return HttpAnswer(_decoded(content, charset), kind == "application/json" or kind.endswith("+json"))


def _request(call: HttpCall, stage: str) -> urllib.request.Request:
    import urllib.request

    if urllib.parse.urlsplit(call.url).scheme not in ("http", "https"):
        raise StageExecutionError(stage, f"url {call.url!r} must begin with http:// or https://")
    headers = {"Accept": "application/json, */*;q=0.5", "User-Agent": "treadle-tui", **call.headers}
    data = None
    if call.body is not None:
        data = encode_json(call.body, "the body", stage)
        headers.setdefault("Content-Type", "application/json")
    if call.idempotency_key and call.method not in ("GET", "HEAD"):
        headers.setdefault("Idempotency-Key", call.idempotency_key)
    return urllib.request.Request(call.url, data=data, headers=headers, method=call.method)


def _refused(what: str, error: urllib.error.HTTPError, stage: str) -> Retry:
    words = _decoded(error.read(500), "utf-8").strip()
    sentence = f"{what} answered {error.code} {error.reason}" + (f": {words}" if words else "")
    later = error.headers.get("Retry-After", "")
    if error.code in _TRY_LATER and later.isdecimal():
        return Retry(sentence, after=float(later))
    raise StageExecutionError(stage, sentence) from error


def _decoded(content: bytes, charset: str) -> str:
    try:
        return content.decode(charset, errors="replace")
    except LookupError:  # a charset nobody knows
        return content.decode("utf-8", errors="replace")


def answer_value(text: str, kind: str, what: str, stage: str) -> Any:
    """Printed or received text as an output: `text`, `lines`, or `json` (nothing at all is null).

    Raises: `StageExecutionError` when it is no JSON.
    """
    if kind == "lines":
        return text.splitlines()
    if kind == "text":
        return text
    if not text.strip():
        return None
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        beginning = text.strip()[:80]
        raise StageExecutionError(stage, f"{what} gave no JSON: {error}; it begins with {beginning!r}") from error
    except RecursionError as error:
        raise StageExecutionError(stage, f"{what} gave JSON that is nested too deeply") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")
