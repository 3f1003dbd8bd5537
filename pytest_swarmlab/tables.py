"""Reads tables from files, and names each unusable entry."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path, PurePosixPath
from types import UnionType
from typing import Any, NoReturn

import yaml

from pytest_swarmlab.errors import ConfigError

SHOWN = 120
"""Characters of an unusable value that its refusal repeats."""


class _Loader(yaml.SafeLoader):
    """The safe one, with keys as they are written: YAML 1.1 takes `on` and `off` for booleans."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A table of the file."""
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:bool":
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


class Table:
    """A table from such a file. Each key is taken once, so that a misspelt key is left over and
    found.
    """

    def __init__(self, content: Mapping[str, Any], where: str) -> None:
        self._left = dict(content)
        self._where = where
        self._known: set[str] = set()

    @classmethod
    def toml(cls, path: Path) -> Table:
        """A recipe. Raises ConfigError when the file can't be read or isn't TOML."""
        try:
            return cls(tomllib.loads(path.read_text(encoding="utf-8")), f"recipe {path.name}")
        except OSError as error:
            raise ConfigError(f"the recipe {path} can't be read: {error.strerror}") from error
        except ValueError as error:
            raise ConfigError(f"the recipe {path} is not valid TOML: {error}") from error

    @classmethod
    def yaml(cls, path: Path) -> Table:
        """An inventory. Raises ConfigError when the file can't be read or isn't a YAML table."""
        try:
            content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506
        except OSError as error:
            raise ConfigError(
                f"the inventory {path} can't be read ({error.strerror}): name the file that lists"
                " the cluster's nodes"
            ) from error
        except (ValueError, yaml.YAMLError) as error:
            said = " ".join(str(error).split())
            if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
                said = f"line {error.problem_mark.line + 1}: {error.problem}"
            raise ConfigError(f"the inventory {path} is not valid YAML ({said})") from error
        if not isinstance(content, dict):
            raise ConfigError(f"the inventory {path} must be a table with a list of nodes")
        return cls(content, f"inventory {path.name}")

    def fail(self, why: str) -> NoReturn:
        """Raise ConfigError that says where and why."""
        raise ConfigError(f"{self._where}: {why}")

    def finish(self) -> None:
        """Raise ConfigError if a key was not used."""
        if self._left:
            known = ", ".join(sorted(self._known))
            self.fail(f"unknown key {min(map(str, self._left))!r}: there are {known}")

    def string(self, key: str, default: str | None = None) -> str:
        """Text. Without `default` the key must be there."""
        return str(self._take(key, str, "a string", default))

    def choice(self, key: str, allowed: tuple[Any, ...], default: str | None = None) -> Any:
        """One of these texts."""
        value = self.string(key, default)
        if value not in allowed:
            self.fail(f"{key} {_short(value)} is none of {', '.join(allowed)}")
        return value

    def integer(self, key: str) -> int:
        """A whole number from 1."""
        number = int(self._take(key, int, "a whole number"))
        if number <= 0:
            self.fail(f"{key!r} must be more than 0, not {number}")
        return number

    def number(self, key: str) -> Fraction:
        """A number more than 0, exactly as written: 2.5 is five halves."""
        value = self._take(key, int | float, "a number")
        infinite = isinstance(value, float) and not math.isfinite(value)
        number = Fraction(0) if infinite else Fraction(str(value))
        if number <= 0:
            self.fail(f"{key!r} must be a number more than 0, not {value}")
        return number

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of texts; empty when it isn't there."""
        return self._strings(key, self._take(key, list, "a list of strings", []))

    def words(self, key: str) -> tuple[str, ...]:
        """A list of texts or whole numbers, as texts; empty when it isn't there."""
        every = self._take(key, list, "a list of strings and numbers", [])
        if not all(isinstance(item, str | int) and not isinstance(item, bool) for item in every):
            self.fail(
                f"{key!r} must hold strings and whole numbers only: put quotes around words such as"
                " on, off, yes and no"
            )
        return tuple(str(item) for item in every)

    def commands(self, key: str) -> tuple[tuple[str, ...], ...]:
        """A list of argument lists; empty when it isn't there."""
        every = self._take(key, list, "a list of argument lists", [])
        if not all(isinstance(argv, list) and argv for argv in every):
            self.fail(f"{key!r} must be a list of argument lists")
        return tuple(self._strings(key, argv) for argv in every)

    def mapping(self, key: str) -> dict[str, str]:
        """Name → text; empty when it isn't there."""
        found: dict[str, Any] = self._take(key, dict, "a table of strings", {})
        for name, value in found.items():
            if not isinstance(value, str):
                self.fail(f"{key}.{name} must be a string, not {_short(value)}")
        return dict(found)

    def has(self, key: str) -> bool:
        """Whether the key is there and not yet used."""
        self._known.add(key)
        return key in self._left

    def flag(self, key: str) -> bool:
        """True or false; false when it isn't there."""
        self._known.add(key)
        value = self._left.pop(key, False)
        if not isinstance(value, bool):
            self.fail(f"{key!r} must be true or false, not {_short(value)}")
        return value

    def tables(self, key: str) -> list[Table]:
        """A list of tables, each named by its place in the list."""
        every = self._take(key, list, "a list")
        if not every or not all(isinstance(item, dict) for item in every):
            self.fail(f"{key!r} must be a list of tables")
        return [Table(item, f"{self._where} {key}[{n}]") for n, item in enumerate(every)]

    def named_tables(self, key: str) -> dict[str, Table]:
        """Name → table, in their order; there is one at least."""
        every = self._take(key, dict, "a table of tables")
        if not every or not all(isinstance(item, dict) for item in every.values()):
            self.fail(f"{key!r} must be a table of tables, with one of them at least")
        return {str(n): Table(item, f"{self._where} {key}.{n}") for n, item in every.items()}

    def table(self, key: str) -> Table:
        """A table within; empty when it isn't there."""
        return Table(self._take(key, dict, "a table", {}), f"{self._where} [{key}]")

    def place(self, key: str, default: str | None = None) -> str:
        """A path inside the root. Without `default` the key must be there."""
        if default is not None and not self.has(key):
            return default
        place = self.string(key)
        self.check_place(place)
        return place

    def check_place(self, place: str) -> None:
        """Only what lies inside the root may be named: relative, and without ``..``."""
        path = PurePosixPath(place)
        if not place or path.is_absolute() or ".." in path.parts:
            self.fail(f"{_short(place)} must be a path inside the root: relative and without '..'")

    def _strings(self, key: str, found: list[Any]) -> tuple[str, ...]:
        if not all(isinstance(item, str) for item in found):
            self.fail(f"{key!r} must hold strings only")
        return tuple(found)

    def _take(self, key: str, kind: type | UnionType, called: str, default: Any = None) -> Any:
        self._known.add(key)
        value = self._left.pop(key, default)
        if value is None:
            self.fail(f"{key!r} is missing")
        if not isinstance(value, kind) or isinstance(value, bool):
            self.fail(f"{key!r} must be {called}, not {_short(value)}")
        return value


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"
