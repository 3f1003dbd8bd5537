"""What must be true of local volumes, judged on the record alone."""

from typing import Any

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Judgement

exercise = Exercise(
    "2.3",
    "Volumes locaux et contraintes",
    module=__name__,
    titles={
        "literal": "The lab's command as it stands",
        "local-volume": "A database moves, its volume doesn't",
    },
)

LITERAL, VOLUME = ("literal",), ("local-volume",)
REFUSAL = "superuser password is not specified"
DATABASE = "testdb"


@exercise.check(
    "refused-without-a-password",
    phases=LITERAL,
    title="The lab's literal command never gives a database",
    expected=f"the task fails with exit code 1, its log says {REFUSAL!r}",
    hint="`docker service logs db-local`: the lab forgets POSTGRES_PASSWORD.",
)
def refused_without_a_password(record: Record) -> Judgement:
    """The image refuses to initialise a database that anybody could enter."""
    seen = record.need("container", "no task of the literal command was seen to end")
    code, said = seen.data["exit_code"], str(seen.data["said"])
    line = next((line for line in said.splitlines() if REFUSAL in line), None)
    told = f"exit code {code}; {line or 'its log does not say so'}"
    return passed(told) if code == 1 and line else failed(told)


@exercise.check(
    "written",
    phases=VOLUME,
    title="The database is written on its first node",
    expected=f"{DATABASE} is listed where it was created",
    hint="`docker exec <container> psql -U postgres -l`, on the node where the task runs.",
)
def written(record: Record) -> Judgement:
    """Without this nothing that follows says anything."""
    return _listed(record, "written", there=True)


@exercise.check(
    "constraint-rm-moves-nothing",
    phases=VOLUME,
    title="Taking the constraint away moves nothing",
    expected="the same task on the same node, 15 s later",
    hint="`docker service ps db-local`: a task that still meets its constraints is left alone.",
)
def constraint_rm_moves_nothing(record: Record) -> Judgement:
    """Swarm replaces a task only if its node no longer fits; the lab says otherwise."""
    samples = record.of("tasks")
    if len(samples) < 2:
        return unknown("the tasks were not listed before and after")
    before, after = (_running(samples[0].data["tasks"]), _running(samples[1].data["tasks"]))
    told = f"before: {_words(before)}; after: {_words(after)}"
    if before is None or after is None:
        return failed(told)
    where = [(task["id"], task["node"]) for task in (before, after)]
    return passed(told) if where[0] == where[1] else failed(told)


@exercise.check(
    "row-absent-elsewhere",
    phases=VOLUME,
    title="On another node the data is not there",
    expected=f"the service runs on another node and lists no {DATABASE}",
    hint="Each node has a volume of that name of its own; nothing copies one to the other.",
)
def row_absent_elsewhere(record: Record) -> Judgement:
    """A local volume does not travel with its container."""
    first, moved = _seen(record, "written"), _seen(record, "moved")
    if first and moved and first["node"] == moved["node"]:
        return failed(f"the service is still on {moved['node']}")
    return _listed(record, "moved", there=False)


@exercise.check(
    "volume-stays-behind",
    phases=VOLUME,
    title="The first node's volume is still there, with its data",
    expected="`docker volume ls` lists it, and a database's files are in it",
    hint="The lab says the data is lost: it stays where it was written.",
)
def volume_stays_behind(record: Record) -> Judgement:
    """Nothing removes a volume when its task goes."""
    seen = record.need("volume", "nobody looked at the first node's volumes")
    listed = "mydata" in str(seen.data["listed"]).split()
    told = (
        f"on {seen.data['node']} it is {'listed' if listed else 'not listed'} and"
        f" {'holds' if seen.data['holds_data'] else 'does not hold'} a database's files"
    )
    return passed(told) if listed and seen.data["holds_data"] else failed(told)


@exercise.check(
    "row-returns",
    phases=VOLUME,
    title="Back on the first node the data is back",
    expected=f"{DATABASE} is listed again, by another container",
    hint="Was the volume removed in between? `docker volume inspect mydata` on the first node.",
)
def row_returns(record: Record) -> Judgement:
    """The proof that it was never lost."""
    first, back = _seen(record, "written"), _seen(record, "back")
    if first and back:
        if first["node"] != back["node"]:
            return failed(f"the service came back to {back['node']}, not to {first['node']}")
        if first["container"] == back["container"]:
            return failed("it is the same container: nothing has moved")
    return _listed(record, "back", there=True)


@exercise.measure(phases=VOLUME)
def moves(record: Record) -> dict[str, float | None]:
    """Seconds from the command that moves the database to its first answer elsewhere."""
    sent = [e.t for e in record.of("command") if "--constraint-add" in e.data["argv"]]
    seen = {e.data["step"]: e.t for e in record.of("databases")}
    return {
        f"{name}_s": round(seen[step] - sent[place], 2)
        if step in seen and len(sent) > place
        else None
        for place, (name, step) in enumerate((("move", "moved"), ("return", "back")))
    }


def _seen(record: Record, step: str) -> dict[str, Any] | None:
    event = record.last("databases", step=step)
    return dict(event.data) if event else None


def _listed(record: Record, step: str, *, there: bool) -> Judgement:
    seen = _seen(record, step)
    if seen is None:
        return unknown(f"the databases were not listed (step: {step})")
    told = f"on {seen['node']}: {', '.join(seen['names'])}"
    # A server without its own databases did not answer the question.
    if "postgres" not in seen["names"]:
        return unknown(f"{told}: no answer of a database server")
    return passed(told) if (DATABASE in seen["names"]) is there else failed(told)


def _running(tasks: list[dict[str, Any]]) -> dict[str, Any] | None:
    running = [t for t in tasks if t["desired"] == "running" and t["state"] == "running"]
    return running[0] if len(running) == 1 else None


def _words(task: dict[str, Any] | None) -> str:
    return f"task {task['id'][:8]} on {task['node']}" if task else "not one running task"
