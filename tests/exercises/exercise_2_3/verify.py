"""What must be true of local volumes, judged on the record alone."""

from collections.abc import Sequence

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Command, each, need
from pytest_swarmlab.evidence.readings import TaskSeen, TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import Moment, Window, judged, not_sampled, out_of_order
from pytest_swarmlab.model import Judgement

from .events import Databases, LiteralEnded, Volume
from .setting import DATABASE, SERVICE, STAYS_S, VOLUME

exercise = Exercise(
    "2.3",
    "Volumes locaux et contraintes",
    module=__name__,
    titles={
        "literal": "The lab's literal command",
        "local-volume": "A database moves, and its volume does not",
    },
)

LITERAL, MOVED = ("literal",), ("local-volume",)
REFUSAL = "superuser password is not specified"


@exercise.check(
    "refused-without-a-password",
    phases=LITERAL,
    title="The lab's literal command starts no database",
    expected=f"the task fails with exit code 1, its log says {REFUSAL!r}",
    hint="`docker service logs db-local`: the lab forgets POSTGRES_PASSWORD.",
)
def refused_without_a_password(record: Record) -> Judgement:
    """The image refuses to initialise a database that anybody could enter."""
    seen = need(record, LiteralEnded, "no task of the literal command was seen to end")
    code, said = seen.exit_code, seen.said
    line = next((line for line in said.splitlines() if REFUSAL in line), None)
    told = f"exit code {code}; {line or 'its log does not say so'}"
    return passed(told) if code == 1 and line else failed(told)


@exercise.check(
    "written",
    phases=MOVED,
    title="The database exists on its first node",
    expected=f"{DATABASE} is listed where it was created",
    hint="`docker exec <container> psql -U postgres -l`, on the node where the task runs.",
)
def written(record: Record) -> Judgement:
    """Without this nothing that follows says anything."""
    return _listed(record, "written", there=True, after=[_made(record)])


@exercise.check(
    "constraint-rm-moves-nothing",
    phases=MOVED,
    title="Removing the constraint moves no task",
    expected=f"the same task on the same node, for {STAYS_S} s and more",
    hint="`docker service ps db-local`: a task that still meets its constraints is left alone.",
)
def constraint_rm_moves_nothing(record: Record) -> Judgement:
    """Swarm replaces a task only if its node no longer fits; the lab says otherwise."""
    taken, next_ = _sent(record, "--constraint-rm"), _sent(record, "--constraint-add")
    samples = readings.task_lists(record, SERVICE)
    if taken is None or next_ is None or not samples:
        return unknown("the tasks were not watched while the constraint was removed")
    before = [sample for sample in samples if sample.t < taken]
    after = [sample for sample in samples if taken < sample.asked and sample.t < next_]
    stays = [_running(sample) for sample in (*before, *after)]
    told = [_words(task) for task in stays]
    moved = next((words for words in told if words != told[0]), told[0] if told else "nothing")
    window = Window(taken, taken + STAYS_S)
    lacks = not_sampled(after, by={s.seen_from for s in samples}, window=window)
    if not before:
        lacks.append("the tasks were not listed before the constraint was removed")
    if next_ < window.ended:
        lacks.append(f"the drill moved the service after {next_ - taken:.1f} s")
    return judged(
        f"before: {told[0] if told else 'nothing'}; up to {next_ - taken:.1f} s later: {moved}",
        holds=bool(stays) and None not in stays and set(told) == {told[0]},
        missing=lacks,
    )


@exercise.check(
    "row-absent-elsewhere",
    phases=MOVED,
    title="Another node does not have the data",
    expected=f"the service runs on another node and lists no {DATABASE}",
    hint="Each node has its own volume of that name; Swarm copies none to another node.",
)
def row_absent_elsewhere(record: Record) -> Judgement:
    """A local volume does not travel with its container."""
    first, moved = _seen(record, "written"), _seen(record, "moved")
    if first.node == moved.node:
        return failed(f"the service is still on {moved.node}")
    return _listed(record, "moved", there=False, after=[_was_there(record, "written")])


@exercise.check(
    "volume-stays-behind",
    phases=MOVED,
    title="The first node keeps the volume with its data",
    expected="`docker volume ls` lists it, and a database's files are in it",
    hint="The lab says that the data is lost, but it stays on the node that wrote it.",
)
def volume_stays_behind(record: Record) -> Judgement:
    """No volume is removed with its task."""
    seen = need(record, Volume, "nobody looked at the first node's volumes")
    first, moved = _was_there(record, "written"), _seen(record, "moved")
    listed = VOLUME in seen.listed.split()
    lacks = out_of_order(
        ("the data on the first node", first[1]),
        ("the service elsewhere", moved.t),
        ("a look at the first node", seen.t),
        ("the service back there", _seen(record, "back").t),
    )
    home = _seen(record, "written").node
    if seen.node != home or moved.node == home:
        lacks.append(f"it was looked for on {seen.node}, and written on {home}")
    return judged(
        f"on {seen.node} it is {'listed' if listed else 'not listed'} and"
        f" {'holds' if seen.holds_data else 'does not hold'} a database's files",
        holds=listed and seen.holds_data,
        missing=lacks,
    )


@exercise.check(
    "row-returns",
    phases=MOVED,
    title="After its return to the first node the database has its data again",
    expected=f"{DATABASE} is listed again, by another container",
    hint=f"Was the volume removed in between? `docker volume inspect {VOLUME}` on the first node.",
)
def row_returns(record: Record) -> Judgement:
    """The proof that it was never lost."""
    first, moved, back = (_seen(record, step) for step in ("written", "moved", "back"))
    if first.node != back.node:
        return failed(f"the service came back to {back.node}, not to {first.node}")
    if first.container == back.container:
        return failed("it is the same container: nothing has moved")
    if moved.node == first.node:
        return unknown(f"the service was not seen on another node than {first.node}")
    return _listed(
        record,
        "back",
        there=True,
        after=[_was_there(record, "written"), ("the service elsewhere", moved.t)],
    )


@exercise.measure(phases=MOVED)
def moves(record: Record) -> dict[str, float | None]:
    """Seconds from the command that moves the database to its first answer elsewhere."""
    sent = [e.t for e in each(record, Command) if "--constraint-add" in e.argv]
    seen = {e.step: e.t for e in each(record, Databases)}
    return {
        f"{name}_s": round(seen[step] - sent[place], 2)
        if step in seen and len(sent) > place
        else None
        for place, (name, step) in enumerate((("move", "moved"), ("return", "back")))
    }


def _seen(record: Record, step: str) -> Databases:
    """The databases as they were listed in that step, by a container on a node.

    Raises Unseen when nobody listed them, or no database server gave the list.
    """
    event = need(record, Databases, f"the databases were not listed (step: {step})", step=step)
    told = f"on {event.node}: {', '.join(event.names)}"
    # A server without its own databases did not answer the question.
    if "postgres" not in event.names:
        raise Unseen(f"{told}: no answer of a database server")
    if not event.node or not event.container:
        raise Unseen(f"{told}: without a node or a container")
    return event


def _was_there(record: Record, step: str) -> Moment:
    event = _seen(record, step)
    there = DATABASE in event.names
    return f"{DATABASE} listed ({step})", event.t if there else None


def _made(record: Record) -> Moment:
    """When the database was made, in the container that lists it."""
    container = _seen(record, "written").container
    made = [e.t for e in each(record, Command, code=0) if _asks(e, container, "CREATE DATABASE")]
    return f"{DATABASE} created", made[-1] if made else None


def _asks(command: Command, container: str, words: str) -> bool:
    argv = command.argv
    return container in argv and any(word.startswith(words) for word in argv)


def _listed(record: Record, step: str, *, there: bool, after: Sequence[Moment]) -> Judgement:
    seen = _seen(record, step)
    return judged(
        f"on {seen.node}: {', '.join(seen.names)}",
        holds=(DATABASE in seen.names) is there,
        missing=out_of_order(*after, (f"the databases ({step})", seen.t)),
    )


def _sent(record: Record, option: str) -> float | None:
    """When the first update of the service with that option was done."""
    done = [e.t for e in each(record, Command, code=0) if option in e.argv]
    return done[0] if done else None


def _running(sample: TasksSample) -> TaskSeen | None:
    running = [task for task in sample.tasks if task.running and task.id and task.node]
    return running[0] if len(running) == 1 else None


def _words(task: TaskSeen | None) -> str:
    return f"task {task.id[:8]} on {task.node}" if task else "not one running task"
