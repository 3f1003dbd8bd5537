"""What must be true of the site after each loss, judged on the record alone."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Capability, Judgement

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
    return _running(record, {DATABASE: 1, WORDPRESS: REPLICAS})


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
    title="The author can write again",
    expected=f"posts and comments are acknowledged at the latest {LATEST_S:.0f} s after it began",
    hint="`docker service ps wp_db`, then its log: does it wait for a lock on its files?",
)
def writes_come_back(record: Record) -> Judgement:
    """Until the first acknowledgement after the last failure."""
    ledger, seconds = readings.ledger(record, LEDGER), recovered_s(record)
    if ledger is None or _began(record) is None:
        return unknown("nobody wrote while it was broken")
    errors = len(ledger.entries) - len(ledger.acknowledged)
    told = f"{len(ledger.acknowledged)} acknowledged, {errors} not"
    if seconds is None:
        return failed(f"{told}; none after it began, or none after the last that failed")
    told += f"; acknowledged for good after {seconds:.1f} s"
    return passed(told) if seconds <= LATEST_S else failed(told)


@exercise.check(
    "no-write-lost",
    phases=LOSSES,
    title="No acknowledged post or comment is lost",
    expected="each is there at the end under the id that it was given",
    hint="Is the NFS export `sync`, and is innodb_flush_log_at_trx_commit 1?",
)
def no_write_lost(record: Record) -> Judgement:
    """Read back by id, when all is whole again."""
    ledger = readings.ledger(record, LEDGER)
    if ledger is None or ledger.found is None or not ledger.acknowledged:
        return unknown("nothing was acknowledged, or nobody looked at the end")
    told = f"{len(ledger.acknowledged)} acknowledged, {len(ledger.lost)} lost"
    return failed(f"{told}: {_numbers(ledger.lost)}") if ledger.lost else passed(told)


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
    return failed(f"{told}: {_numbers(ledger.duplicated)}") if ledger.duplicated else passed(told)


@exercise.check(
    "database-moves",
    phases=LOST,
    title="The database runs on another machine",
    expected="one task, on a labelled node that was not lost",
    hint="`docker node inspect worker2`: has another node than the lost one the label storage=nfs?",
)
def database_moves(record: Record) -> Judgement:
    """It must have been on the lost node before, or nothing was shown."""
    fault = readings.fault(record)
    samples = [s for s in readings.task_samples(record, DATABASE) if s.error is None]
    if fault is None or not samples:
        return unknown("nothing was lost, or nobody listed the database's tasks")
    before = [s for s in samples if s.t <= fault.began]
    where = _nodes(before[-1]) if before else []
    if where != [*fault.nodes]:
        return unknown(f"it was on {where or 'no node'} when {', '.join(fault.nodes)} was lost")
    after = _nodes(samples[-1])
    told = f"from {where[0]} to {', '.join(after) or 'nowhere'}"
    return passed(told) if len(after) == 1 and after != where else failed(told)


@exercise.check(
    "node-returns",
    phases=LOST,
    title="The lost machine is back in the swarm",
    expected="the managers list it as ready",
    hint="`docker node ls`, and the node's console in the report's directory.",
)
def node_returns(record: Record) -> Judgement:
    """Booted on its old disk."""
    fault, last = readings.fault(record), readings.node_samples(record)[-1:]
    seconds = readings.node_back_s(record)
    row = last[0].node(fault.nodes[0]) if fault and fault.nodes and last else None
    if fault is None or row is None:
        return unknown("nothing was lost, or nobody listed the nodes")
    told = f"{row.name} is {row.state} at the end"
    if seconds is not None:
        told += f"; first seen as ready {seconds:.1f} s after it was lost"
    return passed(told) if row.state == "ready" and seconds is not None else failed(told)


@exercise.check(
    "every-replica-replaced",
    phases=ROLLED,
    title="Every replica is another one",
    expected=f"{REPLICAS} tasks before, {REPLICAS} others after",
    hint="`docker service inspect wp_wordpress`: UpdateStatus; was the update paused?",
)
def every_replica_replaced(record: Record) -> Judgement:
    """By the tasks' ids."""
    samples = [s for s in readings.task_samples(record, WORDPRESS) if s.error is None]
    if len(samples) < 2:
        return unknown("the tasks were not listed before and after")
    before, after = ({t.id for t in s.tasks if t.running} for s in (samples[0], samples[-1]))
    told = f"{len(before)} before, {len(after)} after, {len(before & after)} of them the same"
    whole = len(before) == len(after) == REPLICAS
    return passed(told) if whole and not before & after else failed(told)


@exercise.check(
    "five-run",
    phases=SCALED,
    title="Five replicas run",
    expected=f"{WORDPRESS} {MORE_REPLICAS}/{MORE_REPLICAS}",
    hint="`docker service ps wp_wordpress`: why does one not start?",
)
def five_run(record: Record) -> Judgement:
    """The lab's question: what happens at five?"""
    return _running(record, {WORDPRESS: MORE_REPLICAS})


@exercise.check(
    "five-serve",
    phases=SCALED,
    title="Each of the five answers visitors",
    expected="every replica's own log has requests that came through the mesh",
    hint="Does every node's mesh balance over five? `ipvsadm` in the namespace ingress_sbox.",
)
def five_serve(record: Record) -> Judgement:
    """By the web servers' logs."""
    served = _served(record)
    if len(served) < MORE_REPLICAS:
        return unknown(f"the logs of {len(served)} replicas were read")
    told = f"requests by replica: {', '.join(map(str, served))}"
    return passed(told) if all(served) else failed(told)


@exercise.check(
    "shared-salts",
    phases=SALTS,
    title="With shared salts a login counts on every replica",
    expected=f"known on all of at least {LEAST_TRIES} fresh connections",
    hint="Which WORDPRESS_…_KEY_FILE and …_SALT_FILE does the service lack?",
)
def shared_salts(record: Record) -> Judgement:
    """The stack's correction."""
    found = _replayed(record, "shared")
    if isinstance(found, Judgement):
        return found
    known, tries = found
    told = f"known on {known} of {tries} connections"
    return passed(told) if known == tries else failed(told)


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
    known, tries = found
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
    """Of each file, whatever became of it."""
    seen = {e.data.get("file"): e.data for e in record.of("left")}
    if missing := set(REFUSED) - set(seen):
        return unknown(f"nobody looked for what is left of {', '.join(sorted(missing))}")
    kinds = ("services", "networks", "containers")
    left = [
        f"{file}: {data[kind]} {kind}"
        for file, data in seen.items()
        for kind in kinds
        if data[kind]
    ]
    return failed("; ".join(left)) if left else passed(f"none of {len(seen)} stacks left anything")


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
        "database_restarted_s": readings.replicas_restored_s(record, 1, DATABASE),
        "node_back_s": readings.node_back_s(record),
    }


def recovered_s(record: Record) -> float | None:
    """Seconds until writes were acknowledged for good: the first one sent after the last failure.

    None when none was.
    """
    began, ledger = _began(record), readings.ledger(record, LEDGER)
    if began is None or ledger is None:
        return None
    last = max((e.over for e in ledger.entries if e.id is None and e.over >= began), default=began)
    ends = [entry.over for entry in ledger.acknowledged if entry.sent >= last]
    return round(min(ends) - began, 3) if ends else None


def _began(record: Record) -> float | None:
    """When what the phase is about began: its fault, or the note of it."""
    if (fault := readings.fault_at(record)) is not None:
        return fault
    noted = record.first("begun")
    return noted.t if noted else None


def _running(record: Record, wanted: Mapping[str, int]) -> Judgement:
    told, whole = [], True
    for service, count in wanted.items():
        samples = [s for s in readings.task_samples(record, service) if s.error is None]
        if not samples:
            return unknown(f"nobody listed the tasks of {service}")
        running = len(_nodes(samples[-1]))
        told.append(f"{service} {running}/{count} on {', '.join(_nodes(samples[-1])) or 'no node'}")
        whole = whole and running == count
    return passed("; ".join(told)) if whole else failed("; ".join(told))


def _nodes(sample: readings.TasksSample) -> list[str]:
    return sorted(task.node for task in sample.tasks if task.running)


def _read(record: Record, what: str) -> Judgement:
    seen = [e.data for e in record.of("read", what=what) if e.data.get("node")]
    listed = [sample for sample in readings.node_samples(record) if sample.nodes]
    if not seen or not listed:
        return unknown("nobody looked, or nobody listed the nodes")
    asked = {data["node"] for data in seen}
    if missed := {node.name for node in listed[-1].nodes} - asked:
        return unknown(f"nobody looked through {', '.join(sorted(missed))}")
    wrong = [
        f"{data['node']}: {data.get('error') or data.get('found')}"
        for data in seen
        if data.get("found") is None or data.get("found") != data.get("expected")
    ]
    nodes = ", ".join(str(data["node"]) for data in seen)
    return failed("; ".join(wrong)) if wrong else passed(f"{seen[0]['found']} through {nodes}")


def _served(record: Record) -> list[int]:
    """How many of the marked requests each replica's log has, the latest time it was read."""
    seen = record.last("served")
    rows: Sequence[Any] = seen.data.get("replicas", []) if seen else []
    return [int(row["requests"]) for row in rows]


def _replayed(record: Record, salts: str) -> Judgement | tuple[int, int]:
    """How many tries knew the login, of how many; unknown when they were too few to tell."""
    seen = record.last("replayed", salts=salts)
    counts = Counter(str(row["found"]) for row in seen.data["tries"]) if seen else Counter()
    if counts["None"]:
        return unknown(f"{counts['None']} of {counts.total()} connections gave no answer")
    if counts.total() < LEAST_TRIES:
        return unknown(f"it was tried on {counts.total()} connections")
    return counts["known"], counts.total()


def _refused(record: Record, file: str, words: str) -> Judgement:
    seen = record.need("refused", "it was not deployed", file=file)
    # What goes before is the client's notice that it doesn't wait.
    said = str(seen.data["said"]).strip().rpartition("\n")[2]
    told = f"{seen.data['by']}: {said or 'nothing was said'}"
    return passed(told) if words in said else failed(told)


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:10]))
