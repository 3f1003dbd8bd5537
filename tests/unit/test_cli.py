"""`swarmlab`: 0 for well, 1 for not well, 2 and one sentence for what could not be done."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

import pytest_swarmlab
from pytest_swarmlab import cli, doctor, images
from pytest_swarmlab.doctor import Finding
from pytest_swarmlab.errors import BuildError, HostError
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.images import container
from pytest_swarmlab.lab import command
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers import dind, uml, vagrant
from pytest_swarmlab.providers.base import Found
from pytest_swarmlab.providers.inventory import place, powered_off
from pytest_swarmlab.reporting import mark_again

WELL = Finding("cores", True, "2")
ILL = Finding("commands [to] run", False, "missing: iproute2", "apt-get install iproute2")


def found(name: str, *, kept: bool) -> Found:
    return Found(name, kept, True, Topology.of(), "2026-05-04T10:00:00+00:00")


class Provider:
    """A host with a dead cluster, one in use and one that was kept."""

    def __init__(self, **_: Any) -> None:
        self.stopped: list[str] = []

    def reap(self) -> list[str]:
        return ["dead"]

    def find(self) -> Iterator[Found]:
        yield found("busy", kept=False)
        yield found("kept", kept=True)

    def attach(self, name: str, *, logs: Path) -> Any:
        del logs
        return SimpleNamespace(stop=lambda: self.stopped.append(name))


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Provider:
    provider = Provider()
    monkeypatch.setattr(uml, "UmlProvider", lambda **_: provider)
    monkeypatch.setattr(dind.engine, "connect", no_engine)
    nothing = SimpleNamespace(reap=lambda: ["a student's"], find=lambda: ())
    monkeypatch.setattr(vagrant, "VagrantProvider", lambda _: nothing)
    # What killed runs have left on this very machine is another test's matter.
    for left in (place, powered_off):
        monkeypatch.setattr(left, "reap", list)
    return provider


def no_engine() -> None:
    raise HostError("no Docker engine answers at /s")


def test_a_doctor_who_finds_nothing_is_content(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _: iter([WELL]))
    assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().out == "yes  cores: 2\n"


def test_a_doctor_says_what_is_missing_and_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _: iter([ILL, WELL]))
    assert cli.main(["doctor"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "no   commands [to] run: missing: iproute2",
        "     → apt-get install iproute2",
        "yes  cores: 2",
    ]


def test_gc_removes_what_nobody_owns_and_leaves_what_is_used_or_kept(
    provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["gc"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "removed leftovers of cluster dead"
    assert said[-1] == "removed leftovers of cluster a student's"
    assert "cluster busy (3+2, since 2026-05-04T10:00:00+00:00) is in use" in said
    assert "cluster kept (3+2, since 2026-05-04T10:00:00+00:00) is kept" in said
    assert provider.stopped == []


def test_gc_removes_kept_clusters_only_when_asked_and_never_one_in_use(
    provider: Provider, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["gc", "--kept"]) == 0
    assert provider.stopped == ["kept"]
    assert "removed kept cluster kept" in capsys.readouterr().out


def test_gc_removes_disks_and_kernels_of_other_recipes_alone(
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from pytest_swarmlab.images import recipe

    monkeypatch.setattr(recipe, "load_plan", lambda origin: SimpleNamespace(key=f"now-{origin}"))
    disks = [SimpleNamespace(key=key) for key in ("now-stand-in", "now-registry", "old")]
    monkeypatch.setattr(images, "list_disks", lambda _: disks)
    removed: list[tuple[Path, str]] = []

    def remove(cache: Path, key: str) -> int:
        removed.append((cache, key))
        return 2**30

    monkeypatch.setattr(images, "remove_disk", remove)
    kernels = {tmp_path: {"older": 2**24}}
    monkeypatch.setattr(images, "remove_old_kernels", kernels.pop)
    assert cli.main(["--cache", str(tmp_path), "gc"]) == 0
    assert removed == []
    assert cli.main(["--cache", str(tmp_path), "gc", "--disks"]) == 0
    assert removed == [(tmp_path, "old")]
    assert "removed kernel older: 16 MiB" in capsys.readouterr().out
    assert provider.stopped == []


def test_gc_looks_into_the_docker_engine_too_if_there_is_one(
    provider: Provider, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    in_engine = Provider()
    monkeypatch.setattr(dind.engine, "connect", lambda: SimpleNamespace(close=lambda: None))
    monkeypatch.setattr(dind, "DindProvider", lambda **_: in_engine)
    monkeypatch.setattr(container, "remove_old_images", lambda _: iter(["swarmlab/node:old"]))
    assert cli.main(["gc", "--kept"]) == 0
    assert (provider.stopped, in_engine.stopped) == (["kept"], ["kept"])
    assert "node image" not in capsys.readouterr().out
    monkeypatch.setattr(images, "list_disks", lambda _: [])
    monkeypatch.setattr(images, "remove_old_kernels", lambda _: {})
    assert cli.main(["gc", "--disks"]) == 0
    assert "removed node image swarmlab/node:old" in capsys.readouterr().out


def test_the_node_image_is_built_into_the_docker_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dind.engine, "connect", lambda: "engine")
    built: list[tuple[str, Path]] = []

    def build(api: str, cache: Path) -> Any:
        built.append((api, cache))
        return SimpleNamespace(reference="swarmlab/node:ab12")

    monkeypatch.setattr(container, "build_image_at_terminal", build)
    assert cli.main(["--cache", str(tmp_path), "image"]) == 0
    assert built == [("engine", tmp_path)]
    assert capsys.readouterr().out == "node image swarmlab/node:ab12\n"
    monkeypatch.setattr(dind.engine, "connect", no_engine)
    assert cli.main(["image"]) == 2
    assert capsys.readouterr().err == "swarmlab: no Docker engine answers at /s\n"


def test_a_disk_is_built_with_the_images_that_were_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[Path, str]] = []

    def build(cache: Path, *, origin: str) -> Any:
        asked.append((cache, origin))
        return SimpleNamespace(key="ab12", used=3 * 2**20, path=cache / "disks" / "ab12")

    monkeypatch.setattr(images, "build_at_terminal", build)
    assert cli.main(["--cache", str(tmp_path), "disk"]) == 0
    assert cli.main(["--cache", str(tmp_path), "disk", "--images", "registry"]) == 0
    assert asked == [(tmp_path, "stand-in"), (tmp_path, "registry")]
    assert "node disk ab12: 3 MiB in " in capsys.readouterr().out


def test_the_kernel_is_built_and_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Kernel:
        path = tmp_path / "kernels/ab12"

        def __str__(self) -> str:
            return "own kernel 7.3"

    monkeypatch.setattr(images, "build_kernel_at_terminal", lambda _: Kernel())
    assert cli.main(["--cache", str(tmp_path), "kernel"]) == 0
    assert capsys.readouterr().out == f"own kernel 7.3 in {tmp_path}/kernels/ab12\n"


def test_the_cache_is_the_one_that_pytest_takes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[Path] = []

    def build(cache: Path, *, origin: str) -> Any:
        del origin
        asked.append(cache)
        return SimpleNamespace(key="ab12", used=0, path=cache)

    monkeypatch.setattr(images, "build_at_terminal", build)
    monkeypatch.setenv("SWARMLAB_CACHE", str(tmp_path / "elsewhere"))
    cli.main(["disk"])
    cli.main(["--cache", str(tmp_path / "named"), "disk"])
    assert asked == [tmp_path / "elsewhere", tmp_path / "named"]


@pytest.mark.parametrize(
    "error", [HostError("run as root"), BuildError("mmdebstrap ended with 1: see build.log")]
)
def test_what_cannot_be_done_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(images, "build_at_terminal", refuse)
    assert cli.main(["disk"]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"swarmlab: {error}\n")


def test_a_build_ends_in_order_when_it_is_interrupted_or_terminated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sent: list[int] = []
    ended: list[int] = []

    def build(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), sent[-1])
            signal.pause()
        finally:
            ended.append(sent[-1])

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(images, "build_at_terminal", build)
    sent.append(signal.SIGINT)
    # It is ignored where a shell has started pytest in the background.
    as_it_was = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert cli.main(["disk"]) == 130
    finally:
        signal.signal(signal.SIGINT, as_it_was)
    assert capsys.readouterr().err == "swarmlab: interrupted\n"
    sent.append(signal.SIGTERM)
    with pytest.raises(SystemExit) as end:
        cli.main(["disk"])
    assert end.value.code == 143
    assert ended == sent
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_run_that_is_not_there_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["judge", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("swarmlab: ")
    assert "events.jsonl cannot be read (No such file" in line


def test_a_saved_run_of_this_suite_can_be_judged_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorder = Recorder(tmp_path / "events.jsonl")
    recorder.record("exercise.selected", id="2.2")
    recorder.close()
    assert cli.main(["judge", str(tmp_path)]) == 1
    *lines, time_spent = capsys.readouterr().out.splitlines()
    assert lines
    assert all(line.startswith("unknown") for line in lines)
    assert time_spent.startswith("time: 0.0")


def test_what_was_handed_in_is_drilled_and_then_marked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[Any] = []

    def drill(*words: Any) -> Path:
        told.append(words)
        return tmp_path / "run"

    monkeypatch.setattr(command, "drill", drill)
    monkeypatch.setattr(mark_again, "mark_again", lambda run, *_, **how: told.append((run, how)))
    mine, cache = tmp_path / "mine", tmp_path / "cache"
    cli.main(["--cache", str(cache), "mark", str(mine), "--", "-x"])
    assert told[0] == (mine, [f"--swarmlab-cache={cache}", "-x"])
    assert (told[1][0], told[1][1]["submission"]) == (tmp_path / "run", mine)


@pytest.mark.parametrize("which", [["--record", "run"], ["mine"]])
def test_what_a_rubric_brings_along_is_run_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, which: list[str]
) -> None:
    rubric = yaml.safe_dump({"extends": "lab-02", "python": ["ours.py"]})
    (tmp_path / "ours.yml").write_text(rubric, encoding="utf-8")
    ours = "import tempfile\ntempfile.mkdtemp(dir='ran')\n"
    ours += "from pytest_swarmlab.marking.own import OwnChecks\nchecks = OwnChecks()\n"
    (tmp_path / "ours.py").write_text(ours, encoding="utf-8")
    monkeypatch.setattr(command, "drill", lambda *_: tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ran").mkdir()
    cli.main(["mark", *which, "--rubric", "ours.yml"])
    assert len(list((tmp_path / "ran").iterdir())) == 1


@pytest.mark.parametrize("permit", [(), ("--allow-destructive",)])
def test_a_cluster_is_marked_as_it_is_and_only_drilled_with_leave(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, permit: tuple[str, ...]
) -> None:
    told: list[Any] = []

    def drill(*words: Any) -> Path:
        told.append(words)
        return tmp_path

    monkeypatch.setattr(command, "drill", drill)
    monkeypatch.setattr(mark_again, "mark_again", lambda *_, **__: 0)
    assert cli.main(["mark", "--inventory", "cluster.yml", *permit]) == 0
    ((submission, words),) = told
    assert submission is None
    assert words[1:3] == ["--swarmlab-provider=inventory", "--swarmlab-inventory=cluster.yml"]
    assert words[3:] == (["--swarmlab-allow-destructive"] if permit else [])


def test_a_saved_run_is_marked_and_nothing_drilled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command, "drill", None)
    monkeypatch.setattr(mark_again, "mark_again", lambda run, *_, **__: int(run == tmp_path))
    assert cli.main(["mark", "--record", str(tmp_path)]) == 1


def test_where_there_is_nothing_to_mark_one_sentence_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(["mark"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "there is nothing to mark: name a submission's directory" in line


@pytest.mark.parametrize(
    "words",
    [
        ["destroy"],
        ["disk", "--images", "mine"],
        ["judge"],
        ["doctor", "me"],
        ["mark", "--record", "r", "--inventory", "i"],
        ["mark", "mine", "--allow-destructive"],
        ["mark", "--record", "r", "--allow-destructive"],
        ["mark", "--record", "r", "--", "-x"],
        ["--verbose"],
    ],
)
def test_a_command_that_is_not_understood_ends_with_two(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(words)
    assert exit_.value.code == 2
    assert "usage: swarmlab" in capsys.readouterr().err


def test_without_a_command_all_of_them_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    said = capsys.readouterr().err
    assert "doctor" in said
    assert "make a table of proven exercises" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lab", "2.2", "-k", "leader"], "lab: error: unrecognized arguments: -k leader: pytest's"),
        (["mark", "mine", "-x"], "pytest's own stand after --, as in `… -- -x`"),
        (["--verbose"], "unrecognized arguments: --verbose"),
        (["mark", "mine", "--allow-destructive"], "existing cluster: name it by --inventory"),
        (["mark", "--record", "r", "--", "-x"], "no test is run, so leave out pytest's arguments"),
        (["gc", "--all"], "usage: swarmlab gc [-h] [--kept] [--disks]"),
        (["mark", "--handed-in", "yesterday"], "'yesterday' is no time: write it as 2026-"),
        (["mark", "--handed-in", "2026-12-18"], "2026-12-18 has no zone: write it as 2026-"),
    ],
)
def test_a_word_that_is_not_understood_is_named_with_what_to_write(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        cli.main(words)
    assert said in capsys.readouterr().err


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        cli.main(["--version"])
    assert exit_.value.code == 0
    assert capsys.readouterr().out == f"pytest-swarmlab {pytest_swarmlab.__version__}\n"


@pytest.mark.parametrize("name", ["doctor", "gc", "lab", "judge", "mark", "table"])
def test_each_command_tells_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main([name, "--help"])
    _, sentence, *_ = capsys.readouterr().out.split("\n\n")
    assert sentence.endswith(".")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "can't be read (No such file or directory): name the results.json of a run"),
        ("def", "is not the results.json of a run (JSONDecodeError"),
        ("[]", "is not the results.json of a run (TypeError"),
    ],
)
def test_a_file_that_is_no_runs_results_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text('{"provider": "uml", "kernel": "6.12", "exercises": []}', encoding="utf-8")
    if content is not None:
        bad.write_text(content, encoding="utf-8")
    assert cli.main(["table", str(good), str(bad)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"swarmlab: {bad} {said}")


@pytest.mark.parametrize("odd", [("--rubric", "nowhere.yml"), ("--exercises", "nowhere")])
def test_what_a_mark_needs_is_looked_at_before_the_drills(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], odd: tuple[str, str]
) -> None:
    monkeypatch.setattr(command, "drill", None)
    assert cli.main(["mark", "mine", *odd]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_what_a_run_can_do_without_is_not_told_as_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spare = Finding("own kernel", True, "not built", there=False)
    monkeypatch.setattr(doctor, "examine", lambda _: iter([spare]))
    assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().out == "–    own kernel: not built\n"


def test_an_error_s_words_move_no_cursor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["judge", str(tmp_path / "no\x1b[2Jsuch\u202e")]) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert "\u202e" not in said
    assert r"no\x1b[2Jsuch\u202e" in said
