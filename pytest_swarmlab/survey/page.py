"""A survey as a page for an operator: its content and its oddities."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from pytest_swarmlab.survey import readings
from pytest_swarmlab.survey.machine import Attached, Machine
from pytest_swarmlab.survey.odd import Weight, oddities
from pytest_swarmlab.survey.seen import NodeRow, Service, Survey
from pytest_swarmlab.text import duration, line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

WORDS = 60
"""Characters of a cell."""

ANONYMOUS = re.compile(r"[0-9a-f]{64}")
"""Name of an anonymous volume."""

NAMES = 12
"""Most names in one line."""

ROWS = 100
"""Most rows of one table, to keep the page readable."""

MARKS = {
    Weight.BROKEN: ("bold red", "✗"),
    Weight.RISK: ("bold yellow", "!"),
    Weight.NOTE: ("dim", "·"),
}

WIDTH = 140
"""Columns that the page takes where it goes to no terminal."""


def write(survey: Survey, out: TextIO) -> None:
    """The whole page."""
    from rich.console import Console

    width = None if out.isatty() else WIDTH
    console = Console(file=out, highlight=False, width=width)
    _head(console, survey)
    _machines(console, survey)
    _services(console, survey)
    _kept(console, survey)
    _odd(console, survey)


def _words(value: object, style: str = "", limit: int = WORDS) -> Text:
    """A cell; its text is untrusted, so no part of it is markup."""
    from rich.text import Text

    return Text(line(value, limit), style=style)


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        header_style="dim",
    )
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _head(console: Console, survey: Survey) -> None:
    settings = survey.settings
    said = f"cluster {line(survey.cluster)}"
    if settings:
        life = f", certificates for {settings.certificate_s / 86_400:.0f} days"
        said += (
            f", swarm {line(settings.id)}, autolock {'on' if settings.autolock else 'off'}{life}"
        )
    console.print(_words(said, "bold", 200))
    took = f", looked at in {duration(survey.seconds)}" if survey.seconds is not None else ""
    console.print(_words(f"{survey.at[:19]}Z{took}", "dim"))
    console.print()


def _machines(console: Console, survey: Survey) -> None:
    table = _table(
        f"machines ({len(survey.machines)})",
        "machine", "role", "state", "tasks", "address", "engine", "share", "disk", "certificate",
    )  # fmt: skip
    rows = {row.machine: row for row in survey.nodes or () if row.machine}
    for machine in survey.machines[:ROWS]:
        row = rows.get(machine.name)
        table.add_row(
            _words(machine.name),
            _role(row),
            _state(machine, row),
            _words(
                row.availability if row else "?", "yellow" if row and not row.takes_tasks else ""
            ),
            _words(row.address if row else machine.address),
            _words(machine.engine.version if machine.engine else "?"),
            _words(_share(machine)),
            _words(_disk(machine)),
            _words(_certificate(machine)),
        )
    strangers = [row for row in survey.nodes or () if not row.machine]
    for row in strangers[:ROWS]:
        state = _words(row.state, "red" if row.state != "ready" else "")
        table.add_row(_words(f"({row.name})"), _role(row), state, _words(row.availability),
                      _words(row.address), _words(row.engine), *[_words("")] * 3)  # fmt: skip
    console.print(table)


def _role(row: NodeRow | None) -> Text:
    if row is None:
        return _words("?")
    return _words(f"{row.role}{', leads' if row.leader else ''}", "bold" if row.leader else "")


def _state(machine: Machine, row: NodeRow | None) -> Text:
    if row is None:
        said = machine.engine.state if machine.engine else "no answer"
        return _words(said or "?", "red")
    good = row.state == "ready" and row.reachability in {"", "reachable"}
    told = row.state if row.reachability in {"", "reachable"} else row.reachability
    return _words(told, "green" if good else "red")


def _share(machine: Machine) -> str:
    system = machine.system
    if system is None:
        return "?"
    shown = [f"exports {export.path}" for export in system.exports or ()]
    shown += [f"mounts {mount.target}" for mount in machine.shares]
    return ", ".join(shown)


def _disk(machine: Machine) -> str:
    disks = (machine.system.disks or ()) if machine.system else ()
    return f"{max(disk.full for disk in disks):.0%}" if disks else "?"


def _certificate(machine: Machine) -> str:
    seen = machine.system.certificate if machine.system else None
    return f"{seen.left_s / 86_400:.0f} d" if seen and seen.left_s is not None else "?"


def _services(console: Console, survey: Survey) -> None:
    if survey.services is None:
        return
    table = _table(
        f"services ({len(survey.services)})",
        "service", "image", "running", "on", "ports", "health check", "keeps",
    )  # fmt: skip
    for service in sorted(survey.services, key=lambda each: each.name)[:ROWS]:
        wanted = readings.wanted(survey, service)
        running = survey.running(service)
        short = wanted is not None and len(running) < wanted
        count = f"{len(running)}/{'?' if wanted is None else wanted}"
        ports = ", ".join(f"{port.published}→{port.target}" for port in service.ports)
        table.add_row(
            _words(service.name),
            _words(service.image.partition("@")[0]),
            _words(count, "red" if short else "green"),
            _words(", ".join(sorted({task.node for task in running}))),
            _words(ports),
            _words("yes" if service.health and not service.health.none else "—"),
            _words(_keeps(survey, service), limit=100),
        )
    console.print(table)
    _more(console, len(survey.services) - ROWS + survey.more.get("services", 0), "services")


def _keeps(survey: Survey, service: Service) -> str:
    def place(attached: Attached) -> str:
        return "share" if readings.distributed(survey, attached) else attached.kind

    return ", ".join(f"{each.target} ({place(each)})" for each in service.attached)


def _more(console: Console, more: int, what: str) -> None:
    if more > 0:
        console.print(_words(f"and {more} more {what}", "dim"))


def _kept(console: Console, survey: Survey) -> None:
    """All other objects, one line for each kind."""
    every = {
        "secrets": sorted(each.name for each in survey.secrets or ()),
        "configs": sorted(each.name for each in survey.configs or ()),
        "networks": sorted(
            f"{each.name}{' (encrypted)' if each.encrypted else ''}"
            for each in survey.networks or ()
            if not each.ingress
        ),
        "volumes": _volumes(survey),
        "backups": _backups(survey),
    }
    for what, names in every.items():
        console.print(_words(f"{what} ({len(names)}): {_some(names) or 'none'}", limit=1000))
    console.print()


def _volumes(survey: Survey) -> list[str]:
    """Volumes with a name."""
    there = {volume.name for machine in survey.machines for volume in machine.volumes or ()}
    return sorted(name for name in there if not ANONYMOUS.fullmatch(name))


def _backups(survey: Survey) -> list[str]:
    found = [
        (backup.age_s, f"{backup.path} on {machine.name}, {_age(backup.age_s)} old")
        for machine in survey.machines
        for backup in (machine.system.backups or () if machine.system else ())
    ]
    return [words for _, words in sorted(found)]


def _age(seconds: float) -> str:
    return f"{seconds / 3600:.0f} h" if seconds >= 3600 else duration(max(0.0, seconds))


def _some(names: Iterable[str]) -> str:
    listed = [line(name, 2 * WORDS) for name in names]
    return ", ".join(listed[:NAMES]) + (" …" if len(listed) > NAMES else "")


def _odd(console: Console, survey: Survey) -> None:
    from rich.text import Text

    found = oddities(survey)
    if not found:
        console.print(Text("nothing is odd", style="green"))
        return
    told = "one thing is odd" if len(found) == 1 else f"{len(found)} things are odd"
    console.print(Text(told, style="bold"))
    for each in found[:ROWS]:
        style, mark = MARKS[each.weight]
        console.print(Text.assemble((f"{mark} ", style), _words(each.what, limit=300)))
        if each.remedy:
            console.print(Text.assemble("  → ", _words(each.remedy, "dim", 300)))
    _more(console, len(found) - ROWS, "of them")
