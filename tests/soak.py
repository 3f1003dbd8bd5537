"""Every exercise many times, at three speeds of the machine: what passes once must pass always.

    .venv/bin/python -m tests.soak ROUNDS [EXERCISE…]        # make soak ROUNDS=10

Each run is a whole pytest session. As many as clusters fit run side by side; one that takes all of
the machine runs alone. A run's outcome is a line of ``reports/soak/runs.jsonl`` as soon as it has
ended, and ``reports/soak/table.md`` is made from all lines that there are. An interrupted soak goes
on where it was: what has been run already counts.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pytest_swarmlab import config, contents
from pytest_swarmlab.run.session import EXIT_INFRASTRUCTURE
from pytest_swarmlab.run.slots import capacity
from pytest_swarmlab.text import by_number

EXERCISES = tuple(each.replace(".", "_") for each in sorted(contents.exercises(), key=by_number))
PROVIDER = "uml"
REPORTS = Path("reports") / "soak"
ALONE = ("2_10",)
"""What takes all of two cores as the machine is: `make lab` has nothing beside it either."""
LONGEST_S = 3600.0
"""The longest takes a quarter of an hour; on half a core none has taken four times as long."""
SHARE = 0.5
"""Of one core, for one cluster of five nodes: a third of what it takes while it may."""
PERIOD_US = 100_000
CGROUPS = Path("/sys/fs/cgroup")

Session = Callable[[Sequence[str]], int]


@contextlib.contextmanager
def as_it_is() -> Iterator[Session]:
    """A machine that does nothing else."""
    yield lambda argv: _session(argv, lambda _: None)


@contextlib.contextmanager
def half_a_core() -> Iterator[Session]:
    """Each session and its cluster get no more than half a core's time, in slices of 50 ms."""
    parent, numbers = _parent(), itertools.count(1)

    def limited(argv: Sequence[str]) -> int:
        group = parent / f"swarmlab-soak-{os.getpid()}-{next(numbers)}"
        group.mkdir()
        try:
            quota = int(SHARE * PERIOD_US)
            if (group / "cpu.max").exists():
                (group / "cpu.max").write_text(f"{quota} {PERIOD_US}")
            else:
                (group / "cpu.cfs_period_us").write_text(str(PERIOD_US))
                (group / "cpu.cfs_quota_us").write_text(str(quota))
            return _session(argv, lambda pid: (group / "cgroup.procs").write_text(str(pid)))
        finally:
            group.rmdir()

    yield limited


@contextlib.contextmanager
def beside_a_load() -> Iterator[Session]:
    """Each core has another process that always wants it."""
    spin = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(spin) for _ in range(os.cpu_count() or 1)]
    try:
        yield lambda argv: _session(argv, lambda _: None)
    finally:
        for other in others:
            other.kill()
            other.wait()


SPEEDS: dict[str, Callable[[], AbstractContextManager[Session]]] = {
    "as it is": as_it_is,
    "half a core": half_a_core,
    "beside a load": beside_a_load,
}


def _parent() -> Path:
    """Where groups with a quota are made, of either version; a sentence where none can be."""
    version_1 = CGROUPS / "cpu"
    parent = version_1 if version_1.is_dir() else CGROUPS
    limits = parent / ("cgroup.procs" if version_1.is_dir() else "cgroup.subtree_control")
    if not os.access(limits, os.W_OK):
        sys.exit(f"{parent} can't be written, so no session can be slowed down: run this as root")
    if not version_1.is_dir() and "cpu" not in limits.read_text().split():
        limits.write_text("+cpu")
    return parent


def _session(argv: Sequence[str], begun: Callable[[int], object]) -> int:
    """The exit code of a pytest session; one that takes too long is interrupted as Ctrl-C does."""
    session = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begun(session.pid)
    try:
        return session.wait(LONGEST_S)
    except subprocess.TimeoutExpired:
        session.send_signal(signal.SIGINT)
        return session.wait()


def run(exercise: str, speed: str, session: Session) -> dict[str, Any]:
    """One session of that exercise: how it ended, and what its report shows."""
    # Others run beside it: its report is the newest in a directory of its own.
    reports = REPORTS / speed.replace(" ", "-") / exercise
    before = set(reports.glob("*/results.json"))
    began = time.monotonic()
    code = session(
        [
            *(sys.executable, "-m", "pytest", "-q", "-m", f"exercise_{exercise}"),
            *(f"--swarmlab-provider={PROVIDER}", f"--swarmlab-reports={reports}"),
        ]
    )
    seconds = round(time.monotonic() - began, 1)
    new = sorted(set(reports.glob("*/results.json")) - before)
    results = json.loads(new[-1].read_text(encoding="utf-8")) if new else {"exercises": []}
    refused = [
        {key: check[key] for key in ("id", "verdict", "observed")}
        for each in results["exercises"]
        for check in each["checks"]
        if check["verdict"] != "pass"
    ]
    return {
        "exercise": exercise,
        "speed": speed,
        "exit": code,
        "seconds": seconds,
        "report": str(new[-1].parent.relative_to(REPORTS)) if new else None,
        "kernel": results.get("kernel"),
        "engine": results.get("engine_version"),
        "refused": refused,
    }


def outcome(ended: dict[str, Any]) -> str:
    """``passed``, ``lab`` (the machines failed, nothing was learned), ``unknown`` or ``failed``."""
    if ended["exit"] == 0:
        return "passed"
    if ended["exit"] == EXIT_INFRASTRUCTURE:
        return "lab"
    verdicts = {check["verdict"] for check in ended["refused"]}
    return "unknown" if verdicts and verdicts <= {"unknown"} else "failed"


def table(runs: Sequence[dict[str, Any]]) -> str:
    """Markdown: a row for each exercise and speed, and below it each run that did not pass."""
    lines = [
        "| Exercise | Speed | Runs | Passed | Failed | Unknown | Lab | Seconds, least to most |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for exercise in dict.fromkeys(each["exercise"] for each in runs):
        for speed in SPEEDS:
            of = [e for e in runs if (e["exercise"], e["speed"]) == (exercise, speed)]
            if of:
                ends = [outcome(each) for each in of]
                counts = [str(ends.count(end)) for end in ("passed", "failed", "unknown", "lab")]
                took = [each["seconds"] for each in of]
                cells = [exercise.replace("_", "."), speed, str(len(of)), *counts]
                lines.append(f"| {' | '.join(cells)} | {min(took):.0f} to {max(took):.0f} |")
    for each in runs:
        if outcome(each) != "passed":
            lines += [
                "",
                f"{each['exercise'].replace('_', '.')}, {each['speed']}: {each['report']}",
            ]
            lines += [f"- {c['verdict']} `{c['id']}`: {c['observed']}" for c in each["refused"]]
    return "\n".join(lines) + "\n"


def soak(rounds: int, exercises: Sequence[str]) -> int:
    """Run what is missing until each exercise has had its rounds at each speed."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    log = REPORTS / "runs.jsonl"
    runs = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    for turn in range(1, rounds + 1):
        for speed, at_speed in SPEEDS.items():
            had = [each["exercise"] for each in runs if each["speed"] == speed]
            due = [exercise for exercise in exercises if had.count(exercise) < turn]
            batches = [[e for e in due if e not in ALONE], *([e] for e in due if e in ALONE)]
            for together in filter(None, batches):
                for ended in _side_by_side(together, speed, at_speed):
                    runs.append(ended)
                    with log.open("a", encoding="utf-8") as lines:
                        lines.write(json.dumps(ended, ensure_ascii=False) + "\n")
                    (REPORTS / "table.md").write_text(table(runs), encoding="utf-8")
                    told = f"{outcome(ended)}, {ended['seconds']} s"
                    print(f"{turn} {ended['exercise']} {speed}: {told}", flush=True)
    print(table(runs))
    return int(any(outcome(each) != "passed" for each in runs))


def _side_by_side(
    exercises: Sequence[str], speed: str, at_speed: Callable[[], AbstractContextManager[Session]]
) -> Iterator[dict[str, Any]]:
    """Run these exercises on as many clusters as fit; yields each run when it has ended."""
    lab = config.read({"swarmlab_provider": PROVIDER}.get, lambda _: None, rootdir=Path.cwd())
    with at_speed() as session, ThreadPoolExecutor(capacity(lab).clusters) as pool:
        begun = [pool.submit(run, exercise, speed, session) for exercise in exercises]
        try:
            for each in as_completed(begun):
                yield each.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def main(arguments: Sequence[str]) -> int:
    """Read the arguments and soak."""
    rounds, exercises = arguments[0] if arguments else "10", arguments[1:] or EXERCISES
    strangers = [name for name in exercises if name not in EXERCISES]
    if not rounds.isdecimal() or strangers:
        sys.exit(f"usage: python -m tests.soak ROUNDS [EXERCISE…] of {', '.join(EXERCISES)}")
    return soak(int(rounds), exercises)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
