"""What the engine sees of a user's function."""

import asyncio
import functools
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypedDict

import attrs
import msgspec
import pydantic
import pytest

from treadle_tui.engine.annotations import names_around, output_annotation, resolve_hints
from treadle_tui.engine.errors import InvalidDefinition, StageExecutionError
from treadle_tui.engine.functions import UserFunction, call_function, function_name
from treadle_tui.engine.outcomes import Completed, FanOut, Skipped
from treadle_tui.engine.stage import StageContext


@dataclass
class Page:
    number: int
    words: list[str]


class PageStruct(msgspec.Struct):
    number: int


class PageDict(TypedDict):
    number: int


@attrs.define
class PageAttrs:
    number: int = attrs.field(validator=attrs.validators.gt(0))


class PageModel(pydantic.BaseModel):
    number: int


class HasPages(Protocol):
    pages: int


async def call(function: UserFunction, **available: Any) -> Any:
    return await call_function(function.bind(available), function.is_async, function.name)


def test_parameters_keep_their_order_and_reserved_ones_are_no_stages():
    def publish(item, markdown, ctx, sources): ...

    function = UserFunction(publish, allowed=("item", "ctx"))

    assert function.name == "publish"
    assert function.parameters == ("item", "markdown", "ctx", "sources")
    assert function.stage_parameters == ("markdown", "sources")
    assert function.takes("ctx")
    assert not function.takes("output")
    assert repr(function) == "<UserFunction publish(item, markdown, ctx, sources)>"


async def test_arguments_are_picked_by_name():
    def join(b, a):
        return f"{a}{b}"

    assert await call(UserFunction(join), a="1", b="2", c="3") == "12"


async def test_keyword_only_parameters_count():
    def join(*, a):
        return a

    assert await call(UserFunction(join), a=1) == 1


async def test_a_default_is_kept_when_nothing_of_that_name_is_there():
    def stage(item, retries=3): ...

    function = UserFunction(lambda item, retries=3: (item, retries))

    assert function.optional_parameters == {"retries"}
    assert await call(function, item=1) == (1, 3)
    assert await call(function, item=1, retries=5) == (1, 5)


def test_a_missing_parameter_says_what_there_is():
    function = UserFunction(lambda markdown: None, name="publish")

    with pytest.raises(StageExecutionError, match=r"'publish' wants 'markdown', which is not there; there is: ctx, item") as caught:
        function.bind({"item": 1, "ctx": 2})
    assert caught.value.stage == "publish"
    with pytest.raises(StageExecutionError, match=r"there is: nothing"):
        function.bind({})


@pytest.mark.parametrize(
    ("function", "shown"),
    [(lambda *pages: 1, r"\*pages"), (lambda **options: 1, r"\*\*options"), (eval("lambda page, /: 1"), "page")],
)
def test_parameters_without_a_name_are_refused(function, shown):
    message = f"function 'count': parameter '{shown}' has no name to be called by; parameters are matched by name"
    with pytest.raises(InvalidDefinition, match=message):
        UserFunction(function, name="count")


def test_what_is_no_function_is_refused():
    with pytest.raises(InvalidDefinition, match=r"'x' is of type int, which cannot be called; give a function"):
        UserFunction(3, name="x")  # type: ignore[arg-type]
    with pytest.raises(InvalidDefinition, match=r"'Page' is a class; give an object of it, or a function"):
        UserFunction(Page)
    with pytest.raises(InvalidDefinition, match=r"function 'dir' does not tell its parameters; wrap it in a function of your own"):
        UserFunction(dir)


def test_a_function_that_yields_is_refused():
    def pages(item):
        yield 1

    async def async_pages(item):
        yield 1

    for function in (pages, async_pages, functools.partial(pages)):
        with pytest.raises(InvalidDefinition, match=r"yields; return one value instead \(only a source yields\)"):
            UserFunction(function)


class AsyncCallable:
    async def __call__(self, item):
        return item


class PlainCallable:
    def __call__(self, item):
        return item

    async def method(self, item):
        return item


async def a_function(item):
    return item


@pytest.mark.parametrize(
    "function", [a_function, functools.partial(a_function), AsyncCallable(), functools.partial(AsyncCallable()), PlainCallable().method]
)
async def test_async_functions_are_recognised(function):
    wrapped = UserFunction(function)

    assert wrapped.is_async
    assert await call(wrapped, item=4) == 4


@pytest.mark.parametrize("function", [lambda item: item, PlainCallable(), functools.partial(lambda a, item: item, 1)])
async def test_plain_functions_are_recognised(function):
    wrapped = UserFunction(function)

    assert not wrapped.is_async
    assert await call(wrapped, item=4) == 4


async def test_a_plain_wrapper_around_an_async_function_works_either_way():
    def logged(function: Any) -> Any:
        @functools.wraps(function)
        def inner(**kwargs):
            return function(**kwargs)

        return inner

    def with_its_own_loop(function: Any) -> Any:
        @functools.wraps(function)
        def inner(**kwargs):
            return asyncio.run(function(**kwargs))

        return inner

    assert await call(UserFunction(logged(a_function)), item=1) == 1
    assert await call(UserFunction(with_its_own_loop(a_function)), item=2) == 2


def test_names_of_functions_without_one():
    assert function_name(functools.partial(a_function)) == "a_function"
    assert function_name(AsyncCallable()) == "AsyncCallable"
    assert function_name(3) == "int"


def take_page(page: Page): ...
def take_struct(page: PageStruct): ...
def take_dict(page: PageDict): ...
def take_attrs(page: PageAttrs): ...
def take_model(page: PageModel): ...
def take_list(page: list[PageStruct]): ...
def take_models(page: list[PageModel]): ...
def take_path(page: Path): ...
def take_keys(page: dict[int, str]): ...
def take_float(page: float): ...
def take_optional(page: Page | None): ...


@pytest.mark.parametrize(
    ("function", "value", "expected"),
    [
        (take_page, {"number": 3, "words": ["a"]}, Page(3, ["a"])),
        (take_struct, {"number": 3}, PageStruct(3)),
        (take_dict, {"number": 3}, {"number": 3}),
        (take_attrs, {"number": 3}, PageAttrs(3)),
        (take_model, {"number": 3}, PageModel(number=3)),
        (take_list, [{"number": 3}], [PageStruct(3)]),
        (take_models, [{"number": 3}], [PageModel(number=3)]),
        (take_path, "a/b", Path("a/b")),
        (take_keys, {"3": "c"}, {3: "c"}),
        (take_float, 3, 3.0),
        (take_optional, {"number": 3, "words": []}, Page(3, [])),
        (take_page, None, None),
    ],
)
def test_plain_json_becomes_the_annotated_type(function, value, expected):
    bound = UserFunction(function).bind({"page": value})

    received = bound.keywords["page"]  # type: ignore[attr-defined]
    assert received == expected
    assert type(received) is type(expected)


@pytest.mark.parametrize(
    ("function", "value", "message"),
    [
        (
            take_page,
            {"number": "x", "words": []},
            r"parameter 'page' of 'take_page' is no Page: Expected `int`, got `str` - at `\$.number`",
        ),
        (take_attrs, {"number": 0}, "parameter 'page' of 'take_attrs' is no PageAttrs: 'number' must be > 0"),
        (take_model, {"number": "x"}, "parameter 'page' of 'take_model' is no PageModel: number: Input should be a valid integer"),
        (take_models, [{"number": "x"}], r"is no list\[PageModel\]: number: Input should be a valid integer.*\$\[0\]"),
        (take_path, 3, "is no Path: Expected `Path`, got `int`"),
        (take_float, "3", "is no float: Expected `float`, got `str`"),
    ],
)
def test_a_value_that_does_not_fit_names_parameter_type_and_place(function, value, message):
    with pytest.raises(StageExecutionError, match=message):
        UserFunction(function).bind({"page": value})


def test_objects_and_exotic_annotations_are_left_alone():
    def stage(item: HasPages, ctx: StageContext, page: Any, other: "NoSuchName", text: typing.Callable[[], int]): ...  # type: ignore[name-defined]  # noqa: F821

    values = {"item": {"pages": 1}, "ctx": StageContext(item_id="a", stage_name="b"), "page": {"x": 1}, "other": {"y": 2}, "text": "t"}

    bound = UserFunction(stage).bind(values)

    assert all(bound.keywords[name] is value for name, value in values.items())  # type: ignore[attr-defined]


def test_an_object_is_not_converted_even_when_it_is_of_another_type():
    page = Page(1, [])

    assert UserFunction(take_struct).bind({"page": page}).keywords["page"] is page  # type: ignore[attr-defined]


def test_one_annotation_that_cannot_be_resolved_does_not_spoil_the_others():
    def stage(a: "NoSuchName", b: "Page"): ...  # type: ignore[name-defined]  # noqa: F821

    assert resolve_hints(stage) == {"b": Page}


def test_annotations_of_partials_wrappers_methods_and_callables_are_found():
    class Callable:
        def __call__(self, page: Page): ...

    @functools.wraps(take_page)
    def wrapper(*args): ...

    for function in (functools.partial(take_page), wrapper, Callable(), Callable().__call__):
        assert resolve_hints(function)["page"] is Page
    assert resolve_hints(len) == {}


def test_a_class_of_the_surrounding_function_is_found_in_postponed_annotations():
    import sys

    @dataclass
    class Local:
        number: int

    def stage(page: "Local") -> "Local": ...  # type: ignore[empty-body]

    namespace = names_around(stage, sys._getframe())

    assert namespace == {"Local": Local}
    function = UserFunction(stage, namespace=namespace)
    assert function.bind({"page": {"number": 1}}).keywords["page"] == Local(1)  # type: ignore[attr-defined]
    assert function.return_annotation is Local
    assert names_around(stage, None) == {}
    assert names_around(3, sys._getframe()) == {}


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (dict, dict),
        (dict | Skipped, dict),
        (dict[str, int] | None | Completed, dict[str, int] | None),
        (FanOut, None),
        (Completed | Skipped, None),
        (Any, None),
        (None, None),
        (type(None), type(None)),
        (typing.Union[int, Skipped], int),  # noqa: UP007
    ],
)
def test_outcome_classes_say_nothing_about_the_output(annotation, expected):
    assert output_annotation(annotation) == expected


async def test_what_would_end_the_loop_becomes_a_stage_error_in_async_functions_too():
    async def leave(raised):
        raise raised

    for raised in (SystemExit(2), KeyboardInterrupt()):
        with pytest.raises(StageExecutionError, match=f"'leave' raised {type(raised).__name__}") as caught:
            await call(UserFunction(leave), raised=raised)
        assert caught.value.__cause__ is raised


async def test_waiting_for_something_cancelled_is_a_failure_not_a_cancellation():
    async def wait():
        future = asyncio.get_running_loop().create_future()
        future.cancel()
        await future

    with pytest.raises(StageExecutionError, match=r"'wait' raised CancelledError"):
        await call(UserFunction(wait))


@pytest.mark.parametrize("is_async", [True, False])
async def test_cancelling_the_caller_passes_through(is_async):
    async def wait():
        await asyncio.sleep(60)

    import threading

    release = threading.Event()
    function = UserFunction(wait if is_async else lambda: release.wait(5))
    task = asyncio.create_task(call(function))
    await asyncio.sleep(0.001)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    release.set()
