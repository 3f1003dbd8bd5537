"""The lab as somebody has it who installed the wheel, and as it is in a clone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from pytest_swarmlab.images.recipe import load_own_kernel, load_plan

ROOT = Path(__file__).parents[2]
SWARMLAB = "from pytest_swarmlab.cli import main; raise SystemExit(main())"

ANOTHER_SUITE = {
    "pytest.ini": "[pytest]\naddopts = --no-such-option\n",
    "conftest.py": "raise RuntimeError('imported')\n",
    "pytest_swarmlab.py": "raise RuntimeError('imported')\n",
    "tests/__init__.py": "raise RuntimeError('imported')\n",
    "stacks/quorum.yml": "not this one\n",
}
"""What may lie where the command is typed."""

NO_MACHINES = """
from pytest_swarmlab.errors import HostError

class Mine:
    name = "mine"
    owns = True
    def reap(self): return []
    def start(self, topology, **_):
        raise HostError("no machines today: come back tomorrow")

def pytest_swarmlab_make_provider(config, out):
    return Mine() if config.provider == "mine" else None
"""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": ""})
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="session")
def installed(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the wheel's files lie, as pip puts them."""
    place = tmp_path_factory.mktemp("site-packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place)]
    subprocess.run([*pip, str(built[1])], check=True)
    return place


class Home:
    """A directory with another suite in it, where commands are typed."""

    def __init__(self, path: Path, packages: Path) -> None:
        self.path = path
        self._packages = packages

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Python with the package that this home has."""
        plugins = self.path.parent / "plugins"
        return subprocess.run(
            [sys.executable, "-P", *words],
            cwd=self.path,
            env={**os.environ, "PYTHONPATH": f"{self._packages}:{plugins}"},
            capture_output=True,
            text=True,
            check=False,
        )

    def swarmlab(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Type `swarmlab …`."""
        return self.python("-c", SWARMLAB, *words)


IN_BOTH = pytest.mark.parametrize("home", ["wheel", "clone"], indirect=True)


@pytest.fixture
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    """With the package from the wheel, or from this clone if that is asked for."""
    home = tmp_path / "home"
    for name, text in ANOTHER_SUITE.items():
        path = home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "no_machines.py").write_text(NO_MACHINES, encoding="utf-8")
    clone = getattr(request, "param", "wheel") == "clone"
    return Home(home, ROOT if clone else request.getfixturevalue("installed"))


@IN_BOTH
def test_an_exercise_is_found_whatever_lies_where_it_is_typed(home: Home) -> None:
    done = home.swarmlab("lab", "2.3", "--", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    tests = [line.partition("::")[2] for line in done.stdout.splitlines() if "::" in line]
    assert tests == ["test_the_literal_command_gives_no_database", "test_data_stays_on_its_node"]
    assert "warning" not in done.stdout
    assert {path.name for path in home.path.iterdir()} <= {
        *(name.partition("/")[0] for name in ANOTHER_SUITE),
        ".pytest_cache",
    }


def test_every_exercise_can_be_imported_and_finds_its_files(home: Home) -> None:
    done = home.swarmlab("lab", "--", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    for number in range(1, 10):
        assert f"test_exercise_2_{number}.py::" in done.stdout
    looks = (
        "import pkgutil, importlib, pathlib, pytest_swarmlab.lab.exercises as lab\n"
        "for module in pkgutil.walk_packages(lab.__path__, lab.__name__ + '.'):\n"
        "    for name, value in vars(importlib.import_module(module.name)).items():\n"
        "        if isinstance(value, pathlib.Path):\n"
        "            print(value.exists(), module.name, name, value)\n"
    )
    seen = home.python("-c", looks)
    assert seen.returncode == 0, seen.stderr
    paths = seen.stdout.splitlines()
    assert len(paths) >= 15
    assert [path for path in paths if not path.startswith("True ")] == []


NO_CLUSTER = ("--", "-p", "no_machines", "--swarmlab-provider=mine")


@IN_BOTH
def test_what_was_handed_in_is_marked_also_where_no_cluster_could_be_had(home: Home) -> None:
    assert home.swarmlab("new-submission", "mine").returncode == 0
    done = home.swarmlab("mark", "mine", *NO_CLUSTER)
    said = done.stdout + done.stderr
    # Documents are missing; of the cluster nothing was learned.
    assert done.returncode == 1, said
    results = home.path / "reports/latest/mark/results.json"
    mark = json.loads(results.read_text("utf-8"))["mark"]
    assert mark["earned"] == 0
    assert mark["ungraded"] > 80
    assert "no machines today" in said


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("lab: lab-01\n", "not the lab of this rubric"),
        ("lab: lab-02\nsteps: [{run: ../../etc/passwd}]\n", "must be a path inside the root"),
        ("lab: lab-02\nroles: {king: wp_db}\n", "there is no role 'king'"),
        ("lab: lab-02\n", "has none of the lab's files"),
        ("[" * 5000, "levels"),
    ],
)
def test_what_can_t_be_brought_anywhere_is_one_sentence(home: Home, content: str, why: str) -> None:
    mine = home.path / "mine"
    mine.mkdir()
    (mine / "swarmlab.yml").write_text(content, encoding="utf-8")
    done = home.swarmlab("mark", "mine", *NO_CLUSTER)
    assert done.returncode == 2, done.stdout
    (line,) = done.stderr.splitlines()
    assert why in line
    assert not (home.path / "reports").exists()


@IN_BOTH
def test_a_run_leaves_its_reports_where_it_is_typed_and_can_be_judged_again(home: Home) -> None:
    run = home.swarmlab("lab", "2.3", "--provider", "mine", "--", "-p", "no_machines", "-x")
    assert run.returncode == 6, run.stdout + run.stderr
    assert "no machines today: come back tomorrow" in run.stdout
    latest = home.path / "reports" / "latest"
    results = json.loads((latest / "results.json").read_text(encoding="utf-8"))
    assert [(e["id"], len(e["checks"])) for e in results["exercises"]] == [("2.3", 6)]
    judged = home.swarmlab("judge", "reports/latest")
    assert (judged.returncode, judged.stderr) == (1, "")
    assert judged.stdout.count("unknown  ") == 6


def test_pytest_itself_finds_them_by_their_package(home: Home) -> None:
    mine = home.path / "pytest.ini"
    mine.write_text("[pytest]\naddopts = --strict-markers\n", encoding="utf-8")
    for name in ("conftest.py", "pytest_swarmlab.py"):
        (home.path / name).unlink()
    words = ["-m", "pytest", "--pyargs", "pytest_swarmlab.lab.exercises"]
    done = home.python(*words, "-m", "exercise_2_3", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("test_exercise_2_3.py::") == 2
    assert "2/" in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("lab", "2.99"), 2, "swarmlab: the lab has no exercise 2.99: there are 2.1, 2.2, "),
        (("lab", "2.3", "--", "--no-such-option"), 4, "unrecognized arguments: --no-such-option"),
        (("lab", "2.3", "--provider", "kvm"), 4, "ERROR: unknown provider 'kvm': use auto, uml"),
        (("doctor", "--", "-x"), 2, "doctor takes no arguments after --"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(
    home: Home, words: tuple[str, ...], code: int, said: str
) -> None:
    done = home.swarmlab(*words)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (home.path / "reports").exists()


def test_a_machine_that_lacks_something_is_told_before_anything_runs(home: Home) -> None:
    (home.path.parent / "plugins" / "bare.py").write_text(
        "import platform\nplatform.machine = lambda: 'aarch64'\n", encoding="utf-8"
    )
    done = home.swarmlab("lab", "2.3", "--", "-p", "bare")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: embedded machines run on x86-64 processors only" in done.stderr
    assert not (home.path / "reports").exists()


def test_recipes_are_the_same_so_that_nothing_is_built_twice(home: Home) -> None:
    keys = home.python(
        "-c",
        "from pytest_swarmlab.images.recipe import load_own_kernel, load_plan\n"
        "print(load_plan('stand-in').key, load_own_kernel().key)",
    )
    assert keys.stdout.split() == [load_plan("stand-in").key, load_own_kernel().key]


def tracked(*places: str) -> set[str]:
    """Files of the repository below these places."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *places],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return set(listed.stdout.split("\0")) - {""}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a clone")
def test_the_wheel_has_the_package_the_exercises_and_the_stacks_and_nothing_else(
    built: tuple[Path, Path],
) -> None:
    wanted = tracked("pytest_swarmlab")
    for origin, place in (
        ("tests/exercises", "pytest_swarmlab/lab/exercises"),
        ("stacks", "pytest_swarmlab/lab/stacks"),
    ):
        wanted |= {path.replace(origin, place, 1) for path in tracked(origin)}
    with zipfile.ZipFile(built[1]) as wheel:
        names = [name for name in wheel.namelist() if ".dist-info/" not in name]
        executable = {i.filename for i in wheel.infolist() if i.external_attr >> 16 & 0o100}
    assert len(names) == len(set(names))
    assert set(names) == wanted
    assert "pytest_swarmlab/lab/stacks/backup/swarm-backup" in executable
    with tarfile.open(built[0]) as sdist:
        there = {str(PurePosixPath(*PurePosixPath(name).parts[1:])) for name in sdist.getnames()}
    assert tracked("pytest_swarmlab", "tests", "stacks", "docs") <= there
