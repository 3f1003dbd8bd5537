"""Judges the steps that brought a submission onto the swarm. Pure, as all judging.

They earn no points: what a failed step leaves out costs the points of what depends on it. But the
reason is found here.
"""

from __future__ import annotations

from pytest_swarmlab.evidence.events import SubmissionSettled, SubmissionStep, each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged
from pytest_swarmlab.judging.exercise import Exercise, unknown
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.text import line

PHASE = "brought-up"

exercise = Exercise(
    "submission",
    "The submission",
    module=__name__,
    titles={PHASE: "The submission is deployed on a new cluster"},
)


@exercise.check(
    "steps",
    phases=(PHASE,),
    title="Each step of swarmlab.yml succeeds",
    expected="every script and every deployment exits with 0, within its limits",
    hint="Look at the step's output in the report; first try it on your own machines.",
)
def steps(record: Record) -> Judgement:
    """Judged by exit codes."""
    done = each(record, SubmissionStep)
    wrong = [
        f"step {e.number} ({line(e.step)}){' on ' + e.node if e.node else ''}:"
        f" {line(e.why) or f'exit code {e.code}'}{_last_words(e.output)}"
        for e in done
        if e.code != 0
    ]
    missing = [] if done else ["no step was done"]
    return judged(f"{len(done) - len(wrong)} of {len(done)} done", wrong=wrong, missing=missing)


def _last_words(output: str) -> str:
    said = output.strip().rpartition("\n")[2]
    return f" ({line(said, 160)})" if said else ""


@exercise.check(
    "settled",
    phases=(PHASE,),
    title="All deployed services run",
    expected="every service runs all its tasks at the end",
    hint="`docker service ps --no-trunc NAME` shows why a task does not start.",
)
def settled(record: Record) -> Judgement:
    """Judged by the managers' counts."""
    seen = need(record, SubmissionSettled, "the tasks were not counted")
    if seen.missing is None:
        return unknown("no manager listed the tasks")
    wrong = [f"{line(name)}: {line(why)}" for name, why in seen.missing.items()]
    return judged("all run" if not wrong else f"{len(wrong)} services do not", wrong=wrong[:10])
