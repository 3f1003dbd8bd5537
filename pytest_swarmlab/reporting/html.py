"""The plugin's part of report.html: verdicts, measurements, pictures, chronology, screenshots.

Every text that comes from a cluster goes through `text.clean` and is escaped by the template.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import (
    ClusterReady,
    Command,
    Curve,
    ExerciseSelected,
    Notice,
    Problem,
    Quorum,
    Write,
    each,
    last,
    read,
)
from pytest_swarmlab.evidence.load import LEAST_IDLE
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.evidence.time_spent import time_spent
from pytest_swarmlab.judging.exercise import overall
from pytest_swarmlab.marking.rubric import HUNDREDTHS, points
from pytest_swarmlab.model import Verdict
from pytest_swarmlab.reporting import account, bitmaps
from pytest_swarmlab.reporting.findings import findings
from pytest_swarmlab.reporting.marked import ungraded_by_reason
from pytest_swarmlab.reporting.outcomes import outcome
from pytest_swarmlab.reporting.timeline import Timeline, build_timeline
from pytest_swarmlab.text import LONG, clean, clock, count, line

VERDICTS = {
    "pass": "pass",
    "fail": "fail",
    "unknown": "unknown",
    "not_provable": "not provable here",
}
ORIGINS = {
    "stand-in": "stand-in built from Debian packages, not the official image",
    "registry": "official image, pulled from its registry",
    "own": "this project's own image, built from Debian packages; no registry has it",
}
UNITS = {"s": "s", "ms": "ms", "mib": "MiB", "bytes": "bytes"}
"""End of a measurement's name → its unit, for people."""
WAITS_SHOWN = 20
"""Kinds of waits in the page's table; results.json has more."""
OPEN_SHOWN = 20
"""Checks that failed or are unknown, in the list on top of the page; all stand further down."""

NO_PICTURE = "The picture could not be drawn: {error}"


def page(record: Record, results: dict[str, Any]) -> str:
    """The part as HTML, self-contained: nothing in it refers to the outside."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pytest_swarmlab", "reporting"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["figure"] = figure_of
    environment.filters["anchor"] = anchor
    environment.filters["count_of"] = count
    environment.filters["points"] = lambda found: points(round(found * HUNDREDTHS))
    reasons = ungraded_by_reason(results.get("criteria", []))
    exercises = [_exercise(record, exercise) for exercise in results["exercises"]]
    still_open = _still_open(results["exercises"])
    return environment.get_template("report.html.j2").render(
        results=results,
        verdicts=VERDICTS,
        origins=ORIGINS,
        images={
            origin: [image for image in results["images"] if image["origin"] == origin]
            for origin in ORIGINS
        },
        notices=[clean(notice.message) for notice in each(record, Notice)],
        errors=[
            {
                "infrastructure": problem.infrastructure,
                "where": line(problem.where),
                "message": clean(problem.message, 2000),
            }
            for problem in each(record, Problem)
        ],
        findings=[{"told": str(f), "observed": f.observed} for f in findings(record)],
        exercises=exercises,
        outcomes=[
            {"exercise": exercise, "phase": phase, **vars(phase["outcome"])}
            for exercise in exercises
            for phase in exercise["phases"]
            if phase["outcome"]
        ],
        still_open=still_open[:OPEN_SHOWN],
        more_open=max(len(still_open) - OPEN_SHOWN, 0),
        not_provable=sum(
            check["verdict"] == Verdict.NOT_PROVABLE.value
            for exercise in results["exercises"]
            for check in exercise["checks"]
        ),
        topologies=_topologies(record),
        time=_time(record, results.get("time")),
        reasons={why: points(worth) for why, worth in reasons.items()},
    )


def document(title: str, part: str) -> str:
    """The part as a page of its own, where pytest-html does not make the page around it."""
    from markupsafe import escape

    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>"
        f"\n</head>\n<body>\n<h1>{escape(title)}</h1>\n{part}\n</body>\n</html>\n"
    )


def anchor(name: str) -> str:
    """A name as an element's id, and as a link to it: without blanks, whatever a record says."""
    return quote(line(name), safe="")


def figure_of(value: Any) -> str:
    """A measurement for a table: seconds with one decimal, a dash for what was not seen."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, dict):
        return ", ".join(f"{line(key)} {figure_of(each)}" for key, each in value.items())
    return line(value)


def unit_apart(name: str) -> str:
    """A measurement's name as words, its unit behind them: ``ready_s`` → ``ready, s``."""
    words, _, last_word = name.rpartition("_")
    unit = UNITS.get(last_word)
    # Where a cluster's own words are part of a name, it is as hostile as they are.
    return line(f"{words.replace('_', ' ')}, {unit}" if words and unit else name.replace("_", " "))


def _still_open(exercises: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The checks that failed, then those that are unknown."""
    checks = [check for exercise in exercises for check in exercise["checks"]]
    return [c for verdict in ("fail", "unknown") for c in checks if c["verdict"] == verdict]


def _topologies(record: Record) -> str:
    """The sizes of the run's clusters in words, each once, in the order of their start."""
    sizes = [ready.topology for ready in each(record, ClusterReady)]
    told = [f"{count(s.managers, 'manager')} and {count(s.workers, 'worker')}" for s in sizes]
    return "; ".join(dict.fromkeys(told))


def _exercise(record: Record, exercise: dict[str, Any]) -> dict[str, Any]:
    # An id is exercise.phase.name, and the exercise's own number may hold any number of dots.
    ids = (check["id"].removeprefix(f"{exercise['id']}.") for check in exercise["checks"])
    names = dict.fromkeys(each.partition(".")[0] for each in ids)
    measured = exercise["measurements"]
    times = Counter(name for found in measured.values() for name in found)
    # What one phase alone has measured would be a row of dashes.
    rows = [name for name in times if times[name] > 1 or len(measured) == 1]
    columns = [phase for phase, found in measured.items() if any(name in found for name in rows)]
    counts = [check["verdict"] for check in exercise["checks"]]
    selected = last(record, ExerciseSelected, id=exercise["id"])
    titles = selected.titles if selected else {}
    compared = selected.comparison if selected else None
    spread = selected.distribution if selected else None
    return {
        **exercise,
        "passed": counts.count("pass"),
        "total": len(counts),
        "comparison": _comparison(compared, measured) if compared and measured else None,
        "distribution": _distribution(spread, measured) if spread and measured else None,
        "measured_phases": columns,
        "machine": _machine(exercise["machine"], columns),
        "unmeasured": [
            f"{line(phase)} ({seen['idle']:.1%})"
            for phase, seen in exercise["machine"].items()
            if phase not in measured and seen["idle"] < LEAST_IDLE
        ],
        "measured": {
            unit_apart(name): [measured[phase].get(name) for phase in columns] for name in rows
        },
        "measured_once": [
            (phase, unit_apart(name), found[name])
            for phase, found in measured.items()
            for name in found
            if name not in rows
        ],
        "phases": [_phase(record, exercise, name, titles.get(name, name)) for name in names],
    }


def _machine(machine: dict[str, Any], phases: list[str]) -> dict[str, list[str]]:
    """Rows under the measurements: the machine's idle time, and the other clusters on it."""
    seen = [machine.get(phase) for phase in phases]
    if not any(seen):
        return {}
    return {
        "processors idle": [f"{each['idle']:.0%}" if each else "–" for each in seen],
        "other clusters beside": [line(each["beside"]) if each else "–" for each in seen],
    }


def _phase(record: Record, exercise: dict[str, Any], name: str, title: str) -> dict[str, Any]:
    phase = f"{exercise['id']}/{name}"
    part = record.performances(phase)[-1].phase(phase)
    prefix = f"{exercise['id']}.{name}."
    sampled = len(readings.node_samples(part)) > 10 and readings.fault(part) is not None
    timeline = build_timeline(part, phase) if sampled else None
    checks = [c for c in exercise["checks"] if c["id"].startswith(prefix)]
    return {
        "id": f"{exercise['id']}.{name}",
        "name": name,
        "title": line(title),
        "worker": line(part.events[0].worker) if part.events else "",
        "checks": checks,
        "verdict": overall(Verdict(check["verdict"]) for check in checks).value,
        "outcome": outcome(part, timeline),
        "picture": _timeline(timeline) if timeline else None,
        "chronology": [
            {"at": clock(m.t, tenths=True), "text": m.text, "seen_by": line(m.seen_by)}
            for m in (timeline.moments if timeline else ())
        ],
        "dashboards": _dashboards(part),
        "clients": _clients(part),
        "quorum": _quorum(part),
        "pictures": [
            {"title": each.title, "at": clock(each.t), "source": each.source}
            for each in bitmaps.pictures(part)
        ],
        "screens": [
            {
                "title": line(command.title),
                "node": line(command.node),
                "at": clock(command.t),
                "command": clean(shlex.join(command.argv)),
                "output": clean(command.stdout + command.stderr, LONG),
            }
            for command in each(part, Command)
            if command.title
        ],
    }


def _timeline(timeline: Timeline) -> dict[str, Any]:
    from pytest_swarmlab.reporting.pictures import failover

    return _picture(lambda: failover.svg(timeline))


def _dashboards(part: Record) -> list[dict[str, Any]]:
    """Title and picture of every dashboard of which the monitoring gave data."""
    from pytest_swarmlab.reporting.pictures import panels

    found: dict[str, list[Curve]] = {}
    for curve in each(part, Curve):
        found.setdefault(curve.dashboard, []).append(curve)
    return [
        {"title": line(name), "picture": _picture(partial(panels.svg, curves))}
        for name, curves in found.items()
    ]


def _comparison(compared: Mapping[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    from pytest_swarmlab.reporting.pictures import comparison

    return _picture(lambda: comparison.svg(compared["phases"], compared["measures"], measured))


def _distribution(spread: Mapping[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    from pytest_swarmlab.reporting.pictures import distribution

    found = measured.get(spread["phase"], {})
    return _picture(lambda: distribution.svg(spread["measures"], found))


def _time(record: Record, told: dict[str, Any] | None) -> dict[str, Any] | None:
    """Where the run's own time went; None when nothing was recorded."""
    from pytest_swarmlab.reporting.pictures import run_time

    workers = time_spent(record)
    if not told or not workers:
        return None
    return {
        "summary": account.summary(workers),
        "picture": _picture(lambda: run_time.svg(workers)),
        "columns": list(account.COLUMNS),
        "exercises": account.by_exercise(workers),
        "workers": account.by_worker(workers) if len(workers) > 1 else [],
        "waited_for": told["waited_for"][:WAITS_SHOWN],
        "more": len(told["waited_for"]) - WAITS_SHOWN,
    }


def _picture(draw: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"svg": draw(), "error": None}
    except Exception as error:  # noqa: BLE001 - a picture less must not cost the report
        return {"svg": None, "error": NO_PICTURE.format(error=line(error))}


def _clients(part: Record) -> dict[str, Any] | None:
    asked = readings.requests(part)
    if not asked:
        return None
    gaps = readings.longest_gap_by_node(part)
    nodes = []
    for node in sorted({request.node for request in asked}):
        through = [request for request in asked if request.node == node]
        nodes.append(
            {
                "name": line(node),
                "asked": len(through),
                "failed": sum(not request.ok for request in through),
                "gap": gaps[node].seconds,
            }
        )
    return {
        "asked": len(asked),
        "failed": sum(not request.ok for request in asked),
        "nodes": nodes,
    }


def _quorum(part: Record) -> list[dict[str, Any]]:
    """The outcome of the changes that were tried at each level of loss."""
    rows: list[dict[str, Any]] = []
    for event in part.of(Quorum.kind, Write.kind):
        if event.kind == Quorum.kind:
            level = read(Quorum, event)
            counts = {"lost": level.lost, "managers": level.managers}
            rows.append({**counts, "error": None, "tried": False})
        elif rows:
            error = read(Write, event).error
            rows[-1] |= {"tried": True, "error": line(error) if error else None}
    return rows
