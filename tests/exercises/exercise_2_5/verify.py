"""What must be true of the site after each loss, judged on the record alone."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.readings import Entry, Ledger, TasksSample
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Moment,
    Window,
    another_cluster,
    judged,
    members_of,
    not_away,
    not_each,
    not_while,
    not_written,
    out_of_order,
    pauses,
)
from pytest_swarmlab.model import Capability, Judgement

from .. import whose

INSTALLED, REFUSALS, SALTS = ("installed",), ("refusals",), ("salts",)
RECREATED, LOST, ROLLED, SCALED = ("db-recreated",), ("node-lost",), ("rolled",), ("scaled",)
LOSSES = RECREATED + LOST + ROLLED + SCALED
ON_NFS = (Capability.CHANGE, Capability.NFS, Capability.IPVS, Capability.START_INTERVAL)

exercise = Exercise(
    "2.5",
    "Stack applicative avec persistance",
    module=__name__,
    titles={
        "installed": "WordPress is installed, and read through every node",
        "db-recreated": "The database's service is removed and made again",
        "node-lost": "The machine that runs the database loses power",
        "rolled": "Every replica of WordPress is replaced",
        "scaled": "WordPress is scaled to five",
        "salts": "A login on every replica, with shared salts and without",
        "refusals": "Stack files that can't work",
    },
    needs={
        **dict.fromkeys(INSTALLED + RECREATED + ROLLED + SCALED + SALTS, ON_NFS),
        "node-lost": (*ON_NFS, Capability.POWER_OFF),
    },
)

DATABASE, WORDPRESS = "wp_db", "wp_wordpress"
REPLICAS, MORE_REPLICAS = 3, 5
LEDGER = "entries"
LEAST_TRIES = 12
LATEST_S = 180.0
"""A server that was set up otherwise gives a lost client's locks back after 90 s, NFS's default;
then the database starts and looks through its log."""
IDLE_S = 5.0
"""Longest that no write may be under way: the author begins the next one 0.2 s after the last one's
end, unless the machine that he works on is busy for seconds."""
UNSEEN_S = 5.0
"""Longest that no manager may be asked where the database runs; each is, five times a second."""
WRITES = ("post", "comment")
NOT_INSTALLED = "not-installed"
"""The event of a drill that could not begin, since the site could not be installed; `why`."""
KEEPS = ("PASSWORD", "_KEY", "_SALT")
"""What a variable's name has in it when its value is nobody's business."""


@exercise.check(
    "replicas",
    phases=INSTALLED,
    title="The database and three replicas of WordPress run",
    expected=f"{DATABASE} 1/1, {WORDPRESS} {REPLICAS}/{REPLICAS}",
    hint="`docker stack ps wp`: has a worker the label storage=nfs, are the NFS directories there?",
)
def replicas(record: Record) -> Judgement:
    """As `docker stack services` shows it."""
    return _running(record, {DATABASE: 1, WORDPRESS: REPLICAS}, ("the phase", 0.0))


@exercise.check(
    "installed",
    phases=INSTALLED,
    title="WordPress is installed over HTTP",
    expected="the installation's form is answered with 200 and Success!",
    hint="`docker service logs wp_wordpress`: can it reach the database, with which password?",
)
def installed(record: Record) -> Judgement:
    """The lab's first test."""
    seen = record.need("installed", "nobody installed it")
    told = f"status {seen.data['status']}: {seen.data['said']}"
    return passed(told) if seen.data["status"] == 200 and seen.data["success"] else failed(told)


@exercise.check(
    "no-password-in-a-definition",
    phases=INSTALLED,
    title="No password, key or salt stands in a service's definition",
    expected="every such variable names a file below /run/secrets; no secret's value is in it",
    hint="`docker service inspect wp_db`: Env is readable for everybody who may ask a manager.",
)
def no_password_in_a_definition(record: Record) -> Judgement:
    """Both services are looked at; the record shows a secret by its name only."""
    seen = {e.data["service"]: e.data for e in record.of("environment") if "service" in e.data}
    if missing := {DATABASE, WORDPRESS} - set(seen):
        return unknown(f"nobody looked at {', '.join(sorted(missing))}")
    told, bare = [], []
    for name, data in sorted(seen.items()):
        kept = [word for word in data["env"] if any(k in word.partition("=")[0] for k in KEEPS)]
        files = [word for word in kept if _is_file(word)]
        told.append(f"{name}: {len(files)} of {len(kept)} name a file")
        bare += [f"{name} {word.partition('=')[0]}" for word in kept if word not in files]
        bare += [f"{name} shows {secret}" for secret in data["shows"]]
        if not kept:
            return unknown(f"{name} has no password at all")
    return failed("; ".join(bare)) if bare else passed("; ".join(told))


def _is_file(word: str) -> bool:
    name, _, value = word.partition("=")
    return name.endswith("_FILE") and value.startswith("/run/secrets/")


READS = {
    "post": ("The post is there, through every node", "its title, as it was written"),
    "picture": ("The picture is there, through every node", "its bytes, as they were uploaded"),
    "login": (
        "The login of the beginning still counts, through every node",
        "the cookies are known",
    ),
}
READ_HINTS = {
    "post": "Is it another database? `docker volume inspect wp_db-data` where its task runs.",
    "picture": "Does every replica mount the same wp-content? `docker volume inspect` on its node.",
    "login": "Do all replicas have the same keys and salts? They are made up per container unless"
    " the stack gives them.",
}


def _declare_reads() -> None:
    for what, (title, expected) in READS.items():

        def judge(record: Record, what: str = what) -> Judgement:
            return _read(record, what)

        exercise.check(
            what,
            phases=INSTALLED + LOSSES,
            title=title,
            expected=expected,
            hint=READ_HINTS[what],
        )(judge)


_declare_reads()


@exercise.check(
    "writes-come-back",
    phases=LOSSES,
    timed=True,
    title="The author can write again",
    expected=f"posts and comments are acknowledged at the latest {LATEST_S:.0f} s after it began",
    hint="`docker service ps wp_db`, then its log: does it wait for a lock on its files?",
)
def writes_come_back(record: Record) -> Judgement:
    """Until the first acknowledgement after the last failure, of a post and of a comment."""
    if refused := _not_installed(record):
        return refused
    ledger, began = readings.ledger(record, LEDGER), _began(record)
    if ledger is None or began is None:
        return unknown("nobody wrote while it was broken")
    fault, seconds = readings.fault(record), recovered_s(record)
    errors = len(ledger.entries) - len(ledger.acknowledged)
    told = f"{len(ledger.acknowledged)} acknowledged, {errors} not"
    if seconds is None:
        return failed(f"{told}; none after it began, or none after the last that failed")
    told += f"; acknowledged for good after {seconds:.1f} s"
    wrong = []
    if (
        fault is not None
        and fault.heal_began is not None
        and not _first_good(ledger, began, fault.heal_began)
    ):
        wrong.append(f"none while {', '.join(fault.nodes)} was away")
    missing = _unwritten(ledger, began)
    if fault is not None and fault.heal_began is None:
        missing.append("nobody saw when the machine was given its power back")
    kinds = {str(entry.id).partition(" ")[0] for entry in _first_good(ledger, began)}
    missing += not_each(kinds, WRITES, "was told, after the last failure, of a")
    return judged(told, holds=seconds <= LATEST_S, wrong=wrong, missing=missing)


@exercise.check(
    "no-write-lost",
    phases=LOSSES,
    title="No acknowledged post or comment is lost",
    expected="each is there at the end under the id that it was given",
    hint="Is the NFS export `sync`, and is innodb_flush_log_at_trx_commit 1?",
)
def no_write_lost(record: Record) -> Judgement:
    """Read back by id, when all is whole again."""
    if refused := _not_installed(record):
        return refused
    ledger = readings.ledger(record, LEDGER)
    if ledger is None or ledger.found is None or not ledger.acknowledged:
        return unknown("nothing was acknowledged, or nobody looked at the end")
    told = f"{len(ledger.acknowledged)} acknowledged, {len(ledger.lost)} lost"
    wrong = [f"lost: {_numbers(ledger.lost)}"] if ledger.lost else []
    return judged(told, wrong=wrong, missing=_not_read_back(record, ledger))


@exercise.check(
    "no-write-doubled",
    phases=LOSSES,
    title="No post or comment is there twice",
    expected="each number is there once at most, whether it was acknowledged or not",
    hint="Does something between author and database repeat requests?",
)
def no_write_doubled(record: Record) -> Judgement:
    """The author never repeats a write."""
    ledger = readings.ledger(record, LEDGER)
    if ledger is None or not ledger.found:
        return unknown("nothing was found at the end, or nobody looked")
    told = f"{len(ledger.found)} found, {len(ledger.duplicated)} of them twice"
    wrong = [f"twice: {_numbers(ledger.duplicated)}"] if ledger.duplicated else []
    return judged(told, wrong=wrong, missing=_not_read_back(record, ledger))


@exercise.check(
    "database-moves",
    phases=LOST,
    title="The database runs on another machine",
    expected="one task, on a labelled node that was not lost, before that one is back and after",
    hint="`docker node inspect worker2`: has another node than the lost one the label storage=nfs?",
)
def database_moves(record: Record) -> Judgement:
    """It must have been on the lost node before, and that node gone, or nothing was shown."""
    if refused := _not_installed(record):
        return refused
    fault, database = readings.fault(record), whose.named(record, "wordpress-database", DATABASE)
    samples = [s for s in readings.task_samples(record, database) if s.error is None]
    if fault is None or fault.heal_began is None or fault.healed is None or not samples:
        return unknown("nothing was lost, or it never returned, or nobody listed the tasks")
    before = [s for s in samples if s.t <= fault.began]
    away = [s for s in samples if fault.began <= s.asked and s.t <= fault.heal_began]
    after = [s for s in samples if s.asked >= fault.healed]
    where = _nodes(before[-1]) if before else []
    if where != [*fault.nodes]:
        return unknown(f"it was on {where or 'no node'} when {', '.join(fault.nodes)} was lost")
    labelled = record.need("labelled", "nobody looked which nodes have the label")
    moved, at_last = (_nodes(part[-1]) if part else [] for part in (away, after))
    told = f"from {where[0]} to {', '.join(moved) or 'nowhere'}"
    window = Window(fault.began - UNSEEN_S / 2, fault.healed + UNSEEN_S / 2)
    unseen = pauses((s.asked for s in samples), window, UNSEEN_S)
    if unseen:
        return unknown(f"{told}; nobody listed the database's tasks {unseen[0]}")
    wrong = [
        f"{when} on {', '.join(found) or 'no node'}"
        for when, part, found in (("while it was away", away, moved), ("at last", after, at_last))
        if part and (len(found) != 1 or not set(found) <= set(labelled.data["nodes"]) - set(where))
    ]
    if away and after and moved != at_last:
        wrong.append(f"at last on {', '.join(at_last) or 'no node'}")
    first = next((s.t for s in away if _nodes(s) == moved), math.inf)
    if any(set(where) & set(_nodes(s)) for s in samples if s.t > first):
        wrong.append(f"then listed on {where[0]} again")
    missing = [] if after else ["nobody listed its tasks when the machine was back"]
    # The task of before is listed for a while: a list without it is of another service.
    if after and not {t.id for t in before[-1].tasks} & {t.id for t in after[-1].tasks}:
        missing.append("what became of its task is not listed")
    missing += another_cluster(readings.node_samples(record))
    missing += not_away(record, fault, until=fault.heal_began)
    missing += out_of_order(("the labels", labelled.t), ("the loss", fault.began))
    return judged(told, wrong=wrong, missing=missing)


@exercise.check(
    "node-returns",
    phases=LOST,
    title="The lost machine is back in the swarm",
    expected="the managers list it as down, and then as ready, under the id that it had",
    hint="`docker node ls`, and the node's console in the report's directory.",
)
def node_returns(record: Record) -> Judgement:
    """Booted on its old disk, which knows which node it is."""
    fault, lists = readings.fault(record), [s for s in readings.node_samples(record) if s.nodes]
    if fault is None or not fault.nodes or fault.heal_began is None or fault.healed is None:
        return unknown("nothing was lost, or it was not given its power back")
    name, seconds = fault.nodes[0], readings.node_back_s(record)
    before = [row for s in lists if s.t <= fault.began and (row := s.node(name))]
    after = [row for s in lists if s.asked >= fault.healed and (row := s.node(name))]
    if not before or not after:
        return unknown("nobody listed the nodes before it was lost, or after it was back")
    told = f"{name} is {after[-1].state} at the end"
    if seconds is not None:
        told += f"; first seen as ready {seconds:.1f} s after it was lost"
    same = before[-1].identity == after[-1].identity
    return judged(
        told,
        holds=after[-1].state == "ready" and seconds is not None,
        wrong=[] if same else ["it is another node than before, by its id"],
        missing=not_away(record, fault, until=fault.heal_began),
    )


@exercise.check(
    "every-replica-replaced",
    phases=ROLLED,
    title="Every replica is another one",
    expected=f"{REPLICAS} tasks before, {REPLICAS} others after",
    hint="`docker service inspect wp_wordpress`: UpdateStatus; was the update paused?",
)
def every_replica_replaced(record: Record) -> Judgement:
    """By the tasks' ids."""
    began = record.need("begun", "it was not noted when it began").t
    samples = [s for s in readings.task_samples(record, WORDPRESS) if s.error is None]
    parts = [s for s in samples if s.t <= began], [s for s in samples if s.asked > began]
    if not all(parts):
        return unknown("the tasks were not listed before it began and after it")
    before, after = ({t.id for t in part[-1].tasks if t.running} for part in parts)
    # Those of before are listed for a while: a list without them is of another service.
    strange = before - {t.id for t in parts[1][-1].tasks}
    told = f"{len(before)} before, {len(after)} after, {len(before & after)} of them the same"
    whole = len(before) == len(after) == REPLICAS
    missing = [f"what became of {len(strange)} of them is not listed"] if strange else []
    return judged(told, holds=whole and not before & after, missing=missing)


@exercise.check(
    "five-run",
    phases=SCALED,
    title="Five replicas run",
    expected=f"{WORDPRESS} {MORE_REPLICAS}/{MORE_REPLICAS}",
    hint="`docker service ps wp_wordpress`: why does one not start?",
)
def five_run(record: Record) -> Judgement:
    """The lab's question: what happens at five?"""
    if refused := _not_installed(record):
        return refused
    began = record.need("begun", "it was not noted when it began").t
    return _running(record, {_wordpress(record): MORE_REPLICAS}, ("the change", began))


@exercise.check(
    "five-serve",
    phases=SCALED,
    title="Each of the five answers visitors",
    expected="every replica's own log has requests that came through the mesh",
    hint="Does every node's mesh balance over five? `ipvsadm` in the namespace ingress_sbox.",
)
def five_serve(record: Record) -> Judgement:
    """By the web servers' logs."""
    if refused := _not_installed(record):
        return refused
    began = record.need("begun", "it was not noted when it began").t
    seen = record.need("served", "nobody read the replicas' logs")
    served = _served(seen.data)
    listed = [s for s in readings.task_samples(record, _wordpress(record)) if s.error is None]
    running = [t.id for t in listed[-1].tasks if t.running] if listed else []
    told = f"requests by replica: {', '.join(map(str, served.values()))}"
    missing = not_each(served, running, "read the log of")
    if len(served) < MORE_REPLICAS:
        missing.append(f"the logs of {len(served)} replicas were read")
    missing += out_of_order(
        ("the change", began),
        ("the list of the tasks", listed[-1].t if listed else None),
        ("the reading of the logs", seen.t),
    )
    return judged(told, holds=all(served.values()), missing=missing)


@exercise.check(
    "shared-salts",
    phases=SALTS,
    title="With shared salts a login counts on every replica",
    expected=f"known on all of at least {LEAST_TRIES} fresh connections",
    hint="Which WORDPRESS_…_KEY_FILE and …_SALT_FILE does the service lack?",
)
def shared_salts(record: Record) -> Judgement:
    """The stack's correction. Which replicas the connections reached is in their logs."""
    found = _replayed(record, "shared")
    if isinstance(found, Judgement):
        return found
    known, tries, after = found
    later = min((e.t for e in record.of("replayed") if e.t > after), default=math.inf)
    logs = [_served(e.data) for e in record.of("served") if after <= e.t < later]
    reached = sum(count > 0 for count in logs[0].values()) if logs else 0
    told = f"known on {known} of {tries} connections, to {reached} replicas"
    missing = []
    if not logs or len(logs[0]) < 2 or reached < len(logs[0]):
        missing.append(f"not every replica was reached: {reached} of {len(logs[0]) if logs else 0}")
    return judged(told, holds=known == tries, missing=missing)


@exercise.check(
    "own-salts",
    phases=SALTS,
    title="Without them it counts on some only: the contrast",
    expected=f"known on some, and not on all, of at least {LEAST_TRIES} fresh connections",
    hint="Do the containers get their salts from elsewhere? Then the first claim shows nothing.",
)
def own_salts(record: Record) -> Judgement:
    """The lab's file as it stands: every container makes up its own."""
    found = _replayed(record, "own")
    if isinstance(found, Judgement):
        return found
    known, tries, _ = found
    told = f"known on {known} of {tries} connections"
    if not known:
        return unknown(f"{told}: it was no login at all")
    return passed(told) if known < tries else failed(told)


REFUSED = {
    "syntax-error": ("yaml: ", "A file with a syntax error is refused"),
    "missing-secret": ("secret not found: never_created", "A secret that nobody made is named"),
    "port-clash": ("port '8085' is already in use", "A port that is taken is named"),
    "unknown-driver": ("missing plugin", "A volume driver that no node has keeps the task waiting"),
    "silent-nfs": ("failed to mount local volume", "An NFS server that isn't there is named"),
}
"""File → what the engine's words must hold, and the claim."""
LATER = {"unknown-driver": "pending", "silent-nfs": "failed"}
"""Files that are taken when they are deployed → the state of the task that can't start then."""


def _declare_refusals() -> None:
    for file, (words, title) in REFUSED.items():

        def judge(record: Record, file: str = file, words: str = words) -> Judgement:
            return _refused(record, file, words)

        exercise.check(
            file,
            phases=REFUSALS,
            title=title,
            expected=f"the engine says {words!r}",
            hint=f"Deploy bad/{file}.yml by hand and read what it says, then `docker stack ps`.",
            needs=(Capability.NFS,) if file == "silent-nfs" else (),
        )(judge)


_declare_refusals()


@exercise.check(
    "nothing-left",
    phases=REFUSALS,
    title="Nothing of any of them stays deployed",
    expected="no service, network or container of that stack on any node",
    hint="`docker stack rm`: what was made before the refusal is there until somebody removes it.",
)
def nothing_left(record: Record) -> Judgement:
    """Of each file, whatever became of it; every node's engine was asked."""
    seen = {str(e.data.get("file")): e for e in record.of("left")}
    tried = {str(e.data.get("file")): e.t for e in record.of("refused")}
    if missing := not_each(seen, REFUSED, "looked for what is left of"):
        return unknown("; ".join(missing))
    for file in REFUSED:
        missing += not_each(seen[file].data.get("nodes") or (), members_of(record), "asked")
        order = (
            ("the refusal", tried.get(file)),
            (f"the look for what is left of {file}", seen[file].t),
        )
        missing += out_of_order(*order)
    left = [
        f"{file}: {event.data[kind]} {kind}"
        for file, event in seen.items()
        for kind in ("services", "networks", "containers")
        if event.data[kind] != 0
    ]
    return judged(
        f"of {len(seen)} stacks: {len(left)} left anything",
        wrong=left,
        missing=dict.fromkeys(missing),
    )


@exercise.measure(phases=LOSSES)
def losses(record: Record) -> Mapping[str, float | int | None]:
    """What a visitor missed, how long the author waited, and what became of his writes."""
    ledger = readings.ledger(record, LEDGER)
    looked = ledger is not None and ledger.found is not None
    return {
        "longest_gap_s": readings.longest_gap_s(record),
        "recovered_s": recovered_s(record),
        "acknowledged_writes": len(ledger.acknowledged) if ledger else None,
        "failed_writes": len(ledger.entries) - len(ledger.acknowledged) if ledger else None,
        "lost_writes": len(ledger.lost) if ledger and looked else None,
        "duplicated_writes": len(ledger.duplicated) if ledger and looked else None,
        "probes": len(readings.requests(record)),
        "probe_errors": len(readings.request_errors(record)),
    }


@exercise.measure(phases=LOST)
def moved(record: Record) -> Mapping[str, float | None]:
    """How long the managers took over it."""
    return {
        "node_down_s": readings.node_down_s(record),
        "database_restarted_s": readings.replicas_restored_s(
            record, 1, whose.named(record, "wordpress-database", DATABASE)
        ),
        "node_back_s": readings.node_back_s(record),
    }


def recovered_s(record: Record) -> float | None:
    """Seconds until writes were acknowledged for good: the first one sent after the last failure.

    None when none was.
    """
    began, ledger = _began(record), readings.ledger(record, LEDGER)
    if began is None or ledger is None:
        return None
    ends = [entry.over for entry in _first_good(ledger, began)]
    return round(min(ends) - began, 3) if ends else None


def _first_good(ledger: Ledger, began: float, until: float = math.inf) -> list[Entry]:
    """What was acknowledged of the writes sent after the last failure since it began."""
    known = [entry for entry in ledger.entries if entry.over <= until]
    last = max((e.over for e in known if e.id is None and e.over >= began), default=began)
    return [entry for entry in known if entry.id is not None and entry.sent >= last]


def _unwritten(ledger: Ledger, began: float) -> list[str]:
    """Where nothing was written between a write before it began and the first one for good."""
    good = _first_good(ledger, began)
    back = min((entry.over for entry in good), default=None)
    first = min(entry.sent for entry in ledger.entries)
    missing = not_while(
        (entry.over for entry in ledger.acknowledged),
        Window(min(first, began), began),
        "was told that a write is kept",
    )
    if back is None:
        return [*missing, "nothing was acknowledged after the last failure"]
    return missing + not_written(ledger.entries, window=Window(began, back), pause=IDLE_S)


def _not_read_back(record: Record, ledger: Ledger) -> list[str]:
    """What keeps the reading at the end from telling of writes before, during and after it."""
    began, looked = _began(record), record.last("entries", ledger=LEDGER)
    if began is None:
        return ["it was not noted when it began"]
    look = ("the reading of what was written", looked.t if looked else None)
    return _unwritten(ledger, began) + _not_after(record, look)


def _began(record: Record) -> float | None:
    """When what the phase is about began: its fault, or the note of it."""
    if (fault := readings.fault_at(record)) is not None:
        return fault
    noted = record.first("begun")
    return noted.t if noted else None


def _running(record: Record, wanted: Mapping[str, int], after: Moment) -> Judgement:
    told, whole, missing = [], True, []
    for service, count in wanted.items():
        samples = [s for s in readings.task_samples(record, service) if s.error is None]
        if not samples:
            return unknown(f"nobody listed the tasks of {service}")
        running = len(_nodes(samples[-1]))
        told.append(f"{service} {running}/{count} on {', '.join(_nodes(samples[-1])) or 'no node'}")
        whole = whole and running == count
        missing += out_of_order(after, (f"the list of the tasks of {service}", samples[-1].asked))
    return judged("; ".join(told), holds=whole, missing=missing)


def _nodes(sample: TasksSample) -> list[str]:
    return sorted(task.node for task in sample.tasks if task.running)


def _wordpress(record: Record) -> str:
    """The service that is WordPress."""
    return whose.named(record, "wordpress", WORDPRESS)


def _not_installed(record: Record) -> Judgement | None:
    """A site that nobody could install keeps nothing; None for one that was."""
    seen = record.last(NOT_INSTALLED)
    return failed(str(seen.data["why"])) if seen else None


def _read(record: Record, what: str) -> Judgement:
    if refused := _not_installed(record):
        return refused
    seen = [e for e in record.of("read", what=what) if e.data.get("node")]
    if not seen:
        return unknown("nobody looked")
    wrong = [
        f"{e.data['node']}: {e.data.get('error') or e.data.get('found')}"
        for e in seen
        if not e.data.get("found") or e.data.get("found") != e.data.get("expected")
    ]
    nodes = [str(e.data["node"]) for e in seen]
    missing = not_each(nodes, members_of(record), "looked through")
    missing += _not_after(record, ("the reading", min(e.t for e in seen)))
    told = f"{seen[0].data.get('found')} through {', '.join(nodes)}"
    return judged(told, wrong=wrong, missing=missing)


def _not_after(record: Record, look: Moment) -> list[str]:
    """Whether that look came before what it is to tell of was over.

    That is the installation; or the loss, which a fault's end is the end of, and the last write.
    """
    if (installed := record.last("installed")) is not None:
        return out_of_order(("the installation", installed.t), look)
    ledger, fault = readings.ledger(record, LEDGER), readings.fault(record)
    start = _began(record)
    good = _first_good(ledger, start) if ledger and start is not None else []
    written = max((entry.over for entry in ledger.entries), default=None) if ledger else None
    began = ("the beginning", start)
    missing = out_of_order(
        began,
        ("a write for good", min((entry.over for entry in good), default=None)),
        ("the last write", written),
        look,
    )
    if fault is not None:
        missing += out_of_order(began, ("the machine's return", fault.healed), look)
    return missing


def _served(data: Mapping[str, Any]) -> dict[str, int]:
    """How many of the marked requests each replica's log has: task → number."""
    rows: Sequence[Any] = data.get("replicas", [])
    return {str(row["task"]): int(row["requests"]) for row in rows}


def _replayed(record: Record, salts: str) -> Judgement | tuple[int, int, float]:
    """How many tries knew the login, of how many, and when; unknown when too few can tell."""
    seen = record.last("replayed", salts=salts)
    counts = Counter(str(row["found"]) for row in seen.data["tries"]) if seen else Counter()
    if counts["None"]:
        return unknown(f"{counts['None']} of {counts.total()} connections gave no answer")
    if seen is None or counts.total() < LEAST_TRIES:
        return unknown(f"it was tried on {counts.total()} connections")
    return counts["known"], counts.total(), seen.t


def _refused(record: Record, file: str, words: str) -> Judgement:
    seen = record.need("refused", "it was not deployed", file=file)
    # What goes before is the client's notice that it doesn't wait.
    said = str(seen.data["said"]).strip().rpartition("\n")[2]
    told = f"{seen.data['by']}: {said or 'nothing was said'}"
    by, code = str(seen.data["by"]), seen.data.get("code")
    refused = code not in (None, 0) if file not in LATER else by == f"a task, {LATER[file]}"
    return passed(told) if words in said and refused else failed(told)


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:10]))
