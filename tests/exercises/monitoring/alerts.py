"""What was provoked in a phase, what was heard of it, and how it was mended, as a record has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.events import each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import out_of_order

from .declared import EXPECTED
from .events import Active, Heard, Mended, Mending, Provoked


@dataclass(frozen=True)
class Alert:
    """An alert that was provoked, by a deed that says of which node or service it is."""

    record: Record
    deed: Provoked

    @property
    def name(self) -> str:
        """Its rule's."""
        return self.deed.alert

    @property
    def labels(self) -> Mapping[str, str]:
        """Those by which it is this one."""
        return self.deed.labels

    @property
    def words(self) -> str:
        """The alert, and of what it is."""
        return f"{self.name} ({', '.join(self.labels.values())})" if self.labels else self.name

    def heard(self, status: str) -> list[Heard]:
        """Each time that it was heard to be `firing`, or `resolved`."""
        heard = each(self.record, Heard, status=status, alert=self.name)
        return [e for e in heard if self.labels.items() <= e.labels.items()]

    @property
    def first(self) -> Heard | None:
        """The first time that it was told after the deed."""
        return next((e for e in self.heard("firing") if e.heard >= self.deed.clock), None)

    @property
    def active(self) -> Active | None:
        """What Prometheus last said of it while it fired."""
        found = each(self.record, Active, alert=self.name, state="firing")
        mine = [e for e in found if self.labels.items() <= e.labels.items()]
        return mine[-1] if mine else None

    @property
    def mending(self) -> Mending | None:
        """When its mending began."""
        return last(self.record, Mending, alert=self.name)

    @property
    def mended(self) -> Mended | None:
        """When its mending was done."""
        return last(self.record, Mended, alert=self.name)

    @property
    def ends(self) -> list[Heard]:
        """Each time after the deed that it was told to be over."""
        return [e for e in self.heard("resolved") if e.heard >= self.deed.clock]

    @property
    def end(self) -> Heard | None:
        """The first of them after its mending began."""
        mending = self.mending
        return next((e for e in self.ends if mending and e.heard >= mending.clock), None)


def phase_of(record: Record) -> str:
    """Which of the phases this is: by what was provoked in it. Raises Unseen if it is none."""
    names = {deed.alert for deed in each(record, Provoked)}
    for phase, alerts in EXPECTED.items():
        if names == alerts.keys():
            return phase
    raise Unseen(f"what was provoked is of no phase: {', '.join(sorted(names)) or 'nothing'}")


def provoked(record: Record) -> Iterator[Alert]:
    """Every alert that is to fire in this phase. Raises Unseen for one that was not provoked."""
    for name, expected in EXPECTED[phase_of(record)].items():
        deed = need(record, Provoked, f"nothing was done that {name} tells of", alert=name)
        if missing := [label for label in expected.labels if label not in deed.labels]:
            raise Unseen(f"nobody said of which {missing[0]} {name} was provoked")
        yield Alert(record, deed)


def not_told_meanwhile(alert: Alert, *looks: Active | None) -> list[str]:
    """What is missing of this order: its deed, that it was told, these looks at it, its mending."""
    first, mending = alert.first, alert.mending
    return out_of_order(
        (f"what gives {alert.words} a reason", alert.deed.t),
        (f"that {alert.words} was told", first.t if first else None),
        *((f"since when {alert.words} was true", look.t if look else None) for look in looks),
        (f"what mends {alert.words}", mending.t if mending else None),
    )
