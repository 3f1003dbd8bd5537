"""The build stage: sources and the host's ways to the network go in, what images copy comes out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images import SilentReport, recipe, roots, stage
from pytest_swarmlab.images.recipe import RootRecipe, StageRecipe
from pytest_swarmlab.images.stage import copy_built, make_stage


def bare(*commands: tuple[str, ...]) -> RootRecipe:
    """A root of nothing but files."""
    return RootRecipe("stage", "", "essential", (), commands=commands)


def test_sources_and_what_tells_of_the_network_are_there_when_its_commands_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    for directory in (home, work):
        directory.mkdir()
    (home / ".npmrc").write_text("registry=https://npm.example\n", encoding="utf-8")
    (home / ".npmrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    source = tmp_path / "build"
    source.write_text("#!/bin/sh\n", encoding="utf-8")
    seen: list[str] = []

    def run(argv: list[str], _: object, **__: object) -> None:
        root = work / "stage"
        script = root / "src/users/build"
        seen.append(argv[-1])
        seen.append(f"{script.stat().st_mode & 0o777:o}")
        settings = root / home.relative_to("/") / ".npmrc"
        seen.append(settings.read_text(encoding="utf-8"))
        seen.append(f"{settings.stat().st_mode & 0o777:o}")

    monkeypatch.setattr(stage, "run", run)
    wanted = StageRecipe(bare(("/src/users/build",)), ((source, "users/build", 0o755),))
    assert make_stage(wanted, work, SilentReport()) == work / "stage"
    assert seen == ["/src/users/build", "755", "registry=https://npm.example\n", "600"]


def test_a_root_of_files_alone_needs_no_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: object, **__: object) -> None:
        raise AssertionError("a command was run")

    monkeypatch.setattr(roots, "run", nothing)
    root = roots.make_root(bare(), tmp_path, SilentReport())
    assert list(root.iterdir()) == []
    assert roots.packages(root) == {}


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("npm's packages can't be had: see that …", "npm's packages can't be had: see that …"),
        ("main.go:1:1: syntax error", "`users/build` ended with 1"),
    ],
)
def test_a_registry_that_is_away_is_told_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, told: str
) -> None:
    def fail(_: object, __: object, *, explain: Callable[[str], str]) -> None:
        whys = map(explain, ("    at async installVersion (corepack.cjs:42172:18)", said))
        raise BuildError(next(filter(None, whys), "`users/build` ended with 1"))

    monkeypatch.setattr(stage, "run", fail)
    with pytest.raises(BuildError) as error:
        make_stage(StageRecipe(bare(("users/build",)), ()), tmp_path, SilentReport())
    assert str(error.value) == told


def test_the_sentence_is_the_one_that_the_stage_says() -> None:
    script = recipe.RECIPES / "build-stage/usr/local/bin/npm-ci"
    assert f'echo "{stage.REFUSAL}:' in script.read_text(encoding="utf-8")


def test_files_and_directories_that_were_built_are_copied(tmp_path: Path) -> None:
    built, root = tmp_path / "stage", tmp_path / "root"
    (built / "src/pages/assets").mkdir(parents=True)
    (built / "src/pages/assets/a.js").write_text("1", encoding="utf-8")
    (built / "src/users").write_text("program", encoding="utf-8")
    (built / "src/users").chmod(0o755)
    (root / "srv/pages").mkdir(parents=True)
    copied = {"src/pages": "srv/pages", "src/users": "usr/bin/users"}
    copy_built(copied, built, root)
    assert (root / "srv/pages/assets/a.js").read_text(encoding="utf-8") == "1"
    assert (root / "usr/bin/users").stat().st_mode & 0o777 == 0o755


def test_what_was_not_built_is_named(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="the build stage has not made src/dist, which an image"):
        copy_built({"src/dist": "srv"}, tmp_path / "stage", tmp_path / "root")
