"""The `[stages.…]` tables of a definition file: a program, an HTTP call or a Python function each, and what is said about it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from treadle_tui.engine.definitions.gates import expression_gate, gates_of
from treadle_tui.engine.definitions.http_calls import DEFAULT_TIMEOUT_SECONDS
from treadle_tui.engine.definitions.placeholders import ATTEMPT_NAMES, Template, attempt_values
from treadle_tui.engine.definitions.policies import retry_of, review_of
from treadle_tui.engine.definitions.python_reference import find_function
from treadle_tui.engine.definitions.section import Section
from treadle_tui.engine.definitions.work import CommandWork, HttpWork, Work, asking, asking_at_the_end, declaring
from treadle_tui.engine.errors import InvalidDefinition, StageNotFound, nearest
from treadle_tui.engine.expressions import compile_condition, names_in
from treadle_tui.engine.retry import RetryBudget
from treadle_tui.engine.review import ReviewField, ReviewPolicy
from treadle_tui.engine.stage import StageContext
from treadle_tui.engine.stage_options import check_stage_name
from treadle_tui.engine.workflow import Workflow

KINDS = ("shell", "http", "python")
_STAGE_OPTIONS = ("after", "for_each", "output", "skip_if", "gate", "retry", "review", "concurrency", "tags", "isolation", "was", "secrets")
_STAGE_KEYS = (*KINDS, *_STAGE_OPTIONS)
_HTTP_KEYS = ("method", "url", "json", "headers")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
OUTPUTS = ("text", "json", "lines")


def add_stages(workflow: Workflow, document: Section, folder: str, item_fields: Collection[str] | None) -> None:
    """Add every stage of the document. `item_fields` are the declared ones besides `id`; None when anything goes."""
    sections = {name: _labelled(section, name) for name, section in document.tables("stages")}
    stages = tuple(listed) if isinstance(listed := document.values["stages"], dict) else ()
    for name, section in sections.items():
        try:
            check_stage_name(name)
        except InvalidDefinition as error:
            section.note(section.error(None, str(error)))
    for name, section in sections.items():
        section.going_on(functools.partial(_StageReader(name, section, stages, folder, item_fields).add_to, workflow), None)


def _labelled(section: Section, name: str) -> Section:
    return Section(section.text, section.values, section.path, f"stage {name!r}")


@dataclass(slots=True)
class _StageReader:
    """One `[stages.…]` table on its way into a workflow."""

    name: str
    section: Section
    stages: tuple[str, ...]
    folder: str
    item_fields: Collection[str] | None
    used_stages: list[str] = field(default_factory=list)
    """Stages its templates ask for, which it therefore depends on."""

    def add_to(self, workflow: Workflow) -> None:
        section = self.section
        mistakes_before = len(section.text.mistakes)
        section.check_keys(_STAGE_KEYS)
        after = section.going_on(self._after, list[str]())
        retry = section.going_on(lambda: retry_of(section), RetryBudget())
        no_review: tuple[ReviewPolicy | None, list[ReviewField]] = (None, [])
        policy, review_fields = section.going_on(lambda: review_of(section), no_review)
        function, is_plain_work = section.going_on(lambda: self._function(retry), (print, True))
        names = section.going_on(self._for_each_names, None)
        options: dict[str, Any] = {
            "retry": retry,
            "review": policy,
            "gates": section.going_on(self._gates, []),
            "concurrency": section.going_on(self._concurrency, None),
            "isolation": section.going_on(self._isolation, None),
            "skip_if": section.going_on(self._skip_if, None),
            **{key: section.going_on(functools.partial(section.strings, key), list[str]()) for key in ("tags", "was", "secrets")},
        }
        if len(section.text.mistakes) > mistakes_before:
            return
        if names is None:
            stage = asking(function, review_fields) if is_plain_work and review_fields else function
            self._refuse_unasked(review_fields, is_plain_work)
            workflow.add_stage(self.name, stage, after=[*after, *self.used_stages], **options)
            return
        handle = workflow.add_stage(self.name, declaring(self.name, names), after=[*after, *self.used_stages], **options)
        handle.each(retry=retry)(function)
        if review_fields:
            handle.reduce(asking_at_the_end(self.name, review_fields))

    def _after(self) -> list[str]:
        after = self.section.strings("after")
        for name in after:
            if name not in self.stages:
                others = [stage for stage in self.stages if stage != self.name]
                self.section.note(StageNotFound(name, others, self.section.where("after")))
        return after

    def _function(self, retry: RetryBudget) -> tuple[Callable[..., Any], bool]:
        """What the stage does, and whether it is one of our own functions of `item` and `ctx`."""
        section = self.section
        kinds = [kind for kind in KINDS if section.has(kind)]
        if len(kinds) != 1:
            there = "there are " + " and ".join(kinds) if kinds else "there is none"
            raise section.missing(() if kinds else KINDS, f"give one of {', '.join(KINDS)}; {there}")
        if kinds == ["python"]:
            if section.has("output"):
                raise section.error("output", "only what shell prints and http answers is read as text, json or lines")
            return find_function(section, "python", self.folder), False
        work: Work = self._command() if kinds == ["shell"] else self._http(retry)

        async def run(item: Any, ctx: StageContext) -> Any:
            return await work.run(attempt_values(item, ctx), ctx)

        return run, True

    def _concurrency(self) -> int | None:
        return self.section.whole_number("concurrency", 1, least=1) if self.section.has("concurrency") else None

    def _isolation(self) -> str | None:
        isolation = self.section.string("isolation")
        if isolation not in (None, "process"):
            raise self.section.error("isolation", f"{isolation!r} is unknown; the only one is 'process'")
        return isolation

    def _output(self, default: str) -> str:
        kind = self.section.string("output", default) or default
        if kind not in OUTPUTS:
            raise self.section.error("output", f"{kind!r} is unknown; {nearest(kind, OUTPUTS)}")
        return kind

    def _command(self) -> CommandWork:
        words = self.section.values["shell"]
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words) or not words[0]:
            raise self.section.error("shell", f"{words!r} must be a list of a program and its arguments; no shell is started")
        output = self.section.going_on(lambda: self._output("text"), "text")
        return CommandWork(self.name, [self._template("shell", word) for word in words], output)

    def _http(self, retry: RetryBudget) -> HttpWork:
        http = self.section.table("http")
        assert http is not None
        http.check_keys(_HTTP_KEYS)
        headers = http.going_on(lambda: http.table("headers"), None)
        for name, value in headers.values.items() if headers is not None else ():
            if not isinstance(value, str | int | float):
                http.note(headers.error(name, f"{value!r} is no value of a header; give a text"))  # type: ignore[union-attr]
        return HttpWork(
            stage=self.name,
            method=http.going_on(lambda: _method(http), "GET"),
            url=self._template("http", http.going_on(lambda: _url(http), "")),
            body=self._templates_in(http.values.get("json")),
            headers={} if headers is None else {name: self._template("http", str(value)) for name, value in headers.values.items()},
            output=self.section.going_on(lambda: self._output("text"), None) if self.section.has("output") else None,
            timeout=retry.attempt_timeout or DEFAULT_TIMEOUT_SECONDS,
        )

    def _templates_in(self, value: Any) -> Any:
        """A JSON value with every text in it made a template."""
        if isinstance(value, str):
            return self._template("http", value)
        if isinstance(value, list):
            return [self._templates_in(part) for part in value]
        if isinstance(value, dict):
            return {key: self._templates_in(part) for key, part in value.items()}
        return value

    def _template(self, key: str, text: str, also: tuple[str, ...] = ()) -> Template:
        """The template of a text; an empty one of a text that is none."""
        return self.section.going_on(lambda: self._read_template(key, text, also), Template("", ()))

    def _read_template(self, key: str, text: str, also: tuple[str, ...] = ()) -> Template:
        """A template whose stages become dependencies, and whose item fields are checked."""
        names = (*ATTEMPT_NAMES, *also, *(stage for stage in self.stages if stage != self.name))
        try:
            template = Template(text, names)
        except InvalidDefinition as error:
            raise self.section.error(key, str(error)) from error
        self.used_stages += [name for name in template.names if name in self.stages]
        if "subtask" in template.names and not self.section.has("for_each"):
            self._note(key, "{subtask} needs `for_each`, a list of subtasks")
        for name in template.item_fields:
            if self.item_fields is not None and name not in ("id", *self.item_fields):
                self._note(key, f"{{item.{name}}}: items have no field {name!r}; {nearest(name, ('id', *self.item_fields))}")
        return template

    def _note(self, key: str, sentence: str) -> None:
        self.section.note(self.section.error(key, sentence))

    def _for_each_names(self) -> list[Template] | Template | None:
        """The subtasks as templates, or the template of a list."""
        value = self.section.values.get("for_each")
        if value is None:
            return None
        if isinstance(value, str):
            template = self._read_template("for_each", value)
            if not template.names:
                raise self.section.error("for_each", f'{value!r} must be a list of texts, or name one: "{{stage.key}}"')
            return template
        if not isinstance(value, list) or not all(isinstance(name, (str, int)) and not isinstance(name, bool) for name in value):
            raise self.section.error("for_each", f'{value!r} must be a list of texts, or name one: "{{stage.key}}"')
        return [self._template("for_each", str(name)) for name in value]

    def _skip_if(self) -> Callable[..., bool] | None:
        """A condition on the item and on outputs of stages, which it therefore comes after."""
        text = self.section.string("skip_if")
        if text is None:
            return None
        others = [stage for stage in self.stages if stage != self.name]
        try:
            condition = compile_condition(text, ("item", *others))
        except InvalidDefinition as error:
            raise self.section.error("skip_if", str(error)) from error
        self.used_stages += [name for name in names_in(text) if name in others]
        return lambda item, ctx: condition({**ctx.upstream, "item": item})

    def _gates(self) -> list[Any]:
        if isinstance(self.section.values.get("gate"), str):
            return [expression_gate(self.section, "gate")]
        section = self.section.table("gate")
        if section is None:
            return []
        return gates_of(
            section,
            lambda key, text: self._template("gate", text, ("output",)),
            lambda table, key: find_function(table, key, self.folder),
        )

    def _refuse_unasked(self, review_fields: list[ReviewField], is_plain_work: bool) -> None:
        if review_fields and not is_plain_work:
            raise self.section.error("review", "`fields` are for shell and http; a Python stage returns NeedsReview(output, ReviewData(…))")


def _method(http: Section) -> str:
    method = (http.string("method") or ("POST" if "json" in http.values else "GET")).upper()
    if method not in METHODS:
        raise http.error("method", f"{method!r} is unknown; {nearest(method, METHODS)}")
    return method


def _url(http: Section) -> str:
    url = http.string("url")
    if url is None:
        raise http.missing(("url",), "is missing; give an address that begins with http:// or https://", "url")
    if not url.startswith(("http://", "https://", "{")):
        raise http.error("url", f"{url!r} must begin with http:// or https://")
    return url
