"""The end of unhealthy tasks, and a limit of attempts."""

from __future__ import annotations

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import ENDED, ENDINGS, KILLED, LEAST_WATCHED_S, exercise
from .events import Ending, Watched


@exercise.check(
    "exit-0-is-complete",
    phases=ENDINGS,
    title="An unhealthy server that exits with 0 on its stop signal is complete, not failed",
    expected="nginx, redis and postgres: complete, exit code 0, no error",
    hint="`docker inspect` of the container: State.ExitCode.",
)
def exit_0_is_complete(record: Record) -> Judgement:
    """For which `on-failure` is a trap."""
    seen = {e.program: e for e in each(record, Ending)}
    if unseen := {"nginx", "redis", "postgres"} - set(seen):
        return unknown(f"not seen to end: {', '.join(sorted(unseen))}")
    tame = {name: seen[name] for name in ("nginx", "redis", "postgres")}
    told = "; ".join(f"{n}: {_ending(end)}" for n, end in tame.items())
    good = all(e.state == "complete" and e.exit_code == 0 and not e.error for e in tame.values())
    missing = [
        f"nobody saw a check of {name} fail"
        for name, end in tame.items()
        if not any(end.checks or ())
    ]
    return judged(told, holds=good, missing=missing)


@exercise.check(
    "killed-is-failed",
    phases=ENDINGS,
    title="An unhealthy program that ignores its stop signal is killed, and its task has failed",
    expected=KILLED,
    hint="Did it end by itself within the grace period?",
)
def killed_is_failed(record: Record) -> Judgement:
    """The text that one finds in forums."""
    end = need(record, Ending, "its end was not recorded", program="deaf")
    good = (end.state, end.exit_code, end.error) == ("failed", 137, KILLED)
    return passed(_ending(end)) if good else failed(_ending(end))


@exercise.check(
    "gives-up",
    phases=ENDINGS,
    title="With a limit of attempts Swarm stops replacing tasks",
    expected="three tasks for two restarts, and no running task is wanted any more",
    hint="`docker service ps gives-up`; the lab's file says max_attempts: 3.",
)
def gives_up(record: Record) -> Judgement:
    """Only the list of tasks shows it."""
    watched = need(record, Watched, "nobody watched")
    seconds = watched.seconds
    listed = readings.task_lists(record, "gives-up")
    if not listed:
        return unknown("its tasks were not listed")
    tasks = listed[-1].tasks
    wanted = [t for t in tasks if t.desired == "running" and t.state not in ENDED]
    told = f"{len(tasks)} tasks, {len(wanted)} wanted, unchanged for {seconds:.0f} s"
    order = out_of_order(
        ("the end of the watch", watched.t), ("the list of the tasks", listed[-1].asked)
    )
    if seconds < LEAST_WATCHED_S:
        order.append("it was not watched for long enough")
    return judged(told, holds=len(tasks) == 3 and not wanted, missing=order)


def _ending(end: Ending) -> str:
    return f"{end.state}, exit code {end.exit_code}, {end.error or 'no error'}"
