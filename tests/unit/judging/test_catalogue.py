"""Exercises are found by id: those that packages declare, and those of a module that is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from pytest_swarmlab.contents import exercises
from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.judging.catalogue import GROUP, Catalogue

DECLARES = """
from pytest_swarmlab import Exercise

exercise = Exercise("{id}", "An exercise", module=__name__)
"""


class Site:
    """A directory where packages are installed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def module(self, name: str, text: str) -> None:
        """A module of that name, which nobody has imported."""
        (self.path / f"{name}.py").write_text(text, encoding="utf-8")

    def package(self, name: str, **exercises: str) -> None:
        """A distribution with these exercises: id (with _ for a point) → where it is."""
        about = self.path / f"{name}-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n", encoding="utf-8")
        lines = (f"{id_.replace('_', '.')} = {place}\n" for id_, place in exercises.items())
        (about / "entry_points.txt").write_text(f"[{GROUP}]\n{''.join(lines)}", encoding="utf-8")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    path = tmp_path / "site"
    path.mkdir()
    monkeypatch.syspath_prepend(path)
    yield Site(path)
    for name in ("mine", "theirs"):
        sys.modules.pop(name, None)


def test_every_exercise_of_the_lab_is_in_it() -> None:
    ours = {entry.name for entry in entry_points(group=GROUP)}
    others = {"monitoring", "state", "submission"}
    assert ours == {*others, *exercises()}


@pytest.mark.parametrize("number", sorted(exercises()))
def test_the_lab_s_exercises_are_found_by_their_numbers(number: str) -> None:
    exercise = Catalogue().exercise(number)
    assert exercise.id == number
    assert exercise.checks


def test_anybody_s_package_may_have_exercises(site: Site) -> None:
    site.module("theirs", DECLARES.format(id="site"))
    site.package("theirs", site="theirs:exercise")
    assert Catalogue().exercise("site").title == "An exercise"
    assert {"2.1", "site"} <= set(Catalogue().ids())


def test_only_the_exercise_that_is_wanted_is_imported(site: Site) -> None:
    site.module("theirs", "1 / 0")
    site.package("theirs", x="theirs:exercise")
    assert Catalogue().exercise("2.3").id == "2.3"
    assert "theirs" not in sys.modules


def test_an_id_that_nobody_has_is_told_with_those_there_are(site: Site) -> None:
    site.package("theirs", site="theirs:exercise")
    with pytest.raises(ConfigError) as refusal:
        Catalogue().exercise("2.99")
    assert str(refusal.value) == (
        "exercise 2.99 is not installed here: there are 2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8,"
        " 2.9, 2.10, monitoring, site, state, submission. Name the module that declares it:"
        " swarmlab judge --exercises MODULE DIRECTORY"
    )


def test_an_id_that_two_packages_have_is_nobody_s(site: Site) -> None:
    site.package("one", site="one:exercise")
    site.package("other", site="other:exercise")
    with pytest.raises(
        ConfigError, match=r"^exercise site is declared by one 1\.0 and other 1\.0: uninstall one"
    ):
        Catalogue().exercise("site")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", r"can't be imported \(ZeroDivisionError: division by zero\)"),
        ("exercis", r"can't be imported \(NameError: "),
        ("x = 1", r"can't be imported \(AttributeError: "),
        ("import gone_with_the_wind", r"can't be imported \(ModuleNotFoundError: "),
        ("exercise = 'site'", r"theirs:exercise of theirs 1\.0 is no exercise site$"),
        (DECLARES.format(id="other"), r"theirs:exercise of theirs 1\.0 is no exercise site$"),
    ],
)
def test_what_is_no_exercise_is_told_with_whose_it_is(site: Site, text: str, said: str) -> None:
    site.module("theirs", text)
    site.package("theirs", site="theirs:exercise")
    with pytest.raises(ConfigError, match=said) as refusal:
        Catalogue().exercise("site")
    assert "theirs 1.0" in str(refusal.value)


@pytest.fixture
def project(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A directory, the working directory, with modules that are not installed."""
    del site
    path = tmp_path / "project"
    path.mkdir()
    monkeypatch.chdir(path)
    return Site(path)


def test_a_module_that_is_named_is_found_where_one_is(project: Site) -> None:
    project.module("mine", DECLARES.format(id="site"))
    assert Catalogue(["mine"]).exercise("site").module == "mine"
    assert Catalogue(["mine"]).exercise("2.3").id == "2.3"
    assert "site" in Catalogue(["mine"]).ids()


def test_a_module_may_declare_several_and_outweighs_what_is_installed(project: Site) -> None:
    project.module("mine", DECLARES.format(id="2.3") + "other = Exercise('b', '', module='')\n")
    catalogue = Catalogue(["mine"])
    assert catalogue.exercise("2.3").module == "mine"
    assert catalogue.exercise("b").id == "b"


def test_a_module_here_takes_no_installed_one_s_place(site: Site, project: Site) -> None:
    site.module("theirs", DECLARES.format(id="site"))
    project.module("theirs", "1 / 0")
    assert Catalogue(["theirs"]).exercise("site").module == "theirs"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1 / 0", r"^the module 'mine' can't be imported \(ZeroDivisionError: division by zero\)$"),
        ("x = 1", "^the module 'mine' declares no exercise$"),
    ],
)
def test_a_module_that_is_of_no_use_is_a_sentence(project: Site, text: str, said: str) -> None:
    project.module("mine", text)
    with pytest.raises(ConfigError, match=said):
        Catalogue(["mine"])


@pytest.mark.parametrize("name", ["gone_with_the_wind", "", "a..b"])
def test_a_module_that_is_not_there_is_a_sentence(project: Site, name: str) -> None:
    del project
    with pytest.raises(ConfigError, match=f"^the module '{name}' can't be imported "):
        Catalogue([name])
