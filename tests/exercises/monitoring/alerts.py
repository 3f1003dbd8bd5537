"""The alerts that a phase provoked: their causes, notifications and repairs, read off a record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence.events import each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import not_awaited, out_of_order

from .declared import EXPECTED
from .events import Active, Heard, Mended, Mending, Provoked


@dataclass(frozen=True)
class Alert:
    """An alert that was provoked; its deed names the node or service."""

    record: Record
    deed: Provoked

    @property
    def name(self) -> str:
        """Its rule's."""
        return self.deed.alert

    @property
    def labels(self) -> Mapping[str, str]:
        """The labels that identify it."""
        return self.deed.labels

    @property
    def words(self) -> str:
        """The alert's name, and its node or service."""
        return f"{self.name} ({', '.join(self.labels.values())})" if self.labels else self.name

    def heard(self, status: str) -> list[Heard]:
        """Each notification that it is `firing`, or `resolved`."""
        heard = each(self.record, Heard, status=status, alert=self.name)
        return [e for e in heard if self.labels.items() <= e.labels.items()]

    @property
    def first(self) -> Heard | None:
        """The first notification after the deed."""
        return next((e for e in self.heard("firing") if e.heard >= self.deed.clock), None)

    @property
    def never_told(self) -> bool:
        """Whether the notification was waited for, and did not come."""
        return self.first is None and not not_awaited(self.record, self.deed.t)

    @property
    def active(self) -> Active | None:
        """Prometheus' last answer about it while it fired."""
        found = each(self.record, Active, alert=self.name, state="firing")
        mine = [e for e in found if self.labels.items() <= e.labels.items()]
        return mine[-1] if mine else None

    @property
    def mending(self) -> Mending | None:
        """When its repair began."""
        return last(self.record, Mending, alert=self.name)

    @property
    def mended(self) -> Mended | None:
        """When its repair was done."""
        return last(self.record, Mended, alert=self.name)

    @property
    def ends(self) -> list[Heard]:
        """Each notification after the deed that it is resolved."""
        return [e for e in self.heard("resolved") if e.heard >= self.deed.clock]

    @property
    def end(self) -> Heard | None:
        """The first of them after its repair began."""
        mending = self.mending
        return next((e for e in self.ends if mending and e.heard >= mending.clock), None)

    @property
    def never_over(self) -> bool:
        """Whether the end was waited for after the repair, and did not come."""
        mending = self.mending
        return bool(mending and not self.end and not not_awaited(self.record, mending.t))


def phase_of(record: Record) -> str:
    """The phase that provokes the record's alerts. Raises Unseen if none does."""
    names = {deed.alert for deed in each(record, Provoked)}
    for phase, alerts in EXPECTED.items():
        if names == alerts.keys():
            return phase
    raise Unseen(f"no phase provokes exactly these alerts: {', '.join(sorted(names)) or 'nothing'}")


def provoked(record: Record) -> Iterator[Alert]:
    """Every alert that is to fire in this phase. Raises Unseen for one that was not provoked."""
    for name, expected in EXPECTED[phase_of(record)].items():
        deed = need(record, Provoked, f"the cause of {name} was not recorded", alert=name)
        if missing := [label for label in expected.labels if label not in deed.labels]:
            raise Unseen(f"the cause of {name} names no {missing[0]}")
        yield Alert(record, deed)


def not_told_meanwhile(alert: Alert, *looks: Active | None) -> list[str]:
    """What is missing of this order: its deed, its notification, these looks at it, its repair."""
    first, mending = alert.first, alert.mending
    return out_of_order(
        (f"the cause of {alert.words}", alert.deed.t),
        (f"the notification of {alert.words}", first.t if first else None),
        *((f"the look at {alert.words} in Prometheus", look.t if look else None) for look in looks),
        (f"the repair for {alert.words}", mending.t if mending else None),
    )
