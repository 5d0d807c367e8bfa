"""What a person is told of a workflow before choosing it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class WorkflowChoice(NamedTuple):
    """A workflow that items can be added to, or why it is not one."""

    name: str
    about: str = ""
    """One line from its documentation."""
    usage: str = ""
    """What its source takes: "PATH", "[PATH]"; empty for nothing."""
    has_source: bool = True

    @property
    def signature(self) -> str:
        """ "licences [PATH]"."""
        return f"{self.name} {self.usage}".strip()


class WorkflowChoices(NamedTuple):
    """Every workflow that was found, and what was wrong with the rest."""

    choices: Sequence[WorkflowChoice] = ()
    problems: Sequence[str] = ()
    """A sentence each, with file and line."""
    is_loaded: bool = False
    """Whether the workflow files have been read at all yet."""
