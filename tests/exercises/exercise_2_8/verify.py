"""What must be true of a backup and of what was restored from it, judged on the record alone."""

from collections.abc import Mapping
from typing import Any

from pytest_swarmlab import Exercise, failed, passed, unknown
from pytest_swarmlab.evidence import readings
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.model import Capability, Judgement

REPLACING = (Capability.CHANGE, Capability.REPLACE)
REFUSALS, TROUBLE, DISASTER = ("refusals",), ("trouble",), ("disaster",)

exercise = Exercise(
    "2.8",
    "Backup et restore du swarm",
    module=__name__,
    titles={
        "refusals": "Broken backups are offered to a manager that works",
        "trouble": "Backups that can't be taken",
        "disaster": "Every machine is destroyed; the swarm comes back",
    },
    needs={"disaster": REPLACING},
)

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
        if not e.data.get("untouched") or e.data.get("left")
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
    seen = record.last("refusal", case="verified")
    if seen is None:
        return unknown("it was not offered")
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
    return _whole(record)


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
    expected="exit code 8, nothing left on the disk, the engine answers again",
    hint="Does the script's trap start docker.service and docker.socket, and remove .partial-…?",
)
def full_disk(record: Record) -> Judgement:
    """The lab's script leaves the engine stopped when tar fails."""
    return _trouble(record, "disk-full", code=8, answers=True, left=[])


@exercise.check(
    "killed",
    phases=TROUBLE,
    title="kill -9 in the middle leaves no engine stopped and nothing that looks like a backup",
    expected="the unit ends by a signal, the engine is started again, no backup more than before",
    hint="`systemctl cat swarm-backup.service`: ExecStopPost must run `swarm-backup --mend`.",
)
def killed(record: Record) -> Judgement:
    """No trap runs in a process that was killed so."""
    return _trouble(record, "killed", code=137, answers=True, complete=False)


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
    mended = record.last("mended")
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
    taken, after = record.last("backup"), record.last("leader-after-backup")
    if taken is None or after is None:
        return unknown("no backup was taken, or nobody looked at the leader after it")
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
    return passed(told) if good else failed(told)


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
    if set(states) != set(fault.nodes) or len(states) != MANAGERS + WORKERS:
        return unknown(f"{told}; not every new machine was asked")
    return passed(told) if set(states.values()) == {"inactive"} else failed(told)


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
    return passed(f"{told}; {answers.data.get('node')} leads")


def _same(name: str, what: str) -> None:
    """Declare that a part of the swarm's identity is the same after the restore as before."""

    @exercise.check(
        f"same-{name}",
        phases=DISASTER,
        title=f"The same {what}",
        expected="equal before the backup and after the restore",
        hint="Was the whole of /var/lib/docker/swarm restored, and no new swarm made?",
    )
    def same(record: Record) -> Judgement:
        """Compared value by value, as the managers told them."""
        found = {e.data.get("when"): e.data for e in record.of("identity")}
        before, after = found.get("before", {}), found.get("after", {})
        told, differs = [], []
        for part in PARTS[name]:
            if not before.get(part):
                return unknown(f"before the backup nobody told its {part}")
            equal = before[part] == after.get(part)
            told.append(f"{part}: {_brief(before[part])}")
            if not equal:
                differs.append(f"{part}: {_brief(before[part])}, then {_brief(after.get(part))}")
        return failed("; ".join(differs)) if differs else passed("; ".join(told))


PARTS = {
    "swarm": ("swarm", "ca", "settings"),
    "node": ("node",),
    "secrets-and-configs": ("secrets", "configs"),
    "services": ("services", "networks"),
    "tokens": ("tokens",),
}
"""Check → what is compared for it."""

_same("swarm", "swarm: its id, its root certificate, its settings")
_same("node", "manager: its node id")
_same("secrets-and-configs", "secrets and configs, under the same ids")
_same("services", "services and networks: ids and specifications")
_same("tokens", "join tokens")


@exercise.check(
    "secret-readable",
    phases=DISASTER,
    title="A restored service still reads its secret",
    expected="in a container of the restored swarm, the value that was stored before",
    hint="The raft log is encrypted: were certificates/ and its keys restored with it?",
)
def secret_readable(record: Record) -> Judgement:
    """Its SHA-256, computed in the container, against that of what was stored."""
    stored, seen = record.last("secret"), record.last("read")
    if stored is None or seen is None:
        return unknown("the secret was not stored, or not read again")
    same = stored.data.get("digest") == seen.data.get("digest") is not None
    told = f"on {seen.data.get('node')}: {str(seen.data.get('digest'))[:12]}…"
    return passed(told) if same else failed(f"{told}, not {str(stored.data.get('digest'))[:12]}…")


@exercise.check(
    "data-complete",
    phases=DISASTER,
    title="Everything that was acknowledged before the backup is there",
    expected="numbers 1 to 200, each once; of what was written after the backup nothing",
    hint="Was the volume copied while its container was stopped, and restored before it started?",
)
def data_complete(record: Record) -> Judgement:
    """The recovery point is the backup: what is lost is what came later."""
    found = record.last("found")
    if found is None:
        return unknown("nobody read the volume after the restore")
    numbers = list(found.data.get("numbers") or ())
    lost = [n for n in WRITTEN if n not in numbers]
    told = f"{len(numbers)} numbers, {len(lost)} of {len(WRITTEN)} lost"
    return passed(told) if numbers == list(WRITTEN) else failed(told)


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
    back, joined = record.last("came-back"), record.last("joined")
    if back is None or joined is None:
        return unknown("nobody looked, or nobody joined")
    came, asked = back.data.get("nodes") or [], joined.data.get("nodes") or []
    told = f"by themselves: {', '.join(came) or 'none'}; joined: {', '.join(asked)}"
    return passed(told) if not came and len(asked) == MANAGERS + WORKERS - 1 else failed(told)


@exercise.check(
    "whole-again",
    phases=DISASTER,
    title="There are three managers and two workers again",
    expected="three managers reachable, two workers, all ready, one leader",
    hint="`docker node ls` on the restored manager: who is missing? Which token did it join with?",
)
def whole_again(record: Record) -> Judgement:
    """Judged on the last node list."""
    return _whole(record)


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
    home = record.last("restore")
    if not lists or home is None:
        return unknown("no nodes were listed, or nothing was restored")
    before, after = lists[0].nodes, lists[-1].nodes
    old = {n.id: n.name for n in before}
    left = sorted(old[n.id] for n in after if n.id in old)
    names = [n.name for n in after]
    told = f"left: {', '.join(left) or 'none'}; listed: {', '.join(sorted(names))}"
    good = left == [home.data.get("node")] and len(set(names)) == len(names)
    return passed(told) if good and lists[-1].t > home.t else failed(told)


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


def _whole(record: Record) -> Judgement:
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
    return passed(told) if good else failed(told)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_brief(each)}" for key, each in value.items())[:160]
    if isinstance(value, list):
        return _brief(value[0]) if value else "none"
    return str(value)[:40]
