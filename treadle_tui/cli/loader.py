"""Loads workflows from the places where they may be, and says what is wrong with those that cannot be had.

Knows no screen and no command line: both ask it.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from treadle_tui.cli.workflow_file import FileProblem, Problem, deepest_line, error_words, line_of_name, run_file
from treadle_tui.cli.workflow_places import BESIDE, GIVES_WAY, Place, is_everybodys, places_for
from treadle_tui.engine.errors import TreadleError, nearest

if TYPE_CHECKING:
    from treadle_tui.engine.workflow import Workflow

DEFINITION_SUFFIXES = (".toml", ".json")


class WorkflowNotFound(TreadleError):
    """No workflow of that name was found."""

    def __init__(self, name: str, known: Iterable[str], problems: Sequence[Problem] = ()) -> None:
        self.name = name
        self.known = sorted(known)
        self.problems = list(problems)
        """Files that could not be loaded: the workflow may be in one of them."""
        count = len(self.problems)
        files = "1 file" if count == 1 else f"{count} files"
        unloaded = f" ({files} could not be loaded, the first: {self.problems[0]})" if count else ""
        super().__init__(f"no workflow is called {name!r}; {nearest(name, self.known)}{unloaded}")


def find_workflows(db: Path | None, extra: Sequence[str] = ()) -> LoadedWorkflows:
    """The workflows for a database, not loaded yet: nothing is read or run before `load`.

    Args:
        db: the database; `workflows/` beside it is looked at when it exists. None, or ":memory:": there is no beside.
        extra: what `--workflows` named, in order: files, folders, or `module:attr`.

    Raises:
        PlaceNotFound: one of `extra` does not exist.
    """
    return LoadedWorkflows(*places_for(db, extra))


class LoadedWorkflows:
    """What was found, and what was wrong. Reading anything from it loads it first; `load` may be called from any thread."""

    def __init__(self, places: Sequence[Place], problems: Sequence[Problem] = ()) -> None:
        self.places = list(places)
        """Where is looked, first to last; of two workflows of one name the first counts."""
        self._known_problems = list(problems)
        self._lock = threading.RLock()
        self._found: _Findings | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether `load` has been through."""
        return self._found is not None

    @property
    def workflows(self) -> list[Workflow]:
        """Every workflow that can be used, in the order in which they were found."""
        return list(self._findings().by_name.values())

    @property
    def problems(self) -> list[Problem]:
        """Everything that could not be loaded, in the order in which it was met."""
        return list(self._findings().problems)

    def by_name(self, name: str) -> Workflow:
        """The workflow of that name.

        Raises:
            WorkflowNotFound: there is none; names the nearest one.
        """
        found = self._findings()
        if name not in found.by_name:
            raise WorkflowNotFound(name, found.by_name, found.problems)
        return found.by_name[name]

    def origin(self, name: str) -> str:
        """The file, or `module:attr`, that the workflow of that name came from."""
        return self._findings().origins[self.by_name(name).name]

    def load(self) -> Self:
        """Run the files, once; later calls return at once."""
        self._findings()
        return self

    def _findings(self) -> _Findings:
        with self._lock:
            if self._found is None:
                found = _Findings(self._known_problems)
                for place in self.places:
                    found.look_at(place)
                self._found = found
            return self._found


class _Findings:
    """Fills up while places are looked at, one after the other."""

    def __init__(self, problems: Sequence[Problem] = ()) -> None:
        self.by_name: dict[str, Workflow] = {}
        self.origins: dict[str, str] = {}
        self.problems = list(problems)
        self._seen_files: set[Path] = set()
        self._seen_workflows: set[int] = set()
        self._is_default = False

    def look_at(self, place: Place) -> None:
        """Add what the place has."""
        self._is_default = place.why in GIVES_WAY
        if place.kind == "module":
            self._add_module(place.target, Path(place.folder) if place.folder else Path.cwd())
        elif place.kind == "packages":
            self._add_packages(place.target)
        elif place.kind == "file":
            self._add_file(Path(place.target))
        else:
            if place.why == BESIDE and is_everybodys(Path(place.target)):
                message = "everybody may write there, so nothing in it is run; change its permissions, or name it with --workflows"
                self.problems.append(Problem(place.target, None, message))
                return
            for path in self._files_of(Path(place.target)):
                self._add_file(path)

    def _files_of(self, folder: Path) -> Iterator[Path]:
        try:
            names = sorted(folder.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            self.problems.append(Problem(str(folder), None, f"cannot be read: {error.strerror or error}"))
            return
        wanted = (".py", *DEFINITION_SUFFIXES)
        yield from (path for path in names if path.suffix in wanted and not path.name.startswith(("_", ".")) and path.is_file())

    def _add_file(self, path: Path) -> None:
        identity = path.resolve()
        if identity in self._seen_files:
            return
        self._seen_files.add(identity)
        if path.suffix in DEFINITION_SUFFIXES:
            self._add_definition(path)
        elif path.suffix == ".py":
            self._add_python_file(path)
        else:
            self.problems.append(Problem(str(path), None, "is no workflow file; workflow files end in .py, .toml or .json"))

    def _add_python_file(self, path: Path) -> None:
        try:
            module = run_file(path)
        except FileProblem as failed:
            self.problems.append(failed.problem)
            return
        for name, value in list(vars(module).items()):
            if _is_workflow(value) and _is_defined_in(value, path):
                self._add(value, str(path), line_of_name(path, name))

    def _add_definition(self, path: Path) -> None:
        from treadle_tui.engine.definitions.loading import load_definition

        try:
            workflow = load_definition(path)
        except TreadleError as error:
            found = [_definition_problem(path, each) for each in (error, *getattr(error, "also", ()))]
            self.problems += sorted(found, key=lambda problem: problem.line or 0)
        except OSError as error:
            self.problems.append(Problem(str(path), None, f"cannot be read: {error.strerror or error}"))
        else:
            self._add(workflow, str(path), None)

    def _add_packages(self, group: str) -> None:
        """What installed packages offer, in the order of their names."""
        from importlib.metadata import entry_points

        for offered in sorted(entry_points(group=group), key=lambda each: (each.name, each.value)):
            module_name, _, attribute = offered.value.partition(":")
            if attribute:
                self._add_module(f"{module_name.strip()}:{attribute.partition('[')[0].strip()}", None)
            else:
                self._add_whole_module(module_name.partition("[")[0].strip())

    def _add_whole_module(self, module_name: str) -> None:
        """Every workflow among the names of a module."""
        try:
            module = importlib.import_module(module_name)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # as in _add_module
            self.problems.append(_module_problem(module_name, error))
            return
        for name, value in list(vars(module).items()):
            if _is_workflow(value):
                self._add(value, f"{module_name}:{name}", None)

    def _add_module(self, target: str, folder: Path | None) -> None:
        module_name, _, attribute = target.partition(":")
        if folder is not None:
            _allow_directory(module_name, folder)
        try:
            value: Any = importlib.import_module(module_name)
            for part in attribute.split("."):
                value = getattr(value, part)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # whatever a module raises when it is imported, SystemExit too
            self.problems.append(_module_problem(target, error))
            return
        values = list(value) if isinstance(value, (list, tuple)) else [value]
        if not values or not all(_is_workflow(each) for each in values):
            self.problems.append(Problem(target, None, f"is a {type(value).__name__}, not a Workflow"))
            return
        for workflow in values:
            self._add(workflow, target, None)

    def _add(self, workflow: Workflow, origin: str, line: int | None) -> None:
        if id(workflow) in self._seen_workflows:
            return
        self._seen_workflows.add(id(workflow))
        try:
            workflow.stages()  # builds it: a cycle or an unknown stage shows now and here, not when the first item runs
        except (TreadleError, TypeError) as error:
            self.problems.append(Problem(origin, line, str(error)))
            return
        if workflow.name in self.by_name and self._is_default:
            return  # somebody has a version of their own, and means it
        if workflow.name in self.by_name:
            first = self.origins[workflow.name]
            message = f"the workflow {workflow.name!r} is left out, because {first} has one of that name; rename one of the two"
            self.problems.append(Problem(origin, line, message))
            return
        self.by_name[workflow.name] = workflow
        self.origins[workflow.name] = origin


def _is_workflow(value: object) -> bool:
    from treadle_tui.engine.workflow import Workflow

    return isinstance(value, Workflow)


def _is_defined_in(workflow: Workflow, path: Path) -> bool:
    """Whether the file made the workflow itself, or had it made for it; one it imported counts where it was made."""
    file = workflow.origin.file
    return file is None or Path(file).resolve() == path.resolve()


def _definition_problem(path: Path, error: TreadleError) -> Problem:
    """The error of a definition, which begins with its file and, where it is known, the line."""
    begins = re.match(rf"{re.escape(str(path))}(?:, line (\d+))?[,:] ", str(error))
    if begins is None:
        return Problem(str(path), None, str(error))
    return Problem(str(path), int(begins[1]) if begins[1] else None, str(error)[begins.end() :])


def _module_problem(target: str, error: BaseException) -> Problem:
    if isinstance(error, SyntaxError) and error.filename is not None:
        return Problem(error.filename, error.lineno, f"{type(error).__name__}: {error.msg}")
    spot = deepest_line(error, Path.cwd())
    return Problem(*spot, error_words(error)) if spot else Problem(target, None, error_words(error))


def _allow_directory(module_name: str, here: Path) -> None:
    """Let `module:attr` find a module of the current or the project's folder that is found nowhere else; it was named, so it is meant.

    Last on the path, and only then: nothing installed can be shadowed by a file that happens to lie there.
    """
    top = module_name.partition(".")[0]
    is_here = (here / top).is_dir() or (here / f"{top}.py").is_file()
    if is_here and importlib.util.find_spec(top) is None and str(here) not in sys.path:
        sys.path.append(str(here))
