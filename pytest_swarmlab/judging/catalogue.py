"""Finds exercises for judging a saved run: by id among the installed ones, or in modules that the
user names. A record is untrusted: it has only an exercise's id, and nothing in it is imported.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.text import by_number, line

GROUP = "pytest_swarmlab.exercises"
"""The entry points of exercises: an exercise's id, and the `Exercise` as ``module:attribute``."""


class Catalogue:
    """Finds exercises by id: in the modules that were named, else among the installed ones."""

    def __init__(self, modules: Sequence[str] = ()) -> None:
        """`modules`: names of modules that declare exercises; they outweigh what is installed.

        Raises ConfigError for one that can't be imported or declares none.
        """
        self._named: Mapping[str, Exercise] = dict(_named(modules))

    def exercise(self, id_: str) -> Exercise:
        """The exercise of that id. Raises ConfigError where there is none, or more than one."""
        if id_ in self._named:
            return self._named[id_]
        found = entry_points(group=GROUP, name=id_)
        if len(found) > 1:
            places = " and ".join(sorted(_whose(entry) for entry in found))
            raise ConfigError(f"exercise {id_} is declared by {places}: uninstall one of them")
        for entry in found:
            return _loaded(entry)
        raise ConfigError(
            f"exercise {line(id_)} is not installed here: there are {', '.join(self.ids())}. Name"
            " the module that declares it: swarmlab judge --exercises MODULE DIRECTORY"
        )

    def ids(self) -> list[str]:
        """The ids that can be found, sorted."""
        names = {*self._named, *(entry.name for entry in entry_points(group=GROUP))}
        return sorted(names, key=by_number)


def _loaded(entry: EntryPoint) -> Exercise:
    try:
        exercise = entry.load()
    except Exception as error:
        raise ConfigError(
            f"exercise {entry.name} of {_whose(entry)} can't be imported"
            f" ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(exercise, Exercise) or exercise.id != entry.name:
        raise ConfigError(f"{entry.value} of {_whose(entry)} is no exercise {entry.name}")
    return exercise


def _whose(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value


def _named(modules: Sequence[str]) -> Iterator[tuple[str, Exercise]]:
    for name in modules:
        try:
            with _importable_from_here():
                module = importlib.import_module(name)
        except Exception as error:
            raise ConfigError(
                f"the module {name!r} can't be imported ({type(error).__name__}: {error})"
            ) from error
        found = [each for each in vars(module).values() if isinstance(each, Exercise)]
        if not found:
            raise ConfigError(f"the module {name!r} declares no exercise")
        for exercise in found:
            yield exercise.id, exercise


@contextmanager
def _importable_from_here() -> Iterator[None]:
    """Makes modules of the working directory importable, but not in place of installed ones."""
    here = str(Path.cwd())
    sys.path.append(here)
    try:
        yield
    finally:
        sys.path.remove(here)
