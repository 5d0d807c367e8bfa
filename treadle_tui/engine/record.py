"""What the engine's values are made of: small, frozen, compared by their fields.

A record is a `msgspec.Struct`, because a frozen dataclass costs half a millisecond to define and a struct a thirtieth of that: the
engine defines a hundred, and a program that only wants to look at its reviews defines them too. Making one is eight times faster
as well. To everybody else a record is a dataclass: `dataclasses.fields`, `replace`, `asdict` and `is_dataclass` know it, and so does
the type checker.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field
    from typing import NoReturn


class _DataclassFields:
    """The fields as `dataclasses` wants them; worked out for a class when somebody asks."""

    def __init__(self) -> None:
        self._known: dict[type[Record], dict[str, Field[Any]]] = {}

    def __get__(self, instance: object, owner: type[Record]) -> dict[str, Field[Any]]:
        if owner not in self._known:
            self._known[owner] = _dataclass_fields(owner)
        return self._known[owner]


def _dataclass_fields(record: type[Record]) -> dict[str, Field[Any]]:
    import dataclasses

    made = []
    for each in msgspec.structs.fields(record):
        options: dict[str, Any] = {"kw_only": each.name not in record.__match_args__}
        if each.default is not msgspec.NODEFAULT:
            options["default"] = each.default
        elif each.default_factory is not msgspec.NODEFAULT:
            options["default_factory"] = each.default_factory
        made.append((each.name, each.type, dataclasses.field(**options)))
    return {field.name: field for field in dataclasses.fields(dataclasses.make_dataclass(record.__name__, made))}


class _DataclassParameters:
    """What `@dataclass(frozen=True)` says of a class it has made."""

    def __get__(self, instance: object, owner: type[Record]) -> Any:
        import dataclasses

        return dataclasses.make_dataclass(owner.__name__, (), frozen=True).__dataclass_params__  # type: ignore[attr-defined]


class Record(msgspec.Struct, frozen=True):
    """The base of the engine's values. Each says `frozen=True`, and `kw_only=True` where a position would tell nothing."""

    if TYPE_CHECKING:
        __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    else:
        __dataclass_fields__: ClassVar[Any] = _DataclassFields()
        __dataclass_params__: ClassVar[Any] = _DataclassParameters()

        @property
        def __dict__(self) -> dict[str, Any]:
            """The fields by name, for `vars`; a copy."""
            return msgspec.structs.asdict(self)


def refuse_changes(*kinds: type[Record]) -> None:
    """Let these, and those made of them so far, refuse a change as a frozen dataclass does, with `FrozenInstanceError`.

    A struct refuses with an `AttributeError`, and takes no other answer at its definition; so this comes after all of a module's.
    """
    for kind in kinds:
        change: Callable[..., NoReturn] = _refuse_change
        type.__setattr__(kind, "__setattr__", change)
        type.__setattr__(kind, "__delattr__", change)


def _refuse_change(self: Record, name: str, *value: object) -> NoReturn:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(
        f"cannot {'assign to' if value else 'delete'} field {name!r} of a {type(self).__name__}; make another with replace"
    )


def keep_text(record: Record, field: str) -> None:
    """Make a text of what a field that holds one was given: nothing of None, and of an exception its words."""
    given = getattr(record, field)
    if not isinstance(given, str):
        msgspec.structs.force_setattr(record, field, "" if given is None else str(given))
