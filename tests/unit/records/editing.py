"""Small edits that turn the record of a good run into that of a broken one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Event

Edit = Callable[[Record], Record]
Row = tuple[str, dict[str, Any]]
"""Kind and data of an event."""
Timed = tuple[float, str, dict[str, Any]]
"""An event at its moment."""


LAB = ("manager1", "manager2", "manager3", "worker1", "worker2")
AT = "2026-05-04T10:00:00+00:00"


def events(
    phase: str,
    *rows: Row,
    start: float = 0.0,
    machines: Sequence[str] = LAB,
) -> Record:
    """A record of one phase, an event a second, on a cluster of those machines."""
    moments = ((start + number, kind, data) for number, (kind, data) in enumerate(rows))
    return timed(phase, *moments, machines=machines)


def timed(phase: str, *rows: Timed, machines: Sequence[str] = LAB) -> Record:
    """A record of one phase, each event at its own moment, on a cluster of those machines."""
    ready = {
        "nodes": [{"name": name, "membership": name.rstrip("0123456789")} for name in machines]
    }
    told = sorted(rows, key=lambda row: row[0])
    began = told[0][0] if told else 0.0
    return Record(
        (
            Event(0, began - 1, AT, "cluster.ready", "", ready),
            *(
                Event(number, t, AT, kind, phase, data)
                for number, (t, kind, data) in enumerate(told, 1)
            ),
        )
    )


def at(t: float, *rows: Row, apart: float = 0.01) -> list[Timed]:
    """These rows from that moment on, so many seconds apart."""
    return [(t + number * apart, *row) for number, row in enumerate(rows)]


def without(record: Record, unwanted: Callable[[Event], bool]) -> Record:
    """The record as if those events had never been seen."""
    return Record(tuple(event for event in record if not unwanted(event)))


def changed(record: Record, wanted: Callable[[Event], bool], **data: Any) -> Record:
    """The record with other data in those events."""
    return Record(
        tuple(
            replace(event, data={**event.data, **data}) if wanted(event) else event
            for event in record
        )
    )


def kind(name: str, /, **data: Any) -> Callable[[Event], bool]:
    """Whether an event is of that kind, and has that data besides other."""
    return lambda event: (
        event.kind == name and all(event.data.get(key) == value for key, value in data.items())
    )


def edited(name: str, where: dict[str, Any] | None = None, /, **data: Any) -> Edit:
    """Events of that kind (those with the data `where`) say something else."""
    return lambda run: changed(run, kind(name, **(where or {})), **data)


def last(name: str, where: dict[str, Any] | None = None, /, **data: Any) -> Edit:
    """The last event of that kind (and with the data `where`) says something else."""

    def edit(run: Record) -> Record:
        event = run.last(name, **(where or {}))
        return changed(run, lambda e: e is event, **data)

    return edit


def moved(name: str, where: dict[str, Any] | None = None, /, *, to: float) -> Edit:
    """Events of that kind (those with the data `where`) were seen at that moment."""
    wanted = kind(name, **(where or {}))

    def edit(run: Record) -> Record:
        there = (replace(e, t=to) if wanted(e) else e for e in run)
        return Record(tuple(sorted(there, key=lambda e: e.t)))

    return edit


def none_of(name: str, /, **where: Any) -> Edit:
    """Events of that kind were never seen."""
    return lambda run: without(run, kind(name, **where))


def in_vain(edit: Edit) -> Edit:
    """… and the drill has waited for what did not come until its time was over."""

    def edited_in_vain(run: Record) -> Record:
        broken = edit(run)
        end = [event for event in broken if event.phase][-1]
        data = {"condition": "it comes", "node": None, "outcome": "timeout", "elapsed": 60.0}
        waited = replace(end, t=broken.events[-1].t + 1, kind="wait", data={**data, "last": ""})
        return Record((*broken.events, waited))

    return edited_in_vain


def none_within(began: float, ended: float, **where: Any) -> Edit:
    """No client asked then."""
    wanted = kind("request", **where)
    return lambda run: without(run, lambda e: wanted(e) and began <= e.data["sent"] <= ended)
