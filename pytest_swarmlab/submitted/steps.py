"""Judges what became of the steps that brought a submission onto the swarm. Pure, as all judging.

They have no points of their own: what a step has left out costs what depends on it. But whoever
looks for a reason begins here.
"""

from __future__ import annotations

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged
from pytest_swarmlab.judging.exercise import Exercise, unknown
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.submitted.bringing import SETTLED, STEP
from pytest_swarmlab.text import line

PHASE = "brought-up"

exercise = Exercise(
    "submission",
    "What was handed in",
    module=__name__,
    titles={PHASE: "The submission is brought onto a new cluster"},
)


@exercise.check(
    "steps",
    phases=(PHASE,),
    title="Each step of swarmlab.yml is done",
    expected="every script and every deployment ends with 0, within its limits",
    hint="Look at the step's own output in the report; try it on machines of your own first.",
)
def steps(record: Record) -> Judgement:
    """By their exit codes."""
    done = record.of(STEP)
    wrong = [
        f"step {e.data.get('number')} ({line(e.data.get('step'))})"
        f"{' on ' + str(e.data['node']) if e.data.get('node') else ''}:"
        f" {line(e.data.get('why')) or 'exit code ' + str(e.data.get('code'))}"
        f"{_last_words(e.data.get('output'))}"
        for e in done
        if e.data.get("code") != 0
    ]
    missing = [] if done else ["no step was done"]
    return judged(f"{len(done) - len(wrong)} of {len(done)} done", wrong=wrong, missing=missing)


def _last_words(output: object) -> str:
    said = str(output or "").strip().rpartition("\n")[2]
    return f" ({line(said, 160)})" if said else ""


@exercise.check(
    "settled",
    phases=(PHASE,),
    title="All that was deployed runs",
    expected="every service runs all its tasks at the end",
    hint="`docker service ps --no-trunc NAME` says what keeps its tasks.",
)
def settled(record: Record) -> Judgement:
    """As the managers counted them."""
    seen = record.need(SETTLED, "nobody counted the tasks")
    missing = seen.data.get("missing")
    if missing is None:
        return unknown("no manager told how many tasks run")
    wrong = [f"{line(name)}: {line(why)}" for name, why in missing.items()]
    return judged("all run" if not wrong else f"{len(wrong)} services do not", wrong=wrong[:10])
