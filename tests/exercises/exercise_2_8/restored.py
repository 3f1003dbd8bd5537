"""Every machine is destroyed; the swarm comes back, and is what it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_swarmlab import failed, not_provable, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.events import Info, Waited, each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import (
    Moment,
    judged,
    never,
    nodes_of,
    not_awaited,
    out_of_order,
)
from pytest_swarmlab.model import Judgement

from .declared import AUTOLOCK, DISASTER, FORCED, HOT, exercise
from .events import (
    Answers,
    Backup,
    CameBack,
    Carried,
    Elsewhere,
    Found,
    Identity,
    Joined,
    LeaderAfterBackup,
    Restore,
    Secret,
    SecretRead,
    SecretUnread,
    TheirBackup,
    Verified,
    WrittenAfter,
)
from .seen import way_back, whole


@exercise.check(
    "backup-complete",
    phases=DISASTER,
    title="A cold backup on a follower does not change the leader",
    expected="exit code 0, cold, with volumes; the same leader before and after",
    hint="The screen of swarm-backup; `docker node ls` after it.",
)
def backup_complete(record: Record) -> Judgement:
    """An election is what a backup on the leader costs."""
    if last(record, TheirBackup):
        return not_provable(
            "a submission's script took the backup: only the lab's script writes a manifest that"
            " says whether the backup is cold and has volumes"
        )
    taken = need(record, Backup, "no backup was taken, or the leader after it was not read")
    after = need(
        record, LeaderAfterBackup, "no backup was taken, or the leader after it was not read"
    )
    facts = taken.manifest or {}
    told = (
        f"exit code {taken.code}; hot: {facts.get('hot')}, volumes:"
        f" {facts.get('volumes')}; leader before: {taken.leader}, after: {after.leader}"
    )
    good = (
        taken.code == 0
        and (facts.get("hot"), facts.get("volumes")) == ("no", "yes")
        and taken.leader == after.leader is not None
        and taken.node != taken.leader
    )
    carried, order = _carried(record, ("the look at the leader", after.t))
    if not carried.bytes:
        return failed(f"{told}; {carried.bytes} bytes")
    return judged(f"{told}; {carried.bytes} bytes", holds=good, missing=order)


@exercise.check(
    "backup-holds",
    phases=DISASTER,
    title="The backup has all files of a manager",
    expected="docker-state.json, certificates/ and raft/ below swarm/",
    hint="Official procedure: all of /var/lib/docker/swarm, with the keys of the Raft log.",
)
def backup_holds(record: Record) -> Judgement:
    """The names in its swarm.tar.gz."""
    if last(record, TheirBackup):
        return not_provable(
            "a submission's script took the backup: only the lab's script writes a swarm.tar.gz"
        )
    carried, order = _carried(record)
    names = carried.holds or ()
    if not names:
        return unknown("its content was not read")
    lacks = [part for part in HELD if not any(name.startswith(part) for name in names)]
    if lacks:
        return failed(f"{len(names)} names; without {', '.join(lacks)}")
    return judged(f"{len(names)} names; {', '.join(HELD)}", missing=order)


def _carried(record: Record, *between: Moment) -> tuple[Carried, list[str]]:
    """The copy off the cluster; whether the backup came before it, and these moments between."""
    carried = need(record, Carried, "the backup was not copied off the cluster")
    return carried, out_of_order(_the_backup(record), *between, ("its copy", carried.t))


HELD = ("swarm/docker-state.json", "swarm/certificates/", "swarm/raft/")


@exercise.check(
    "all-was-lost",
    phases=DISASTER,
    title="Between backup and restore no machine of the swarm existed",
    expected="every node destroyed; the new machines are outside any swarm",
    hint="The machines that boot must be new, with new disks.",
)
def all_was_lost(record: Record) -> Judgement:
    """A restore proves nothing about a machine that was not lost."""
    if last(record, Elsewhere):
        return not_provable(
            "somebody's own machines are not destroyed: the backup was restored on new machines of"
            " another cluster, while theirs ran on"
        )
    fault, restored = readings.fault(record), last(record, Restore)
    if fault is None or fault.healed is None or restored is None:
        return unknown("nothing was destroyed and replaced")
    states = {
        view.node: view.state for view in each(record, Info) if fault.healed <= view.t < restored.t
    }
    told = f"destroyed: {', '.join(fault.nodes)}; then: " + ", ".join(
        f"{node} {state}" for node, state in sorted(states.items())
    )
    if set(states) != set(fault.nodes) or set(states) != set(nodes_of(record)):
        return unknown(f"{told}; not every machine was destroyed, or not every new one was asked")
    order = out_of_order(
        _the_backup(record),
        ("the destruction", fault.began),
        ("the new machines", fault.healed),
        ("the restore", restored.t),
    )
    return judged(told, holds=set(states.values()) == {"inactive"}, missing=order)


def _the_backup(record: Record) -> Moment:
    """When it was taken, by whoever's script."""
    taken = last(record, Backup) or last(record, TheirBackup)
    return "the backup", taken.t if taken else None


@exercise.check(
    "restored",
    phases=DISASTER,
    title="The procedure restores it on a new machine at the old address",
    expected="swarm-restore --verify and swarm-restore end with 0, and a leader answers",
    hint="The screen of swarm-restore, and `journalctl -u docker` on the new manager.",
)
def restored(record: Record) -> Judgement:
    """The scripts' exit codes, and a node list."""
    checked, done, answers = last(record, Verified), last(record, Restore), last(record, Answers)
    if done is None:
        return unknown("nothing was restored")
    if checked is None and not done.theirs:
        return unknown("the backup was not checked")
    codes = {"--verify": checked.code} if checked else {}
    codes["restore"] = done.code
    told = ", ".join(f"{step}: {code}" for step, code in codes.items())
    if any(code != 0 for code in codes.values()):
        return failed(f"{told}; {done.said or 'no leader answered'}")
    if answers is None:
        return never(f"{told}; no leader answered", not_awaited(record, done.t))
    order = out_of_order(
        ("the new machines", _new_machines(record)),
        *([("the check of the backup", checked.t)] if checked else []),
        ("the restore", done.t),
        ("the leader's answer", answers.t),
    )
    led = done.node == answers.node
    return judged(f"{told}; {answers.node} leads", holds=led, missing=order)


def _new_machines(record: Record) -> float | None:
    """When a new machine was there to be restored on."""
    elsewhere, fault = last(record, Elsewhere), readings.fault(record)
    return elsewhere.t if elsewhere else fault.healed if fault else None


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
        found = {e.when: e for e in each(record, Identity)}
        if not {"before", "after"} <= found.keys():
            return unknown("the identity was not read before or after")
        before, after = found["before"], found["after"]
        order = out_of_order(
            ("the look before", before.t),
            *way_back(record),
            ("the look after", after.t),
        )
        told, differs = [], []
        for part in PARTS[name]:
            was, is_now = getattr(before, part), getattr(after, part)
            if not was:
                return unknown(f"before the backup no manager gave its {part}")
            told.append(f"{part}: {_brief(was)}")
            if was != is_now:
                differs.append(f"{part}: {_brief(was)}, then {_brief(is_now)}")
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
    title="A restored service reads its secret",
    expected="the earlier value in a container of the restored swarm",
    hint="The Raft log is encrypted: were certificates/ and its keys restored?",
)
def secret_readable(record: Record) -> Judgement:
    """Its SHA-256, computed in the container, against that of what was stored."""
    if unread := last(record, SecretUnread):
        return not_provable(unread.why)
    stored = need(record, Secret, "the secret was not stored, or not read again")
    seen = need(record, SecretRead, "the secret was not stored, or not read again")
    same = stored.digest == seen.digest is not None
    told = f"on {seen.node}: {str(seen.digest)[:12]}…"
    wrong = [] if same else [f"not {str(stored.digest)[:12]}…"]
    order = out_of_order(("its creation", stored.t), *way_back(record), ("its value", seen.t))
    return judged(told, wrong=wrong, missing=order)


@exercise.check(
    "data-complete",
    phases=DISASTER,
    title="All data that was acknowledged before the backup is restored",
    expected="numbers 1 to 200, each once, and no later number",
    hint="Was the volume copied while its container was stopped, and restored before it started?",
)
def data_complete(record: Record) -> Judgement:
    """The recovery point is the backup: what is lost is what came later."""
    found = need(record, Found, "nobody read the volume after the restore")
    numbers = found.numbers
    lost = [n for n in WRITTEN if n not in numbers]
    told = f"{len(numbers)} numbers, {len(lost)} of {len(WRITTEN)} lost"
    later = last(record, WrittenAfter)
    order = out_of_order(
        _the_backup(record),
        ("the writes after it", later.t if later and later.numbers else None),
        *way_back(record),
        ("the reading of the volume", found.t),
    )
    return judged(told, holds=numbers == tuple(WRITTEN), missing=order)


WRITTEN = range(1, 201)


@exercise.check(
    "new-machines-had-to-join",
    phases=DISASTER,
    title="Machines without their old disks rejoin only by `docker swarm join`",
    expected="no machine is a member before it joins with the restored swarm's token; then all are",
    hint="A certificate identifies a node, and is lost with its disk.",
)
def new_machines_had_to_join(record: Record) -> Judgement:
    """Judged by the members before the joins, and by the joins."""
    back = need(record, CameBack, "the members were not listed, or no machine joined")
    joined = need(record, Joined, "the members were not listed, or no machine joined")
    came, asked = back.nodes, joined.nodes
    told = f"rejoined by themselves: {', '.join(came) or 'none'}; joined: {', '.join(asked)}"
    home = need(record, Restore, "nothing was restored").node
    order = out_of_order(*way_back(record), ("who came back", back.t), ("the joins", joined.t))
    others = sorted(set(nodes_of(record)) - {home})
    return judged(told, holds=not came and sorted(asked) == others, missing=order)


@exercise.check(
    "whole-again",
    phases=(*DISASTER, *FORCED, *AUTOLOCK),
    title="The swarm has three managers and two workers again",
    expected="three managers reachable, two workers, all ready, one leader",
    hint="`docker node ls` on the restored manager: which node is missing? Which token did it use?",
)
def whole_again(record: Record) -> Judgement:
    """Judged on the last node list."""
    joined, home = last(record, Joined), last(record, Identity, when="after")
    judgement = whole(record, [*way_back(record), ("the joins", joined.t if joined else None)])
    ids = {row.id for sample in readings.node_samples(record)[-1:] for row in sample.nodes}
    if judgement.verdict == "pass" and not (home and home.node in ids):
        return unknown(f"{judgement.observed}; the restored manager, by its id, is not among them")
    return judgement


@exercise.check(
    "nothing-of-the-old",
    phases=DISASTER,
    title="No old node is left in the list",
    expected="only the restored manager has its old node id, and no machine is listed twice",
    hint="`docker node ls`: remove rows that are Down with `docker node rm --force ID`.",
)
def nothing_of_the_old(record: Record) -> Judgement:
    """Old rows would be counted, and scheduled on, for ever."""
    lists = [s for s in readings.node_samples(record) if s.nodes]
    home, joined = last(record, Restore), last(record, Joined)
    if not lists or home is None:
        return unknown("no nodes were listed, or nothing was restored")
    order = out_of_order(
        ("the first node list", lists[0].t),
        *way_back(record),
        ("the joins", joined.t if joined else None),
        ("the last node list", lists[-1].asked),
    )
    before, after = lists[0].nodes, lists[-1].nodes
    # An inventory may call its machines otherwise than they call themselves.
    old = {n.id: n.host_name or n.name for n in before}
    left = sorted(old[n.id] for n in after if n.id in old)
    names = [n.name for n in after]
    told = f"left: {', '.join(left) or 'none'}; listed: {', '.join(sorted(names))}"
    good = left == [home.node] and len(set(names)) == len(names)
    return judged(told, holds=good, early=order)


@exercise.measure(phases=DISASTER)
def recovery(record: Record) -> dict[str, float | int | None]:
    """Recovery time and point, and what the backup cost.

    `engine_stopped_s`: from the order to stop until the engine answers again, as the script
    measured it. `restore_s`: from the moment when the new machine is up until a leader answers.
    """
    answers, found, elsewhere = last(record, Answers), last(record, Found), last(record, Elsewhere)
    taken, carried, joined = last(record, Backup), last(record, Carried), last(record, Joined)
    facts = (taken.manifest if taken else None) or {}
    stopped = facts.get("engine_stopped_s")
    up = _new_machines(record)
    numbers = set(found.numbers) if found else None
    after = last(record, WrittenAfter)
    return {
        "engine_stopped_s": float(stopped) if stopped else None,
        "restore_s": round(answers.t - up, 2) if answers and up is not None else None,
        "whole_again_s": round(_settled(record) - up, 2)
        if joined and up is not None and _settled(record)
        else None,
        "data_lost": None if numbers is None else len(set(WRITTEN) - numbers),
        "written_after_backup": len(after.numbers) if after else None,
        "backup_bytes": elsewhere.bytes if elsewhere else carried.bytes if carried else None,
    }


def _settled(record: Record) -> float:
    """When, after the joins, every node was first waited for with success; 0 if never."""
    joined = last(record, Joined)
    waits = each(record, Waited, outcome="done")
    return next(
        (
            over.t
            for over in waits
            if joined and over.t > joined.t and "every node" in over.condition
        ),
        0,
    )


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_brief(each)}" for key, each in value.items())[:160]
    if isinstance(value, list):
        return _brief(value[0]) if value else "none"
    return str(value)[:40]
