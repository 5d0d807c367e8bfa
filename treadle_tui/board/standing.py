"""How the engine behind the screen is doing, as the header says it."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Phase(str, Enum):
    """Where the engine is in its life."""

    #: The database is being opened.
    OPENING = "opening"
    #: The database is open and can be read; the workflows are being loaded.
    OPEN = "open"
    #: Stages run as they become ready.
    RUNNING = "running"
    #: Ready, and no stages are run here.
    ATTACHED = "attached"
    #: The engine has failed; the database can still be read.
    STOPPED = "stopped"
    #: The database could not be opened.
    UNOPENED = "unopened"
    #: An orderly stop is under way.
    STOPPING = "stopping"
    #: Everything has been let go.
    CLOSED = "closed"


class Attachment(str, Enum):
    """What this terminal does with the database besides showing it."""

    #: It runs stages, and a person may change everything.
    RUN = "run"
    #: A person may change everything; stages are run by others.
    DECIDE = "decide"
    #: Nothing: it is only looked at.
    READ = "read"

    @property
    def words(self) -> str:
        """As the header says it; empty where nothing need be said."""
        return {"run": "", "decide": "runs nothing here", "read": "read-only"}[self.value]


class Standing(NamedTuple):
    """A phase, and the sentence that belongs to it."""

    phase: Phase = Phase.OPENING
    words: str = ""
    """What went wrong, or holds things up; empty when nothing does."""
    attachment: Attachment = Attachment.RUN
    """What this terminal does with the database."""

    @property
    def can_read(self) -> bool:
        """Whether there is a database to read."""
        return self.phase in (Phase.OPEN, Phase.RUNNING, Phase.ATTACHED, Phase.STOPPED)

    @property
    def is_failed(self) -> bool:
        """Whether a person should look."""
        return self.phase in (Phase.STOPPED, Phase.UNOPENED)
