"""A teacher's own checks: a Python file beside the rubric that names it.

The file has a variable `checks` that is an `OwnChecks`. It is the teacher's code and is imported;
code of a submission never is.
"""

from __future__ import annotations

import importlib.util
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.judging.exercise import Check, Judge
from pytest_swarmlab.model import Capability
from pytest_swarmlab.text import line

PREFIX = "own."


class OwnChecks:
    """A teacher's checks. Like those of an exercise, each is a function of a record."""

    def __init__(self) -> None:
        self._checks: dict[str, Check] = {}

    def __iter__(self) -> Iterator[Check]:
        return iter(self._checks.values())

    def check(
        self,
        name: str,
        *,
        phase: str,
        title: str,
        expected: str,
        hint: str,
        needs: Sequence[Capability] = (),
    ) -> Callable[[Judge], Judge]:
        """Declare a check with the id ``own.<name>``, which gets the events of `phase`.

        Raises ConfigError for an id given twice.
        """

        def declare(judge: Judge) -> Judge:
            key = PREFIX + name
            if key in self._checks:
                raise ConfigError(f"check {key} is declared twice: give it another name")
            self._checks[key] = Check(key, phase, title, expected, hint, judge, tuple(needs))
            return judge

        return declare


def load(path: Path) -> OwnChecks:
    """The checks of a file. Raises ConfigError, with line and cause, if it can't be used."""
    spec = importlib.util.spec_from_file_location(f"swarmlab_own_{path.stem}", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ConfigError(f"the rubric's Python file {path} must exist and have the suffix .py")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except ConfigError:
        raise
    except Exception as error:
        at = [
            f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)
        ]
        place = f", line {at[-1]}" if at else ""
        raise ConfigError(
            f"the rubric's Python file {path}{place}: {type(error).__name__}: {line(error)}"
        ) from error
    found = getattr(module, "checks", None)
    if not isinstance(found, OwnChecks):
        raise ConfigError(f"the rubric's Python file {path} has no `checks = OwnChecks()`")
    return found
