"""A database that hangs is replaced, and its data is there."""

from __future__ import annotations

from pytest_swarmlab import unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import EngineTold, each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Window, judged, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import DATABASE, KILLED, MESH, exercise
from .events import Frozen, Rows
from .seen import at_work, untouched
from .setting import API
from .setting import DATABASE as DATABASE_SERVICE

ROW = "before the database hung"


@exercise.check(
    "hanging-is-unhealthy",
    phases=DATABASE,
    title="Swarm kills and replaces a database that hangs",
    expected=f"its container is unhealthy; its task failed: {KILLED!r}; another runs",
    hint="The process runs and its port is open: only a health check detects the fault.",
)
def hanging_is_unhealthy(record: Record) -> Judgement:
    """Only a health check detects it."""
    frozen = need(record, Frozen, "the database was not made to hang")
    samples = [s for s in readings.task_lists(record, DATABASE_SERVICE) if s.asked > frozen.t]
    if not samples:
        return unknown("nobody listed its tasks after it was made to hang")
    tasks = samples[-1].tasks
    ill_events = each(
        record, EngineTold, container=frozen.container, what="health_status: unhealthy"
    )
    told_ill = [event.t for event in ill_events]
    ill = any(t > frozen.t for t in told_ill)
    old = next((t for t in tasks if t.id == frozen.task), None)
    heirs = [t for t in at_work(tasks) if t.id != frozen.task]
    told = f"{'unhealthy' if ill else 'not found unhealthy'}; its task: "
    told += f"{old.state}, {old.error}" if old else "not listed"
    told += f"; {len(heirs)} other runs"
    good = old and old.error == KILLED and old.state == "failed" and len(heirs) == 1
    missing = [] if each(record, EngineTold) else ["no engine's events were recorded"]
    if told_ill and not ill:
        missing.append("it was unhealthy before it was made to hang")
    return judged(told, holds=bool(good) and (ill or bool(missing)), missing=missing)


@exercise.check(
    "data-kept",
    phases=DATABASE,
    title="The replaced database has its earlier data",
    expected=ROW,
    hint="`docker volume ls` on its node: is its data directory a volume?",
)
def data_kept(record: Record) -> Judgement:
    """In its volume, on its node."""
    rows = need(record, Rows, "nobody read the row")
    frozen = need(record, Frozen, "the database was not made to hang")
    found = [*rows.found]
    order = out_of_order(("that it hung", frozen.t), ("the reading of the row", rows.t))
    if rows.task == frozen.task:
        order.append("it was read from the database that hung")
    return judged(ROW if found == [ROW] else f"found: {found}", holds=found == [ROW], missing=order)


@exercise.check(
    "api-stays-meanwhile",
    phases=DATABASE,
    title="The API keeps answering while the database is replaced",
    expected="every request for the main page is answered, and no replica was replaced",
    hint="What does its health check test?",
    needs=MESH,
)
def api_stays_meanwhile(record: Record) -> Judgement:
    """Its liveness is its own."""
    frozen = need(record, Frozen, "the database was not made to hang")
    back = [
        e.t
        for e in each(record, EngineTold, service=DATABASE_SERVICE, what="health_status: healthy")
        if e.t > frozen.t and e.container != frozen.container
    ]
    if not back:
        return unknown("the replacement was not seen healthy")
    return untouched(record, API, Window(frozen.t, back[-1]))
