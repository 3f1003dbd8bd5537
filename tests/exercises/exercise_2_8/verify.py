"""What must be true of a backup and of what was restored from it, judged on the record alone."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Write, each
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Moment,
    Window,
    another_cluster,
    judged,
    nodes_of,
    not_each,
    not_while,
    out_of_order,
)
from pytest_swarmlab.model import Capability, Judgement

from .. import identities

BREAKING = (Capability.CHANGE, Capability.EXPENDABLE)
"""Scripts and units are installed, an engine's own configuration is broken, nodes leave."""
REPLACING = (*BREAKING, Capability.REPLACE)
REFUSALS, TROUBLE, UPDATE, DISASTER = ("refusals",), ("trouble",), ("update",), ("disaster",)
FORCED, AUTOLOCK, HOT = ("quorum-lost",), ("autolock",), ("hot",)

exercise = Exercise(
    "2.8",
    "Backup et restore du swarm",
    module=__name__,
    titles={
        "refusals": "Broken backups are offered to a manager that works",
        "trouble": "Backups that can't be taken",
        "update": "A backup while a service is updated",
        "disaster": "Every machine is destroyed; the swarm comes back",
        "quorum-lost": "Two of three managers are destroyed; the survivor is enough",
        "autolock": "An autolocked swarm is destroyed and restored",
        "hot": "A hot backup, taken and judged",
    },
    needs={
        **dict.fromkeys(REFUSALS + TROUBLE + UPDATE, BREAKING),
        **dict.fromkeys(DISASTER + FORCED + AUTOLOCK + HOT, REPLACING),
    },
)

identities.declare(exercise, FORCED)

REFUSED = {
    "truncated": 4,
    "bit-flipped": 4,
    "manifest-edited": 4,
    "checksums-cut": 4,
    "volume-lost": 4,
    "another-swarm": 5,
    "another-address": 6,
    "not-confirmed": 8,
    "others-alive": 10,
}
"""What is wrong with a backup, or with restoring it here → swarm-restore's exit code for it."""

NEVER_STOPPED = {"it-leads": 4, "another-run": 3, "no-quorum-left": 5}
"""Why a backup isn't begun → swarm-backup's exit code for it."""

UNLOCKED = {"key-unsaid": 7, "no-key": 7, "wrong-key": 7, "alone": 7}
"""What is tried with an autolocked swarm and its backup → the exit code that it must have."""

MANAGERS, WORKERS = 3, 2


@exercise.check(
    "refused",
    phases=REFUSALS,
    title="Each broken backup is refused, with an exit code that says what is wrong",
    expected="; ".join(f"{case}: {code}" for case, code in REFUSED.items()),
    hint="`swarm-restore --help` tells the codes; what did it say in the screens below?",
)
def refused(record: Record) -> Judgement:
    """Confirmed as it was, each of them would have replaced the swarm."""
    codes = {e.data.get("case"): e.data.get("code") for e in record.of("refusal")}
    return _as_expected(codes, REFUSED)


@exercise.check(
    "nothing-touched",
    phases=REFUSALS,
    title="Nothing is touched by a refused restore",
    expected="the engine was never stopped, nothing is left beside the swarm's directory",
    hint="`systemctl status docker`: since when? What does /var/lib/docker hold?",
)
def nothing_touched(record: Record) -> Judgement:
    """Verify first, delete later."""
    offers = record.of("refusal")
    missing = set(REFUSED) - {e.data.get("case") for e in offers}
    if missing:
        return unknown(f"never offered: {', '.join(sorted(missing))}")
    bad = [
        f"{e.data.get('case')}: {'' if e.data.get('untouched') else 'the engine was stopped'}"
        f" {', '.join(e.data.get('left') or ())}".strip()
        for e in offers
        if e.data.get("untouched") is not True or e.data.get("left") != []
    ]
    return failed("; ".join(bad)) if bad else passed(f"after {len(offers)} offers all is as before")


@exercise.check(
    "good-one-verified",
    phases=REFUSALS,
    title="The backup that nobody broke is verified",
    expected="exit code 0 with --verify",
    hint="A restore that refuses everything refuses these too: look at its last screen.",
)
def good_one_verified(record: Record) -> Judgement:
    """The refusals say something only if a good backup is not refused."""
    seen = record.need("refusal", "it was not offered", case="verified")
    told = f"exit code {seen.data.get('code')}"
    return (
        passed(told) if seen.data.get("code") == 0 else failed(f"{told}: {seen.data.get('said')}")
    )


@exercise.check(
    "swarm-unharmed",
    phases=REFUSALS,
    title="The swarm goes on as before",
    expected="three managers reachable, two workers, all ready, one leader",
    hint="`docker node ls` on a manager.",
)
def swarm_unharmed(record: Record) -> Judgement:
    """Judged on the last node list."""
    offered = max((e.t for e in record.of("refusal")), default=None)
    return _whole(record, [("the last offer", offered)])


@exercise.check(
    "not-begun",
    phases=TROUBLE,
    title="Where it would do harm, the backup is not begun",
    expected="the leader: 4; a second run: 3; the quorum's last: 5; the engine is never stopped",
    hint="`swarm-backup --help` tells the codes; what did it say in the screens below?",
)
def not_begun(record: Record) -> Judgement:
    """Refused before anything is stopped."""
    seen = {e.data.get("case"): e.data for e in record.of("trouble")}
    codes = {case: each.get("code") for case, each in seen.items()}
    judgement = _as_expected(codes, NEVER_STOPPED)
    stopped = [case for case in NEVER_STOPPED if seen.get(case, {}).get("stopped") is not False]
    if stopped and judgement.verdict == "pass":
        return failed(f"the engine was stopped: {', '.join(stopped)}")
    return judgement


@exercise.check(
    "full-disk",
    phases=TROUBLE,
    title="A full disk costs the backup, and nothing else",
    expected="met while the engine is stopped: exit code 8, nothing left, the engine answers again",
    hint="Does the script's trap start docker.service and docker.socket, and remove .partial-…?",
)
def full_disk(record: Record) -> Judgement:
    """The lab's script leaves the engine stopped when tar fails."""
    return _trouble(record, "disk-full", code=8, stopped=True, answers=True, left=[])


@exercise.check(
    "timer",
    phases=TROUBLE,
    title="The timer begins a backup by itself",
    expected="it has elapsed, it starts swarm-backup.service, and that stopped the engine",
    hint="`systemctl list-timers swarm-backup.timer`; `systemctl cat swarm-backup.timer`.",
)
def timer(record: Record) -> Judgement:
    """Nobody else starts the backup that is killed while the engine is stopped."""
    event = record.need("timer", "no timer was set")
    seen = event.data
    told = f"elapsed: {seen.get('elapsed') or 'never'}; starts {seen.get('unit')}"
    good = seen.get("elapsed") not in NEVER and seen.get("unit") == "swarm-backup.service"
    gone = _stopped(record, str(seen.get("node")), event.t)
    missing = [] if gone else ["nobody saw the engine stopped after the timer was set"]
    return judged(told, holds=good, missing=missing)


def _stopped(record: Record, node: str, before: float) -> bool:
    """Whether the node's engine was seen to be gone, after the timer was started there."""
    argv = ["systemctl", "start", "swarm-backup.timer"]
    started = [e.t for e in record.of("command", node=node, code=0, argv=argv) if e.t < before]
    waits = record.of("wait", condition="the engine is gone", node=node, outcome="done")
    return bool(started) and any(started[-1] < e.t < before for e in waits)


NEVER = ("", "0", "n/a", None)
"""What systemd says of a timer that has not elapsed."""


@exercise.check(
    "killed",
    phases=TROUBLE,
    title="kill -9 in the middle leaves no engine stopped and nothing that looks like a backup",
    expected="the unit ends by a signal, the engine is started again, no backup more than before",
    hint="`systemctl status swarm-backup-mend.service`: is it the OnFailure= of the backup's unit?",
)
def killed(record: Record) -> Judgement:
    """No trap runs in a process that was killed so. In the middle: the engine was away by then."""
    seen = record.need("trouble", "nobody killed it", case="killed")
    wanted = {"code": 137, "answers": True, "complete": False, "stopped": True}
    judgement = _trouble(record, "killed", **wanted)
    if judgement.verdict == "pass" and not _stopped(record, str(seen.data.get("node")), seen.t):
        return unknown(f"{judgement.observed}; nobody saw the engine stopped when it was killed")
    return judgement


@exercise.check(
    "engine-refuses",
    phases=TROUBLE,
    title="An engine that does not start again is told, and the backup is kept",
    expected="exit code 9, the backup is complete; mended, the engine answers",
    hint="`journalctl -u docker` on the node; `swarm-backup --mend` when its cause is removed.",
)
def engine_refuses(record: Record) -> Judgement:
    """Now the backup is worth more than ever."""
    judgement = _trouble(record, "engine-refuses", code=9, answers=False, complete=True)
    tried, mended = record.last("trouble", case="engine-refuses"), record.last("mended")
    if tried and mended and (late := out_of_order(("the trouble", tried.t), ("its end", mended.t))):
        return unknown("; ".join(late))
    if judgement.verdict == "pass" and not (mended and mended.data.get("answers")):
        return failed(f"{judgement.observed}; it was not mended")
    return judgement


@exercise.check(
    "backup-complete",
    phases=DISASTER,
    title="The backup is taken on a follower, cold, and the leader stays",
    expected="exit code 0, not hot, with volumes; the same leader before and after",
    hint="The screen of swarm-backup; `docker node ls` after it.",
)
def backup_complete(record: Record) -> Judgement:
    """An election is what a backup on the leader costs."""
    taken = record.need("backup", "no backup was taken, or nobody looked at the leader after it")
    after = record.need(
        "leader-after-backup", "no backup was taken, or nobody looked at the leader after it"
    )
    facts = _mapping(taken.data.get("manifest"))
    told = (
        f"exit code {taken.data.get('code')}; hot: {facts.get('hot')}, volumes:"
        f" {facts.get('volumes')}; leader before: {taken.data.get('leader')}, after:"
        f" {after.data.get('leader')}"
    )
    good = (
        taken.data.get("code") == 0
        and (facts.get("hot"), facts.get("volumes")) == ("no", "yes")
        and taken.data.get("leader") == after.data.get("leader") is not None
        and taken.data.get("node") != taken.data.get("leader")
    )
    carried = record.need("carried", "the backup was not carried away")
    if not carried.data.get("bytes"):
        return failed(f"{told}; {carried.data.get('bytes')} bytes")
    order = out_of_order(
        ("the backup", taken.t), ("the look at the leader", after.t), ("its way out", carried.t)
    )
    return judged(f"{told}; {carried.data['bytes']} bytes", holds=good, missing=order)


@exercise.check(
    "backup-holds",
    phases=DISASTER,
    title="The backup holds what makes a manager",
    expected="docker-state.json, certificates/ and raft/ below swarm/",
    hint="Official procedure: all of /var/lib/docker/swarm, with the keys of the raft log.",
)
def backup_holds(record: Record) -> Judgement:
    """The names in its swarm.tar.gz."""
    carried = record.need("carried", "the backup was not carried away")
    names = [str(name) for name in carried.data.get("holds") or ()]
    if not names:
        return unknown("nobody looked into it")
    lacks = [part for part in HELD if not any(name.startswith(part) for name in names)]
    told = f"{len(names)} names; {', '.join(HELD)}"
    return failed(f"{len(names)} names; without {', '.join(lacks)}") if lacks else passed(told)


HELD = ("swarm/docker-state.json", "swarm/certificates/", "swarm/raft/")


@exercise.check(
    "all-was-lost",
    phases=DISASTER,
    title="Between backup and restore nothing of the swarm existed",
    expected="every node destroyed; the new machines are outside any swarm",
    hint="The machines that boot must be new: their disks too.",
)
def all_was_lost(record: Record) -> Judgement:
    """What was not lost proves nothing."""
    fault, restored = readings.fault(record), record.last("restore")
    if fault is None or fault.healed is None or restored is None:
        return unknown("nothing was destroyed and replaced")
    states = {
        e.data.get("node"): e.data.get("state")
        for e in record.of("info")
        if fault.healed <= e.t < restored.t
    }
    told = f"destroyed: {', '.join(fault.nodes)}; then: " + ", ".join(
        f"{node} {state}" for node, state in sorted(states.items())
    )
    if set(states) != set(fault.nodes) or set(states) != set(nodes_of(record)):
        return unknown(f"{told}; not every machine was destroyed, or not every new one was asked")
    taken = record.last("backup")
    order = out_of_order(
        ("the backup", taken.t if taken else None),
        ("the destruction", fault.began),
        ("the new machines", fault.healed),
        ("the restore", restored.t),
    )
    return judged(told, holds=set(states.values()) == {"inactive"}, missing=order)


@exercise.check(
    "restored",
    phases=DISASTER,
    title="The procedure restores it on a new machine at the old address",
    expected="swarm-restore --verify and swarm-restore end with 0, and a leader answers",
    hint="The screen of swarm-restore, and `journalctl -u docker` on the new manager.",
)
def restored(record: Record) -> Judgement:
    """The scripts' own word, and a node list."""
    checked, done, answers = (record.last(k) for k in ("verified", "restore", "answers"))
    if checked is None or done is None:
        return unknown("nothing was restored")
    told = f"--verify: {checked.data.get('code')}, restore: {done.data.get('code')}"
    if checked.data.get("code") != 0 or done.data.get("code") != 0 or answers is None:
        return failed(f"{told}; {done.data.get('said') or 'no leader answered'}")
    fault = readings.fault(record)
    order = out_of_order(
        ("the new machines", fault.healed if fault else None),
        ("the check of the backup", checked.t),
        ("the restore", done.t),
        ("the leader's answer", answers.t),
    )
    led = done.data.get("node") == answers.data.get("node")
    return judged(f"{told}; {answers.data.get('node')} leads", holds=led, missing=order)


def _same(name: str, what: str, phases: Sequence[str] = (*DISASTER, *FORCED, *AUTOLOCK)) -> None:
    """Declare that a part of the swarm's identity is the same afterwards as it was before."""

    @exercise.check(
        f"same-{name}",
        phases=phases,
        title=f"The same {what}",
        expected="equal before the backup and after the restore",
        hint="Was the whole of /var/lib/docker/swarm restored, and no new swarm made?",
    )
    def same(record: Record) -> Judgement:
        """Compared value by value, as the managers told them."""
        found = {e.data.get("when"): e for e in record.of("identity")}
        if not {"before", "after"} <= found.keys():
            return unknown("nobody looked before, or after")
        before, after = found["before"].data, found["after"].data
        order = out_of_order(
            ("the look before", found["before"].t),
            *_way_back(record),
            ("the look after", found["after"].t),
        )
        told, differs = [], []
        for part in PARTS[name]:
            if not before.get(part):
                return unknown(f"before the backup nobody told its {part}")
            equal = before[part] == after.get(part)
            told.append(f"{part}: {_brief(before[part])}")
            if not equal:
                differs.append(f"{part}: {_brief(before[part])}, then {_brief(after.get(part))}")
        return judged("; ".join(told), wrong=differs, missing=order)


PARTS = {
    "swarm": ("swarm", "ca", "settings"),
    "node": ("node",),
    "secrets-and-configs": ("secrets", "configs"),
    "services": ("services", "networks"),
    "tokens": ("tokens",),
}
"""Check → what is compared for it."""

ALL_RESTORED = (*DISASTER, *FORCED, *AUTOLOCK, *HOT)

_same("swarm", "swarm: its id, its root certificate, its settings", ALL_RESTORED)
_same("node", "manager: its node id", ALL_RESTORED)
_same("secrets-and-configs", "secrets and configs, under the same ids")
_same("services", "services and networks: ids and specifications")
_same("tokens", "join tokens", ALL_RESTORED)


@exercise.check(
    "secret-readable",
    phases=(*DISASTER, *AUTOLOCK),
    title="A restored service still reads its secret",
    expected="in a container of the restored swarm, the value that was stored before",
    hint="The raft log is encrypted: were certificates/ and its keys restored with it?",
)
def secret_readable(record: Record) -> Judgement:
    """Its SHA-256, computed in the container, against that of what was stored."""
    stored = record.need("secret", "the secret was not stored, or not read again")
    seen = record.need("read", "the secret was not stored, or not read again")
    same = stored.data.get("digest") == seen.data.get("digest") is not None
    told = f"on {seen.data.get('node')}: {str(seen.data.get('digest'))[:12]}…"
    wrong = [] if same else [f"not {str(stored.data.get('digest'))[:12]}…"]
    order = out_of_order(
        ("that it was stored", stored.t), *_way_back(record), ("its value", seen.t)
    )
    return judged(told, wrong=wrong, missing=order)


@exercise.check(
    "data-complete",
    phases=DISASTER,
    title="Everything that was acknowledged before the backup is there",
    expected="numbers 1 to 200, each once; of what was written after the backup nothing",
    hint="Was the volume copied while its container was stopped, and restored before it started?",
)
def data_complete(record: Record) -> Judgement:
    """The recovery point is the backup: what is lost is what came later."""
    found = record.need("found", "nobody read the volume after the restore")
    numbers = list(found.data.get("numbers") or ())
    lost = [n for n in WRITTEN if n not in numbers]
    told = f"{len(numbers)} numbers, {len(lost)} of {len(WRITTEN)} lost"
    taken, later = record.last("backup"), record.last("written-after")
    order = out_of_order(
        ("the backup", taken.t if taken else None),
        ("what was written after it", later.t if later and later.data.get("numbers") else None),
        *_way_back(record),
        ("the reading of the volume", found.t),
    )
    return judged(told, holds=numbers == list(WRITTEN), missing=order)


WRITTEN = range(1, 201)


@exercise.check(
    "new-machines-had-to-join",
    phases=DISASTER,
    title="Machines without their old disks come back by joining, not by themselves",
    expected="none was a member before it joined with the restored swarm's token; then all are",
    hint="A node is known by its certificate: with its disk that is gone.",
)
def new_machines_had_to_join(record: Record) -> Judgement:
    """Which of both is true is said by the procedure."""
    back = record.need("came-back", "nobody looked, or nobody joined")
    joined = record.need("joined", "nobody looked, or nobody joined")
    came, asked = back.data.get("nodes") or [], joined.data.get("nodes") or []
    told = f"by themselves: {', '.join(came) or 'none'}; joined: {', '.join(asked)}"
    home = record.need("restore", "nothing was restored").data.get("node")
    order = out_of_order(*_way_back(record), ("who came back", back.t), ("the joins", joined.t))
    others = sorted(set(nodes_of(record)) - {home})
    return judged(told, holds=not came and sorted(asked) == others, missing=order)


@exercise.check(
    "whole-again",
    phases=(*DISASTER, *FORCED, *AUTOLOCK),
    title="There are three managers and two workers again",
    expected="three managers reachable, two workers, all ready, one leader",
    hint="`docker node ls` on the restored manager: who is missing? Which token did it join with?",
)
def whole_again(record: Record) -> Judgement:
    """Judged on the last node list."""
    joined, home = record.last("joined"), record.last("identity", when="after")
    judgement = _whole(record, [*_way_back(record), ("the joins", joined.t if joined else None)])
    ids = {row.id for sample in readings.node_samples(record)[-1:] for row in sample.nodes}
    if judgement.verdict == "pass" and not (home and home.data.get("node") in ids):
        return unknown(f"{judgement.observed}; the restored manager, by its id, is not among them")
    return judgement


@exercise.check(
    "nothing-of-the-old",
    phases=DISASTER,
    title="Nothing of the old membership is left",
    expected="of the old node ids only that of the restored manager, and no machine listed twice",
    hint="`docker node ls`: rows that are Down go with `docker node rm --force ID`.",
)
def nothing_of_the_old(record: Record) -> Judgement:
    """Old rows would be counted, and scheduled on, for ever."""
    lists = [s for s in readings.node_samples(record) if s.nodes]
    home, joined = record.last("restore"), record.last("joined")
    if not lists or home is None:
        return unknown("no nodes were listed, or nothing was restored")
    order = out_of_order(
        ("the first node list", lists[0].t),
        *_way_back(record),
        ("the joins", joined.t if joined else None),
        ("the last node list", lists[-1].asked),
    )
    before, after = lists[0].nodes, lists[-1].nodes
    old = {n.id: n.name for n in before}
    left = sorted(old[n.id] for n in after if n.id in old)
    names = [n.name for n in after]
    told = f"left: {', '.join(left) or 'none'}; listed: {', '.join(sorted(names))}"
    good = left == [home.data.get("node")] and len(set(names)) == len(names)
    return judged(told, holds=good, missing=order)


@exercise.check(
    "update-goes-on",
    phases=UPDATE,
    title="A backup of a follower doesn't disturb a rolling update",
    expected="taken while the update was under way (the backup's inventory says so); it completes",
    hint="`docker service inspect site`: UpdateStatus. A paused update says which task failed.",
)
def update_goes_on(record: Record) -> Judgement:
    """The leader goes on deciding; the node's own task is what the update may meet down."""
    taken, updated = record.last("backup"), record.last("updated")
    if taken is None:
        return unknown("no backup was taken")
    told = (
        f"exit code {taken.data.get('code')}; update before: {taken.data.get('update_before')}, in"
        f" the inventory: {taken.data.get('inventory')}, at last:"
        f" {updated.data.get('state') if updated else 'not seen'}"
    )
    if taken.data.get("inventory") != "updating":
        return unknown(f"{told}: the backup did not meet the update")
    completed = updated is not None and updated.data.get("state") == "completed"
    order = out_of_order(
        ("the backup", taken.t), ("the update's end", updated.t if updated else None)
    )
    return judged(told, holds=taken.data.get("code") == 0 and completed, missing=order)


@exercise.check(
    "survivor-is-enough",
    phases=FORCED,
    title="A swarm that has lost its quorum is made whole from one survivor, without a backup",
    expected="changes are refused, then --force-new-cluster ends with 0 and changes are accepted",
    hint="Run it on a manager that survived, with its own --advertise-addr.",
)
def survivor_is_enough(record: Record) -> Judgement:
    """It forgets the other managers' votes, and nothing else."""
    forced = record.need("forced", "nobody forced a new cluster")
    fault = readings.fault(record)
    if fault is None:
        return unknown("no quorum was lost")
    mine = each(record, Write, node=forced.data.get("node"))
    refused = [write for write in mine if fault.began < write.t < forced.t and write.error]
    accepted = [write for write in mine if write.t > forced.t and not write.error]
    told = (
        f"before: {len(refused)} changes refused; exit code {forced.data.get('code')}; after:"
        f" {len(accepted)} accepted"
    )
    if not refused:
        return unknown(f"{told}; there was a quorum")
    left = sorted(set(_managers(record)) - set(fault.nodes))
    missing = [] if left == [forced.data.get("node")] else [f"{', '.join(left)} survived"]
    if fault.heal_began is not None and forced.t > fault.heal_began:
        missing.append("the lost managers' machines were there again by then")
    return judged(told, holds=forced.data.get("code") == 0 and bool(accepted), missing=missing)


@exercise.check(
    "workers-come-back",
    phases=FORCED,
    title="Workers that kept their disks come back by themselves",
    expected="both workers, and nobody else: the lost managers' new machines had to join",
    hint="They look for managers at the addresses they know: has the survivor kept its own?",
)
def workers_come_back(record: Record) -> Judgement:
    """Their certificates are the swarm's, and the swarm is the same."""
    back, joined = record.last("came-back"), record.last("joined")
    fault, lists = readings.fault(record), [s for s in readings.node_samples(record) if s.nodes]
    if back is None or joined is None or fault is None or not lists:
        return unknown("nobody looked")
    came = set(back.data.get("nodes") or ())
    told = f"by themselves: {', '.join(sorted(came)) or 'none'}; joined: {joined.data.get('nodes')}"
    workers = set(nodes_of(record)) - set(_managers(record))
    good = came == workers and set(joined.data.get("nodes") or ()) == set(fault.nodes)
    rows = [{n.name: (n.identity, n.role) for n in s.nodes} for s in (lists[0], lists[-1])]
    wrong = [
        f"{name} is {' '.join(rows[1].get(name, ('not listed',)))},"
        f" was {' '.join(rows[0].get(name, ('not listed',)))}"
        for name in sorted(workers)
        if rows[0].get(name) != rows[1].get(name)
    ]
    order = out_of_order(
        ("the first node list", lists[0].t),
        *_way_back(record),
        ("who came back", back.t),
        ("the joins", joined.t),
        ("the last node list", lists[-1].asked),
    )
    return judged(told, holds=good, wrong=wrong, missing=order)


@exercise.check(
    "locked-out",
    phases=AUTOLOCK,
    title="Without its key an autolocked backup is refused",
    expected="7 each: backup without a word on the key; restore with none, a wrong one, or alone",
    hint="The manifest holds the key's SHA-256: compared before anything is touched.",
)
def locked_out(record: Record) -> Judgement:
    """Alone: one locked manager can't be made a new cluster (moby issue 36852)."""
    tries = {e.data.get("case"): e for e in record.of("unlock")}
    judgement = _as_expected({case: e.data.get("code") for case, e in tries.items()}, UNLOCKED)
    if judgement.verdict != "pass":
        return judgement
    fault, done = readings.fault(record), record.of("restore")
    order = out_of_order(
        ("the backup that was refused", tries["key-unsaid"].t),
        ("the destruction", fault.began if fault else None),
        ("the new machines", fault.healed if fault else None),
        ("the first refused restore", min(tries[case].t for case in RESTORES)),
    )
    order += out_of_order(
        ("the last refused restore", max(tries[case].t for case in RESTORES)),
        ("the restore", done[0].t if done else None),
    )
    return judged(judgement.observed, missing=order)


RESTORES = ("no-key", "wrong-key", "alone")
"""Which of those were tried on the new machines."""


@exercise.check(
    "key-kept-apart",
    phases=AUTOLOCK,
    title="The unlock key is kept, and not in the backup",
    expected="in its own directory the right key; in no file of the backup",
    hint="`swarm-backup --unlock-key-dir DIR`: is DIR on another disk than the backups?",
)
def key_kept_apart(record: Record) -> Judgement:
    """A key beside what it locks protects nothing, and a key that nobody has locks for ever."""
    kept = record.of("kept")
    if not kept:
        return unknown("nobody looked")
    told = "; ".join(
        f"{e.data.get('node')}: in the backup: {e.data.get('in_backup')}, apart:"
        f" {e.data.get('beside')}"
        for e in kept
    )
    good = all(e.data.get("in_backup") is False and e.data.get("beside") is True for e in kept)
    taken = [str(e.data.get("node")) for e in record.of("backup", code=0)]
    missing = not_each((str(e.data.get("node")) for e in kept), taken, "looked for the key of")
    blind = [str(e.data.get("node")) for e in kept if e.data.get("control") is not True]
    if blind:
        missing.append(f"nobody knows whether a key would have been found: {', '.join(blind)}")
    return judged(told, holds=good, missing=missing)


@exercise.check(
    "unlocked",
    phases=AUTOLOCK,
    title="With the right key a majority of the managers, restored together, is the swarm again",
    expected="both restores end with 0 and changes are accepted",
    hint="`docker swarm unlock` waits for a leader: both have to be restored at the same time.",
)
def unlocked(record: Record) -> Judgement:
    """Restored with their votes: no new cluster is forced."""
    done, answers = record.of("restore"), record.last("answers")
    restored = {str(e.data.get("node")) for e in done}
    if len(restored) < 2:
        return unknown(f"{len(restored)} of 2 managers were restored")
    told = ", ".join(f"{e.data.get('node')}: {e.data.get('code')}" for e in done)
    if any(e.data.get("code") != 0 for e in done) or answers is None:
        return failed(f"{told}; " + "; ".join(str(e.data.get("said")) for e in done))
    fault, over = readings.fault(record), Window(max(e.t for e in done), math.inf)
    accepted = (write.t for write in each(record, Write) if not write.error)
    missing = not_while(accepted, over, "had a change accepted")
    missing += out_of_order(
        ("the new machines", fault.healed if fault else None),
        ("the first restore", min(e.t for e in done)),
    )
    return judged(told, missing=missing)


@exercise.check(
    "hot-restores",
    phases=HOT,
    title="A hot backup could be restored this time",
    expected="backup and restore end with 0; all that was decided before it began is there",
    hint="Nothing promises this: the log is copied while it is written. Stop the engine.",
)
def hot_restores(record: Record) -> Judgement:
    """What was decided while it was copied may be there or not; what came before must be."""
    taken, done, began = (record.last(kind) for kind in ("backup", "restore", "hot-began"))
    book = readings.ledger(record, "configs")
    if taken is None or done is None or began is None or book is None or book.found is None:
        return unknown("it was not taken, not restored, or nobody counted")
    numbers = int(began.data.get("numbers") or 0)
    lost = [n for n in book.lost if n <= numbers]
    told = (
        f"backup {taken.data.get('code')}, restore {done.data.get('code')};"
        f" {len(book.acknowledged)} decisions acknowledged, {len(book.found)} found; of the"
        f" {began.data.get('numbers')} before it began {len(lost)} are lost"
    )
    good = taken.data.get("code") == done.data.get("code") == 0 and not lost
    sooner = {e.number for e in book.acknowledged if e.over <= began.t}
    during = (e.over for e in book.acknowledged if e.sent >= began.t)
    counted = record.last("entries", ledger="configs")
    missing = [] if numbers else ["nothing was decided before it began"]
    if len(sooner) < numbers:
        missing.append(f"of the {numbers} before it began {len(sooner)} were seen")
    missing += not_while(during, Window(began.t, taken.t), "had a decision acknowledged")
    missing += out_of_order(
        ("its beginning", began.t),
        ("its end", taken.t),
        *_way_back(record),
        ("the count", counted.t if counted else None),
    )
    return judged(told, holds=good, missing=missing)


@exercise.measure(phases=DISASTER)
def recovery(record: Record) -> dict[str, float | int | None]:
    """Recovery time and point, and what the backup cost.

    `engine_stopped_s`: from the order to stop until the engine answers again, as the script
    measured it. `restore_s`: from the moment when the new machine is up until a leader answers.
    """
    fault, answers, found = readings.fault(record), record.last("answers"), record.last("found")
    taken, carried, joined = record.last("backup"), record.last("carried"), record.last("joined")
    facts = _mapping(taken.data.get("manifest")) if taken else {}
    stopped = facts.get("engine_stopped_s")
    up = fault.healed if fault else None
    numbers = set(found.data.get("numbers") or ()) if found else None
    after = record.last("written-after")
    return {
        "engine_stopped_s": float(stopped) if stopped else None,
        "restore_s": round(answers.t - up, 2) if answers and up is not None else None,
        "whole_again_s": round(_settled(record) - up, 2)
        if joined and up is not None and _settled(record)
        else None,
        "data_lost": None if numbers is None else len(set(WRITTEN) - numbers),
        "written_after_backup": len(after.data.get("numbers") or ()) if after else None,
        "backup_bytes": carried.data.get("bytes") if carried else None,
    }


def _settled(record: Record) -> float:
    """When, after the joins, every node was first waited for with success; 0 if never."""
    joined = record.last("joined")
    waits = record.of("wait", outcome="done")
    return next(
        (e.t for e in waits if joined and e.t > joined.t and "every node" in e.data["condition"]), 0
    )


@exercise.measure(phases=HOT)
def torn(record: Record) -> dict[str, int | None]:
    """Decisions of before the hot backup began that it lost; and of those made meanwhile."""
    began, book = record.last("hot-began"), readings.ledger(record, "configs")
    if began is None or book is None or book.found is None:
        return {"data_lost": None, "lost_later": None}
    before = [n for n in book.lost if n <= int(began.data.get("numbers") or 0)]
    return {"data_lost": len(before), "lost_later": len(book.lost) - len(before)}


# -- what the checks share -----------------------------------------------------------------------


def _as_expected(codes: Mapping[Any, Any], wanted: Mapping[str, int]) -> Judgement:
    missing = [case for case in wanted if codes.get(case) is None]
    told = "; ".join(f"{case}: {codes[case]}" for case in wanted if case not in missing)
    if missing:
        return unknown(f"{told}; never tried: {', '.join(missing)}")
    return passed(told) if all(codes[c] == wanted[c] for c in wanted) else failed(told)


def _trouble(record: Record, case: str, **wanted: Any) -> Judgement:
    seen = record.last("trouble", case=case)
    if seen is None or any(key not in seen.data for key in wanted):
        return unknown("that was not tried")
    told = ", ".join(f"{key}: {seen.data[key]}" for key in wanted)
    good = all(seen.data[key] == value for key, value in wanted.items())
    return passed(told) if good else failed(f"{told}; {seen.data.get('said')}")


def _way_back(record: Record) -> list[Moment]:
    """What must have come before anything is looked at afterwards: the loss, and what undid it."""
    fault, forced, restore = readings.fault(record), record.last("forced"), record.last("restore")
    lost = ("the destruction", fault.began if fault else None)
    if forced is not None:
        return [lost, ("the new cluster", forced.t)]
    return [
        lost,
        ("the new machines", fault.healed if fault else None),
        ("the restore", restore.t if restore else None),
    ]


def _managers(record: Record) -> list[str]:
    """The machines that started as managers."""
    ready = record.need("cluster.ready", "nobody told which nodes the cluster has")
    return [str(n["name"]) for n in ready.data["nodes"] if n.get("membership") == "manager"]


def _whole(record: Record, after: Sequence[Moment]) -> Judgement:
    lists = [s for s in readings.node_samples(record) if s.nodes]
    if not lists:
        return unknown("no manager listed the nodes")
    rows = lists[-1].nodes
    managers = [n for n in rows if n.reachability == "reachable"]
    workers = [n for n in rows if n.role == "worker"]
    unfit = [n.name for n in rows if n.state != "ready"]
    leaders = [n.name for n in rows if n.leader]
    told = (
        f"{len(managers)} managers reachable, {len(workers)} workers, leader:"
        f" {', '.join(leaders) or 'none'}, not ready: {', '.join(unfit) or 'none'}"
    )
    counts = (len(managers), len(workers), len(leaders), len(rows))
    good = counts == (MANAGERS, WORKERS, 1, MANAGERS + WORKERS) and not unfit
    names = sorted(n.name for n in managers), sorted(n.name for n in rows)
    wrong = [] if names[0] == sorted(_managers(record)) else [f"managers: {', '.join(names[0])}"]
    wrong += [] if names[1] == sorted(nodes_of(record)) else [f"listed: {', '.join(names[1])}"]
    missing = another_cluster(lists)
    missing += out_of_order(*after, ("the last node list", lists[-1].asked))
    return judged(told, holds=good, wrong=wrong, missing=missing)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_brief(each)}" for key, each in value.items())[:160]
    if isinstance(value, list):
        return _brief(value[0]) if value else "none"
    return str(value)[:40]
