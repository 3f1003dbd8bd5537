"""Runs the tests of the plugin beside other plugins, with other releases of pytest and Python.

``python -m tests.neighbours [NAME …] [TESTS …]``: each combination has a virtual environment of its
own, which is gone afterwards; TESTS are files of tests instead of its own. A Python that this
machine has not comes from a Debian release, in a root file system of its own: as root, with
mmdebstrap. Where no release has it either, it is looked for here as ``python3.12``, and that
combination is told as not tried if there is none. SIGTERM ends it as Ctrl-C does, and pytest tells
what has failed so far.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PLUGINS = ("pytest-asyncio>=0.24", "pytest-playwright>=0.5")
"""Beside those of the extra `dev`; a browser is not needed."""

LOWEST = re.compile(r"(pytest[a-z-]*)>=([0-9.]+)")
"""How pyproject.toml has the oldest release of pytest, or of a plugin, that is supported."""

ASIDE = ("-p", "no:asyncio", "-p", "no:playwright")
"""The suites that our tests run have these plugins; our own session, where a warning is an error,
has not: pytest-asyncio warns of its own default."""

ENDED_BY = {signal.SIGINT, signal.SIGTERM}
TEMPORARY = "tmp"
"""Directory for the temporary files of what only prepares the tests."""

ENDS_S = 60
"""Seconds that processes get to end in order: mmdebstrap removes its mounts, pytest its workers."""


@dataclass(frozen=True)
class Combination:
    """A Python, a pytest, and which tests are run.

    `oldest`: whether the plugins are the oldest, too. `python`: its version; "" for the Python that
    runs this. `suite`: the Debian release that has it; "" if it is this machine's.
    """

    name: str
    pytest: str
    tests: tuple[str, ...] = ("tests/plugin",)
    python: str = ""
    suite: str = ""
    oldest: bool = False


COMBINATIONS = (
    Combination("oldest-pytest", "pytest==8.3.*", oldest=True),
    Combination("newest-pytest", "pytest>=9"),
    Combination("python-3.12", "pytest>=9", ("tests/unit", "tests/plugin"), "3.12"),
    Combination("python-3.13", "pytest>=9", ("tests/unit", "tests/plugin"), "3.13", "trixie"),
    Combination("python-3.14", "pytest>=9", ("tests/unit", "tests/plugin"), "3.14", "sid"),
)
"""No Debian release has Python 3.12 any more."""


def main(words: Sequence[str]) -> int:
    """Run those named, or all that can be; returns how many failed."""
    known = {each.name: each for each in COMBINATIONS}
    tests = tuple(word for word in words if (PROJECT / word).exists())
    names = [word for word in words if word not in tests]
    if unknown := [name for name in names if name not in known]:
        print(f"no combination {unknown[0]!r}: there are {', '.join(known)}", file=sys.stderr)
        return 2
    chosen = [known[name] for name in names or known]
    results = {each.name: run(replace(each, tests=tests or each.tests)) for each in chosen}
    for name, code in results.items():
        outcome = {None: "not tried", 0: "passed"}.get(code, f"FAILED ({code})")
        print(f"{name:15} {outcome}")
    return sum(bool(code) for code in results.values())


def run(combination: Combination) -> int | None:
    """Its exit code, pytest's if it came that far; None if its Python can't be had."""
    print(f"== {combination.name}", flush=True)
    mine = sys.executable
    if combination.python and not combination.suite:
        try:
            mine = _interpreter(combination.python)
        except (FileNotFoundError, subprocess.CalledProcessError):
            print(f"no python{combination.python} can be run here: put one into PATH")
            return None
    with tempfile.TemporaryDirectory(prefix="swarmlab-neighbours-") as made:
        place = Path(made)
        (place / TEMPORARY).mkdir()
        try:
            wheels = _wheels(combination, place / "wheels")
            if not combination.suite:
                _copy(place / "project")
                return _tested(combination, place, wheels, mine)
            root = _root(combination, place / "root")
            _copy(root / "project")
            shutil.copytree(wheels, root / "wheels")
            within = [sys.executable, "-m", "tests.neighbours", "--inside", str(root)]
            # Its mounts and processes end with it.
            apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
            command = [*apart, *within, combination.name, *combination.tests]
            return _code(command)
        except subprocess.CalledProcessError as error:
            print(f"{error.cmd[0]} ended with {error.returncode}", file=sys.stderr)
            return 3


def inside(root: Path, combination: Combination) -> int:
    """The same within that root file system, in namespaces of its own."""
    for mount in (["--rbind", "/dev", "dev"], ["-t", "proc", "proc", "proc"]):
        _done(["mount", *mount[:-1], str(root / mount[-1])])
    os.chroot(root)
    os.chdir("/")
    return _tested(combination, Path("/"), Path("/wheels"), f"/usr/bin/python{combination.python}")


def _code(
    command: Sequence[str], *, at: Path = PROJECT, environment: Mapping[str, str] | None = None
) -> int:
    """How that command ends. It has a process group, which ends with us."""
    with subprocess.Popen(
        command, cwd=at, env=environment, start_new_session=True, preexec_fn=_anew
    ) as process:
        try:
            with _listening():
                return process.wait()
        except BaseException:
            with suppress(ProcessLookupError, subprocess.TimeoutExpired):
                # As Ctrl-C: pytest sums up, and pip removes what it has begun.
                os.killpg(process.pid, signal.SIGINT)
                process.wait(ENDS_S)
            raise
        finally:
            # What a command has left that was killed itself would write on there.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _listening() -> Iterator[None]:
    """Only here is this process ended: never while a directory is made or removed."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDED_BY)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDED_BY)


def _anew() -> None:
    """In a new process, whatever this one ignores."""
    for each in ENDED_BY:
        signal.signal(each, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDED_BY)


def _end(number: int, _: object) -> None:
    """Once: make, for one, passes on to its processes what they were told themselves."""
    for each in ENDED_BY:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def _done(command: Sequence[str], *, at: Path = PROJECT, temporary: Path | None = None) -> None:
    """Run it. Raises CalledProcessError if it fails.

    `temporary`: where it has its temporary files, which go with that directory if it is killed.
    """
    environment = {**os.environ, "TMPDIR": str(temporary)} if temporary else None
    if code := _code(command, at=at, environment=environment):
        raise subprocess.CalledProcessError(code, list(command))


def _interpreter(version: str) -> str:
    """This machine's Python of that version; what PATH has may only lead there."""
    asked = [f"python{version}", "-c", "import sys; print(sys.executable)"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()


def _tested(combination: Combination, place: Path, wheels: Path, python: str) -> int:
    venv, temporary = place / "venv", place / TEMPORARY
    _done([python, "-m", "venv", str(venv)], at=place, temporary=temporary)
    install = [f"{venv}/bin/python", "-m", "pip", "install", "--quiet", "--no-index"]
    install += [f"--find-links={wheels}", *_wanted(combination, wheels)]
    _done(install, at=place, temporary=temporary)
    environment = {
        "PATH": f"{venv}/bin:{os.environ['PATH']}",
        "HOME": str(place),
        "TMPDIR": "/tmp" if place == Path("/") else tempfile.gettempdir(),
        "LANG": "C.UTF-8",
    }
    tests = [f"{venv}/bin/python", "-m", "pytest", "-q", "-n2", *ASIDE, *combination.tests]
    return _code(tests, at=place / "project", environment=environment)


def _wanted(combination: Combination, wheels: Path) -> list[str]:
    (own,) = wheels.glob("pytest_swarmlab-*.whl")
    plugins = _oldest() if combination.oldest else PLUGINS
    return [f"pytest-swarmlab[dev] @ {own.as_uri()}", combination.pytest, *plugins]


def _oldest() -> list[str]:
    """Each plugin in its oldest release that pyproject.toml permits, and those of `PLUGINS`."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"], *PLUGINS]
    found = filter(None, map(LOWEST.fullmatch, wanted))
    return [f"{name}=={version}.*" for name, version in (each.groups() for each in found)]


def _wheels(combination: Combination, wheels: Path) -> Path:
    """All that is to be installed, for that Python: no network is needed afterwards."""
    pip, temporary = [sys.executable, "-m", "pip"], wheels.with_name(TEMPORARY)
    wheel = [*pip, "wheel", "--quiet", "--no-deps", f"--wheel-dir={wheels}", str(PROJECT)]
    _done(wheel, temporary=temporary)
    python = ["--python-version", combination.python] if combination.python else []
    only = ["--only-binary=:all:", f"--dest={wheels}"]
    download = [*pip, "download", "--quiet", *only, *python, *_wanted(combination, wheels)]
    _done(download, temporary=temporary)
    return wheels


def _copy(project: Path) -> None:
    """The files of the project that git knows of, as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.split("\0")):
        if (PROJECT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, project / name, follow_symlinks=False)


def _root(combination: Combination, root: Path) -> Path:
    """A root file system of that Debian release with its Python."""
    packages = f"--include=python{combination.python}-venv,ca-certificates,openssh-client,git"
    command = ["mmdebstrap", "--quiet", "--variant=minbase", packages]
    if combination.suite == "sid":
        # As in the recipe of mysql: a mirror's sid may be older than its week; it is signed.
        command += ['--aptopt=Acquire::Check-Valid-Until "false"']
    _done([*command, combination.suite, str(root)], temporary=root.with_name(TEMPORARY))
    return root


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDED_BY)
    for each in ENDED_BY:
        # A shell has what it starts in the background ignore Ctrl-C.
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, _end)
    if sys.argv[1:2] == ["--inside"]:
        chosen = next(each for each in COMBINATIONS if each.name == sys.argv[3])
        sys.exit(inside(Path(sys.argv[2]), replace(chosen, tests=tuple(sys.argv[4:]))))
    sys.exit(main(sys.argv[1:]))
