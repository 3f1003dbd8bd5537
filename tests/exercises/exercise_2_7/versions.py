"""Versions that are named by their content, and how they are cleared away."""

from __future__ import annotations

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.events import last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import INVALID, VERSIONING, exercise
from .events import Answer, Lost, Version

LOST = "starting container failed: unable to get config from config store: config "


@exercise.check(
    "same-content-same-everything",
    phases=VERSIONING,
    title="A second deployment of the same content changes nothing",
    expected="the same config name and the same task",
    hint="Does the name contain more than the digest, such as a date or a number?",
)
def same_content(record: Record) -> Judgement:
    """Repeated deployments are safe."""
    steps = _steps(record, "first", "first-again")
    first, again = steps["first"], steps["first-again"]
    told = f"{again.current}, task {again.task[:8]}; before {first.task[:8]}"
    same = (first.current, first.task, first.listed) == (again.current, again.task, again.listed)
    return passed(told) if same else failed(told)


@exercise.check(
    "new-content-new-task",
    phases=VERSIONING,
    title="New content gets a new name, and only that replaces the task",
    expected="a new name, a new task, and answers of the new version",
    hint="`docker config ls`: does it list the new version? `docker service ps proxy_nginx`.",
)
def new_content(record: Record) -> Judgement:
    """The name is the version."""
    wanted = {"first": "v1", "second": "v2", "third": "v3"}
    steps = _steps(record, *wanted)
    seen = [steps[step] for step in wanted]
    told = "; ".join(f"{version.current} serves {version.served}" for version in seen)
    served = [version.served for version in seen] == list(wanted.values())
    deployed = all(version.current == version.deployed for version in seen)
    distinct = all(
        len(names) == len(seen)
        for names in ({version.current for version in seen}, {version.task for version in seen})
    )
    return passed(told) if served and deployed and distinct else failed(told)


@exercise.check(
    "prune",
    phases=VERSIONING,
    title="The clean-up removes unused configs, and keeps the one that a rollback needs",
    expected="of three versions the first is removed; the current and the previous one stay",
    hint="`docker service inspect`: Spec and PreviousSpec name the configs that must stay.",
)
def prune(record: Record) -> Judgement:
    """Three were made; one is in use and one would be, after a rollback."""
    steps = _steps(record, "first", "second", "third", "pruned")
    first, second, third = (steps[step].current for step in ("first", "second", "third"))
    removed, listed = steps["pruned"].removed or (), steps["pruned"].listed
    told = f"removed {', '.join(removed) or 'none'}; left {', '.join(listed) or 'none'}"
    good = removed == (first,) and len(listed) == 2 and set(listed) == {second, third}
    return passed(told) if good else failed(told)


@exercise.check(
    "in-use-is-safe",
    phases=VERSIONING,
    title="The engine refuses to remove the config in use",
    expected="`docker config rm` is refused, naming the service",
    hint="`docker service inspect`: is it really the current one?",
)
def in_use_is_safe(record: Record) -> Judgement:
    """Whatever a clean-up gets wrong."""
    seen = need(record, Answer, "its removal was not tried", asked="current")
    said = seen.said
    deployed = need(record, Version, "no third version was deployed", step="third")
    if missing := out_of_order(("its deployment", deployed.t), ("its removal", seen.t)):
        return unknown("; ".join(missing))
    words = f"{INVALID}config '{deployed.current}' is in use by the following service: proxy_nginx"
    refused = seen.code not in (0, None) and said == words
    return passed(said) if refused else failed(said or "it was removed")


@exercise.check(
    "way-back",
    phases=VERSIONING,
    title="A rollback works after the clean-up",
    expected="answers of the second version",
    hint="`docker service ps proxy_nginx`: does a task say that its config is missing?",
)
def way_back(record: Record) -> Judgement:
    """What a clean-up that only asks the engine would have removed."""
    steps = _steps(record, "second", "third", "pruned", "rolled-back")
    back = steps["rolled-back"]
    told = f"{back.current} serves {back.served}"
    good = back.current == steps["second"].current and back.served == "v2"
    if steps["third"].current == steps["second"].current:
        return unknown(f"{told}; this version ran before")
    return passed(told) if good else failed(told)


@exercise.check(
    "unsafe-by-hand",
    phases=VERSIONING,
    title="The engine does not protect the previous config, and only a rollback shows that it is"
    " gone",
    expected="`docker config rm` removes it; the rollback is accepted and its task fails",
    hint="Keep the previous config, as `configs.prune` does, or deploy the old file again.",
)
def unsafe_by_hand(record: Record) -> Judgement:
    """Why a clean-up may not go by what the engine refuses."""
    removal, lost = last(record, Answer, asked="previous"), last(record, Lost)
    if removal is None or lost is None:
        return unknown("the version was not removed, or no rollback was tried")
    error = lost.error
    back = last(record, Version, step="rolled-back")
    order = out_of_order(
        ("the running version", back.t if back else None),
        ("the removal of the one before", removal.t),
        ("the rollback's failure", lost.t),
    )
    gone = removal.code == 0 and error.startswith(LOST) and error.endswith("not found")
    return judged(error or removal.said, holds=gone, missing=order)


@exercise.check(
    "redeployed-loses-the-way-back",
    phases=VERSIONING,
    title="A second deployment of the same file makes a rollback useless",
    expected="the service's previous definition is its current one",
    hint="`docker service inspect`: PreviousSpec. Deploy the old file instead.",
)
def redeployed(record: Record) -> Judgement:
    """A rollback then has nowhere to go: an old content has to be deployed again."""
    steps = _steps(record, "first", "first-again")
    first, again = steps["first"], steps["first-again"]
    told = f"current {again.current}, previous {again.previous}"
    if first.previous == first.current:
        return unknown(f"{told}; the first deployment had no other previous version")
    return passed(told) if again.current == again.previous else failed(told)


def _steps(record: Record, *wanted: str) -> dict[str, Version]:
    """What was noted in these steps. Raises Unseen unless each came, and after the one before."""
    seen = {step: last(record, Version, step=step) for step in wanted}
    moments = [(f"the step {step!r}", e.t if e else None) for step, e in seen.items()]
    if missing := out_of_order(*moments):
        raise Unseen("; ".join(missing))
    return {step: version for step, version in seen.items() if version}
