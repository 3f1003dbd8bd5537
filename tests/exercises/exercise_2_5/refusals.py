"""Stack files that can't work."""

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, members_of, not_each, out_of_order
from pytest_swarmlab.model import Capability, Judgement

from .declared import REFUSALS, exercise
from .events import Left, Refused

REFUSED = {
    "syntax-error": ("yaml: ", "A file with a syntax error is refused"),
    "missing-secret": ("secret not found: never_created", "A missing secret is named"),
    "port-clash": ("port '8085' is already in use", "A port that is in use is named"),
    "unknown-driver": ("missing plugin", "A volume driver that no node has keeps the task pending"),
    "silent-nfs": ("failed to mount local volume", "A missing NFS server is named"),
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
    title="Refused stack files leave nothing deployed",
    expected="no service, network or container of that stack on any node",
    hint="`docker stack rm`: objects created before the refusal stay until they are removed.",
)
def nothing_left(record: Record) -> Judgement:
    """Leftovers of each file, on every node's engine."""
    seen = {e.file: e for e in each(record, Left)}
    tried = {e.file: e.t for e in each(record, Refused)}
    if missing := not_each(seen, REFUSED, "looked for what is left of"):
        return unknown("; ".join(missing))
    for file in REFUSED:
        missing += not_each(seen[file].nodes, members_of(record), "asked")
        order = (
            ("the refusal", tried.get(file)),
            (f"the look for what is left of {file}", seen[file].t),
        )
        missing += out_of_order(*order)
    left = [
        f"{file}: {count} {kind}"
        for file, there in seen.items()
        for kind, count in (
            ("services", there.services),
            ("networks", there.networks),
            ("containers", there.containers),
        )
        if count != 0
    ]
    return judged(
        f"{len(left)} of {len(seen)} stacks left anything",
        wrong=left,
        missing=dict.fromkeys(missing),
    )


def _refused(record: Record, file: str, words: str) -> Judgement:
    seen = need(record, Refused, "it was not deployed", file=file)
    # What goes before is the client's notice that it doesn't wait.
    said = seen.said.strip().rpartition("\n")[2]
    told = f"{seen.by}: {said or 'nothing was said'}"
    at_once = file not in LATER
    refused = seen.code not in (None, 0) if at_once else seen.by == f"a task, {LATER[file]}"
    return passed(told) if words in said and refused else failed(told)
