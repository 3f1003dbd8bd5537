"""Each mistake that only a drill shows is made on a real cluster, drilled, and loses its checks.

`make known-bad-drills` runs it, ``KNOWN_BAD="bad-update-pauses …"`` those alone: 3 minutes each.
What is seen is written into ``drilled.json``, of which the page of known-bad solutions is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_swarmlab.clients.probe import Traffic
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.marking import combining
from pytest_swarmlab.run.run import Run
from pytest_swarmlab.submitted import work
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.stacks import Service
from pytest_swarmlab.waiting.waiter import Waiter
from tests.exercises.exercise_2_6.verify import exercise as exercise_2_6
from tests.exercises.exercise_2_7.verify import exercise as exercise_2_7
from tests.exercises.exercise_2_8.verify import exercise as exercise_2_8
from tests.exercises.exercise_2_9 import drill as healing
from tests.exercises.exercise_2_9.verify import exercise as exercise_2_9
from tests.exercises.submission import restored, rotated, switched, theirs
from tests.marking import drilled, known_bad
from tests.marking.drilled import STACKS, Drilled

EXERCISES = {each.id: each for each in (exercise_2_6, exercise_2_7, exercise_2_8, exercise_2_9)}

WANTED = os.environ.get("KNOWN_BAD", "").split()
SOLUTIONS = [each for each in drilled.solutions() if not WANTED or each.name in WANTED]

Drill = Callable[[Work], None]


@pytest.fixture
def drills(
    faults: Faults,
    configs: Configs,
    wait: Waiter,
    probe: Callable[..., Traffic],
    observe: Callable[..., AbstractContextManager[Any]],
    evidence: Evidence,
) -> dict[str, Drill]:
    """Drill → what performs it, as for any submission."""

    def rotate(mine: Work) -> None:
        rotated.rotate(rotated.used(mine), wait=wait, probe=probe, evidence=evidence)

    def search(mine: Work) -> None:
        used = rotated.used(mine)
        script, *words = used.rotation.run
        mine.run(mine.swarm.leader(), script, *words)
        rotated.search(used, wait=wait, evidence=evidence)

    def switch(mine: Work) -> None:
        theirs.note_player(mine, "proxy", evidence)
        switched.switch(
            switched.proxy(mine), configs=configs, wait=wait, probe=probe, observe=observe,
            evidence=evidence,
        )  # fmt: skip

    def on_the_site(mine: Work, update: bool) -> None:
        theirs.note_player(mine, "web", evidence)
        service = Service(mine.swarm, theirs.player_of(mine, "web").name)
        drill = healing.Drill(mine.swarm, wait, probe, evidence, theirs.healed(mine, "web"))
        if update:
            drill.see_bad_update_rolled_back(service, theirs.ill_update)
        else:
            drill.heal(service)

    return {
        "rotation": rotate,
        "plaintext": search,
        "switch": switch,
        "heal": lambda mine: on_the_site(mine, False),
        "bad-update": lambda mine: on_the_site(mine, True),
        "disaster": lambda mine: restored.lose_everything_and_restore(
            mine, faults=faults, wait=wait, evidence=evidence
        ),
    }


@pytest.mark.long
@pytest.mark.parametrize("solution", SOLUTIONS, ids=lambda each: each.name)
def test_a_mistake_loses_its_checks_and_no_others(
    solution: Drilled,
    swarm: Swarm,
    drills: dict[str, Drill],
    evidence: Evidence,
    swarmlab_run: Run,
    tmp_path: Path,
) -> None:
    exercise = EXERCISES[solution.exercise]
    root = known_bad.hand_in(solution, tmp_path)
    only(root, STACKS[solution.exercise])
    try:
        submission, said = work.bring(root, swarm)
        mine = work.looked_at(swarm, submission=submission, said=said)
        # A failure is what is looked for here, and is told by what was judged.
        with suppress(pytest.fail.Exception), evidence.judged(exercise, solution.drill):
            drills[solution.drill](mine)
    finally:
        swarmlab_run.replace_cluster("a mistake was made on it")
    found = verdicts(exercise, solution.drill, swarmlab_run)
    drilled.note(solution.name, found)
    assert {check for check, verdict in found.items() if verdict == "fail"} == solution.loses
    assert {check for check, verdict in found.items() if verdict == "unknown"} <= solution.hides


def verdicts(exercise: Exercise, drill: str, run: Run) -> dict[str, str]:
    """What the checks of that drill say that the rubric names."""
    counted = combining.named_by_lab()
    last = run.recorder.view().performances(exercise.phase(drill))[-1]
    return {r.id: r.verdict.value for r in exercise.judge(last, drill) if r.id in counted}


def only(root: Path, stacks: tuple[str, ...]) -> None:
    """Leave of a submission's steps those out that other drills need."""
    path = root / "swarmlab.yml"
    # Every value stays the text that it is: `on` is no truth.
    told = yaml.load(path.read_text("utf-8"), yaml.BaseLoader)  # noqa: S506 - it makes texts alone
    told["steps"] = [
        step
        for step in told["steps"]
        if any(name in step.get("deploy", step.get("run", "")) for name in ("prepare", *stacks))
    ]
    path.write_text(yaml.safe_dump(told, allow_unicode=True), "utf-8")
