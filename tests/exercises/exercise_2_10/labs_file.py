"""The lab's own stack file, deployed as it is, judged on the record alone."""

from __future__ import annotations

from pytest_swarmlab import failed
from pytest_swarmlab.evidence.events import each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, members_of, not_each, out_of_order
from pytest_swarmlab.model import Capability, Judgement

from .declared import LITERAL, exercise
from .events import Deployed, Ended, Visited

ENDS = {
    "frontend": "directive is not allowed here",
    "api-gateway": "directive is not allowed here",
    "redis": "wrong number of arguments",
    "rabbitmq": "is set but deprecated",
}
"""Service → its program's last error, which the lab's lines cause."""

HINTS = {
    "frontend": "A bare `server { … }` is no complete nginx.conf: mount it below conf.d.",
    "api-gateway": "A bare `server { … }` is no complete nginx.conf: mount it below conf.d.",
    "redis": "`${REDIS_PASSWORD}` has no value here, so `--requirepass` has no argument.",
    "rabbitmq": "Since 3.9 the variables that end with _FILE are refused: mount a configuration.",
}
PORTS = (80, 8080)


def _declare() -> None:
    for name, words in ENDS.items():

        def judge(record: Record, name: str = name, words: str = words) -> Judgement:
            return _ended(record, name, words)

        exercise.check(
            f"{name}-never-starts",
            phases=LITERAL,
            title=f"The lab's {name} ends as soon as it starts",
            expected=f"its task fails, and its program says {words!r}",
            hint=HINTS[name],
        )(judge)


def _ended(record: Record, name: str, words: str) -> Judgement:
    seen = need(record, Ended, "its end was not recorded", service=name)
    deployed = need(record, Deployed, "the file was not deployed")
    lines = [line for line in seen.said.splitlines() if words in line]
    told = f"{seen.state}, exit code {seen.exit_code}: {lines[-1] if lines else seen.said}"
    if not lines or seen.exit_code in (None, 0):
        return failed(told)
    return judged(told, missing=out_of_order(("the deployment", deployed.t), ("its end", seen.t)))


@exercise.check(
    "nobody-served",
    phases=LITERAL,
    needs=(Capability.IPVS,),
    title="The lab's file serves nobody",
    expected=f"no good answer at port {' and '.join(map(str, PORTS))} of any node",
    hint="`docker stack ps ecommerce`: which task runs?",
)
def nobody_served(record: Record) -> Judgement:
    """Without a gateway and a front end there is no shop."""
    deployed = need(record, Deployed, "the file was not deployed")
    ends = {e.service: e.t for e in each(record, Ended) if e.t > deployed.t}
    # A visit before all have ended proves nothing.
    since = max(ends.values(), default=deployed.t)
    seen = [e for e in each(record, Visited) if e.t > since and e.node]
    good = [e for e in seen if e.error is None and 0 < (e.status or 0) < 400]
    wrong = [f"{e.node}:{e.port}: {e.status}" for e in good]
    wanted = {f"{node}:{port}" for node in members_of(record) for port in PORTS}
    asked = (f"{e.node}:{e.port}" for e in seen)
    missing = not_each(ends, ENDS, "saw the end of") + not_each(asked, wanted, "visited")
    return judged(f"{len(seen)} visits", wrong=wrong, missing=missing)


_declare()
