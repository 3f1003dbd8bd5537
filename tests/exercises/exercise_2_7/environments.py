"""One application in two environments."""

from __future__ import annotations

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, members_of, not_each
from pytest_swarmlab.model import Judgement

from .declared import MESH, exercise
from .events import Answer, Given, Settings

ENVIRONMENTS = ("environments",)

NO_ENVIRONMENT = (
    'invalid interpolation format for configs.app_config.name: "required variable APP_CONFIG is'
    ' missing a value: say which configuration"; you may need to escape any $ with another $'
)


@exercise.check(
    "each-its-own",
    phases=ENVIRONMENTS,
    title="Each environment answers with its own configuration, through every node",
    expected="every answer is the content of that environment's file",
    hint="`docker service inspect`: which config does the stack's service name?",
    needs=MESH,
)
def each_its_own(record: Record) -> Judgement:
    """One image and one stack file; each environment has only its own content."""
    given = {e.environment: e.settings for e in each(record, Given) if e.environment}
    seen = each(record, Settings)
    if len(given) < 2:
        return unknown("the environments' settings were not recorded")
    if given["dev"] == given["prod"]:
        return unknown("both environments have the same settings")
    wrong = [
        f"{e.environment} through {e.node}: {e.error or e.found}"
        for e in seen
        if e.found != given[e.environment]
    ]
    told = ", ".join(f"{name} {sum(e.environment == name for e in seen)} times" for name in given)
    missing = [
        f"{name}: {lack}"
        for name in given
        for lack in not_each(
            (e.node for e in seen if e.environment == name),
            members_of(record),
            "asked through",
        )
    ]
    return judged(told, wrong=wrong, missing=missing)


@exercise.check(
    "no-environment-no-stack",
    phases=ENVIRONMENTS,
    title="Without an environment nothing is deployed",
    expected="the client refuses, names the missing variable, and creates no service",
    hint="`${APP_CONFIG:?…}` in the stack file makes it so.",
)
def no_environment(record: Record) -> Judgement:
    """Better than a production that starts with nothing."""
    seen = need(record, Answer, "it was not tried", asked="no-environment")
    told = f"{seen.said}; {seen.made} services"
    refused = seen.code not in (0, None) and seen.said == NO_ENVIRONMENT and seen.made == 0
    return passed(told) if refused else failed(told)
