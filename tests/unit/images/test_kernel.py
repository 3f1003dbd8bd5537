"""The own kernel in the cache: built once, apart from the disks, whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from pytest_swarmlab.errors import BuildError
from pytest_swarmlab.images import (
    SilentReport,
    ensure_kernel,
    find_kernel,
    remove_old_kernels,
    roots,
)
from pytest_swarmlab.images.manifest import KernelManifest, KernelRecord
from pytest_swarmlab.images.progress import BuildReport
from pytest_swarmlab.images.recipe import KernelRecipe, RootRecipe, load_own_kernel

RECORD = KernelRecord(
    "own", "7.3.4-swarmlab", "Debian's linux-source-7.3 7.3.4-1", ("quiet",), "vector", False
)


def fake_build(
    recipe: KernelRecipe, target: Path, place: Path, report: BuildReport
) -> KernelManifest:
    report.log("compiled")
    (target / "linux.uml").write_bytes(b"kernel")
    return KernelManifest(recipe.key, RECORD, str(place))


def no_build(*_: object) -> KernelManifest:
    raise AssertionError("built again")


def test_a_kernel_is_built_once_and_found_again(tmp_path: Path) -> None:
    assert find_kernel(tmp_path) is None
    built = ensure_kernel(tmp_path, report=SilentReport(), build=fake_build)
    assert built == find_kernel(tmp_path)
    assert built == ensure_kernel(tmp_path, report=SilentReport(), build=no_build)
    assert built.path == tmp_path / "kernels" / load_own_kernel().key
    assert built.program.read_bytes() == b"kernel"
    assert built.preload == ""
    assert str(built) == "own kernel 7.3.4-swarmlab (Debian's linux-source-7.3 7.3.4-1)"


def test_a_failed_compilation_leaves_its_log_and_nothing_else(tmp_path: Path) -> None:
    def fails(recipe: KernelRecipe, target: Path, place: Path, report: BuildReport) -> None:
        fake_build(recipe, target, place, report)
        raise BuildError("`make` ended with 2: error: no such register")

    with pytest.raises(BuildError, match=r"no such register.*all that the build said: ") as error:
        ensure_kernel(tmp_path, report=SilentReport(), build=fails)  # type: ignore[arg-type]
    (log,) = (tmp_path / "kernels").glob(".failed*")
    assert str(log) in str(error.value)
    assert "compiled" in log.read_text(encoding="utf-8")
    assert find_kernel(tmp_path) is None
    assert not list((tmp_path / "kernels").glob(".building*"))


def test_a_spoilt_kernel_says_what_to_do(tmp_path: Path) -> None:
    built = ensure_kernel(tmp_path, report=SilentReport(), build=fake_build)
    built.program.unlink()
    with pytest.raises(BuildError, match=r"linux.uml is missing: remove .* built again"):
        find_kernel(tmp_path)
    (built.path / "manifest.json").write_text('{"kernel": {"words": 1}}', encoding="utf-8")
    with pytest.raises(BuildError, match=r"can't be read .*remove .* built again"):
        find_kernel(tmp_path)


def test_kernels_of_other_recipes_are_removed(tmp_path: Path) -> None:
    built = ensure_kernel(tmp_path, report=SilentReport(), build=fake_build)
    old = tmp_path / "kernels/0123456789abcdef"
    old.mkdir()
    (old / "linux.uml").write_bytes(b"x" * 4096)
    assert list(remove_old_kernels(tmp_path)) == [old.name]
    assert find_kernel(tmp_path) == built
    assert not old.exists()


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("E: Unable to locate package linux-source", "no longer has a package of the recipe"),
        ("E: Release 'trixie-backports' for 'linux-source' was not found", "no longer"),
        ("W: GPG error: InRelease: the public key is not available", "debian-archive-keyring"),
        ("E: The repository is not signed.", "signature of the packages is missing"),
        ("E: Failed to fetch x.deb  Hash Sum mismatch", "not what Debian signed"),
        ("W: Failed to fetch x  Temporary failure resolving 'deb'", "can't be found"),
    ],
)
def test_packages_that_cannot_be_had_are_told_as_what_they_are(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str, meant: str
) -> None:
    def refused(*_: object, explain: Callable[[str], str], **__: object) -> None:
        whys = map(explain, ("I: running apt-get update...", said, "E: setup failed"))
        raise BuildError(next(filter(None, whys), "`mmdebstrap …` ended with 25: E: setup failed"))

    monkeypatch.setattr(roots, "run", refused)
    recipe = RootRecipe("kernel-own", "trixie", "minbase", ("linux-source",))
    with pytest.raises(BuildError) as error:
        roots.bootstrap(recipe, tmp_path, SilentReport())
    assert str(error.value).startswith("the packages of kernel-own can't be had: ")
    assert meant in str(error.value)
    assert said in str(error.value)


def test_what_a_bootstrap_makes_for_itself_lies_in_the_build_s_own_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def killed(argv: Sequence[str], *_: object, **__: object) -> None:
        env, variable, program, *_options = argv
        assert (env, program) == ("env", "mmdebstrap")
        place = Path(variable.removeprefix("TMPDIR="))
        assert place.parent == tmp_path
        (place / "mmdebstrap.gpghome.x").mkdir()
        raise BuildError("it was killed")

    monkeypatch.setattr(roots, "run", killed)
    recipe = RootRecipe("kernel-own", "trixie", "minbase", ("linux-source",))
    with pytest.raises(BuildError, match="it was killed"):
        roots.bootstrap(recipe, tmp_path, SilentReport())
    assert list(tmp_path.iterdir()) == []


def test_an_options_file_says_each_option_once() -> None:
    tree = load_own_kernel().root.tree
    assert tree is not None
    text = (tree / "usr/src/swarmlab/options").read_text(encoding="utf-8")
    names = [line.partition("=")[0] for line in text.splitlines() if line.startswith("CONFIG_")]
    assert len(names) == len(set(names)) > 150
    # The build looks for each line as it stands in the configuration that was made.
    assert not [line for line in text.splitlines() if line.endswith(("=n", "=m", " "))]
