"""The check of every exercise that moves leadership: each machine keeps its identity.

The drills read the identities before and after: ``with evidence.identities_of(swarm):``.
"""

from collections.abc import Sequence

from pytest_swarmlab import Exercise, failed
from pytest_swarmlab.evidence import identities, readings
from pytest_swarmlab.evidence.events import Identities, each
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window, judged, members_of, not_each, not_while
from pytest_swarmlab.model import Judgement

TWO_IDENTITIES = "two-identities"
"""The finding's name in docs/findings.md."""


def declare(exercise: Exercise, phases: Sequence[str]) -> None:
    """Declare `identities-kept` for these phases of an exercise."""
    exercise.check(
        "identities-kept",
        phases=phases,
        title="Each machine keeps its node identity",
        expected="the same node id of its engine, and the same name and role in its certificate",
        hint="docs/findings.md, two-identities: `openssl x509 -noout -subject -in"
        " /var/lib/docker/swarm/certificates/swarm-node.crt` on each machine.",
    )(identities_kept)


def identities_kept(record: Record) -> Judgement:
    """As each machine says itself: another's certificate acts for it, whatever managers list.

    Who led in between must have been seen: without it nobody can tell when leadership moved last.
    """
    found = identities.kept(record)
    if found.wrong:
        return failed("; ".join(found.wrong), finding=TWO_IDENTITIES if found.taken else "")
    asked = each(record, Identities)
    led = [sample.t for sample in readings.node_samples(record, surviving=False) if sample.leading]
    return judged(
        found.seen,
        missing=[
            *not_each(found.asked, members_of(record), "asked"),
            *not_while(led, Window(asked[0].t, asked[-1].t), "saw who led"),
        ],
    )
