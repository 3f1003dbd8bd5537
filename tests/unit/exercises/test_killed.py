"""A run over somebody's machines is killed (SIGKILL) at each of its commands in turn, or one fails.

Of a killed run nothing is done from then on. The timers that are still set go off one after the
other, whatever else happens there, and the machines are what they were.
"""

from __future__ import annotations

import base64
import functools
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab.errors import CommandError, NotConverged, ProviderError, SwarmlabError
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.survey.seen import Given
from pytest_swarmlab.swarm import changes, guard
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.services import Service, Services
from pytest_swarmlab.swarm.stacks import Stacks
from tests.exercises import nfs, own_disk, stack_on_nfs, volumes
from tests.exercises.exercise_2_4 import rexray
from tests.exercises.exercise_2_6 import perform as secrets
from tests.exercises.exercise_2_6 import search, setting
from tests.exercises.exercise_2_8 import perform as backups
from tests.exercises.exercise_2_9 import drill as healing
from tests.exercises.exercise_2_9.perform import INDEX, MISSING
from tests.exercises.monitoring import prepare
from tests.exercises.submission import installed, restored, stored, switched, theirs
from tests.unit.fakes import Engine, Lab

ILL_CHECK = f"curl -f {MISSING} || exit 1"


class Killed(BaseException):
    """The process is no more."""


Failure = Callable[["Owners", str, tuple[str, ...]], tuple[int, str, str]]
"""How a command on a node ends that fails."""


PROGRAM = """#!/bin/sh
{ printf '%s\\037' "${0##*/}" "$@"; [ "$2" != --interactive ] || cat; printf '\\036'; } >>"$SAID"
case "${0##*/} $1" in
"docker service") [ "$2" != inspect ] || echo "$CHECKED" ;;
"systemctl show") . "$UNIT"; eval "printf '%s\\n' \\"\\$${2#--property=}\\"" ;;
"systemctl stop") echo ActiveState=inactive >>"$UNIT" ;;
"docker ps") echo c0ffee ;;
esac
"""
"""What timers call: it notes its words and its input, and tells what they ask for."""


COMMANDS = (
    "docker", "exportfs", "rm", "rmdir", "sed", "systemctl", "timeout", "umount", "xargs",
)  # fmt: skip
ENGINES = "/var/lib/docker"
DIRECTORIES = ("/", "/srv", "/mnt")


class Owners:
    """Somebody's machines, as far as commands change them.

    `facts`: what an owner would miss, or find. `left`: how many commands are done yet before the
    run is killed, or before the one that fails as `fails` says; None: none. `clock`: seconds, of
    which only timers and waits know.
    """

    def __init__(
        self, directory: Path, left: int | None = None, fails: Failure | None = None
    ) -> None:
        directory.mkdir()
        self.directory = directory
        self.left, self.fails, self.done, self.clock = left, fails, 0, 0.0
        self.failed: tuple[str, ...] = ()
        self.facts: set[tuple[str, ...]] = set()
        self.timers: dict[str, tuple[float, int, str, str]] = {}
        self.lab = Lab(directory).settle()
        self.lab.machines.foreign = True
        self.lab.shell = self._asked
        self.lab.make_engine = lambda lab, name: TheirEngine(lab, name, self)
        for node in self.lab.swarm.nodes:
            node.put = self._put(node.name)  # type: ignore[method-assign, assignment]
            node.__dict__["host"] = SimpleNamespace(
                run=node.host.run,
                file=functools.partial(self._there, "file", node.name),
                mount_point=functools.partial(self._there, "mounted", node.name),
            )
        self.lab.info = {n.name: {"DockerRootDir": ENGINES} for n in self.lab.swarm.nodes}
        self.unit = Unit()

    def _put(self, node: str) -> Callable[[bytes, str], None]:
        def put(content: bytes, path: str) -> None:
            argv = ("tee", "--", path)
            self.lab.fed.append(content)
            if (ended := self._asked(node, argv))[0]:
                raise CommandError(node, argv, *ended)

        return put

    def _there(self, kind: str, node: str, path: str) -> Any:
        there = (kind, node, path) in self.facts
        return SimpleNamespace(exists=there or path in DIRECTORIES)

    def wait(self, condition: Any, *, within: float) -> Any:
        """As slow as may be. A unit's end is looked for; all else is as it should be."""
        self.clock += within
        if isinstance(condition, installed.UnitEnded):
            while not hasattr(found := condition(), "value"):
                pass
            return found.value
        task = SimpleNamespace(node="worker1", container="c0ffee")
        return [SimpleNamespace(**vars(task), id="t")] if "runs" in condition.name else None

    def _asked(self, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if self.left == self.done:
            if self.fails is None:
                raise Killed
            self.done += 1
            self.failed = argv
            return self.fails(self, node, argv)
        self.done += 1
        return self.did(node, argv)

    def undo(self) -> None:
        """The timers go off, each at its time."""
        for due, _, node, script in sorted(self.timers.values()):
            self.clock = due
            for said in self._said(script):
                if said[:2] != ("systemctl", "show"):  # It was answered.
                    self.did(node, said)

    def _said(self, script: str) -> Iterator[tuple[str, ...]]:
        """What a real shell makes of that line."""
        programs, said, unit = (self.directory / name for name in ("bin", "said", "unit"))
        if not programs.exists():
            programs.mkdir()
            for name in COMMANDS:
                (programs / name).write_text(PROGRAM, encoding="utf-8")
                (programs / name).chmod(0o755)
            for name in ("sh", "cat", "grep"):
                (programs / name).symlink_to(shutil.which(name) or name)
        said.write_bytes(b"")
        unit.write_text(self.unit.shown(), encoding="utf-8")
        subprocess.run(
            ["sh", "-c", script],
            env={
                # Nothing else: it is written for somebody's machine, not for this one.
                "PATH": str(programs), "SAID": str(said), "UNIT": str(unit),
                "CHECKED": self.checked(),
            },
            stdout=subprocess.DEVNULL, check=False,
        )  # fmt: skip
        for record in said.read_text(encoding="utf-8").split("\036")[:-1]:
            *words, fed = record.split("\037")
            self.lab.fed.append(fed.encode())
            yield tuple(words)

    def did(self, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        """How a command ends, and what becomes of the machines."""
        match argv:
            case ("systemd-run", unit, after, *_, script):
                due = self.clock + float(after.partition("=")[2])
                self.timers[unit.partition("=")[2]] = (due, len(self.timers), node, script)
            case ("systemctl", "stop", timer) if timer.startswith("swarmlab-mend-"):
                if not self.timers.pop(timer.removesuffix(".timer"), None):
                    return guard.NOT_LOADED, "", f"Unit {timer} not loaded."
            case ("systemctl", *words):
                return self._of_systemd(node, words)
            case ("kill", "-9", _):
                self.facts.add(("stopped", node, "docker.service"))
            case ("docker", kind, "create", *words):
                return self._made(node, kind, words)
            case ("docker", _, "rm", *_) | ("docker", "stack", "deploy", *_):
                return self._of_objects(node, argv)
            case ("docker", "service" | "node", *_):
                self._changed(argv)
            case ("timeout", _, *words) if "update" in words:
                self._changed(tuple(words))
            case ("docker", "exec", *_, line) if line == f"rm {INDEX}":
                self.facts.add(("ill", "site"))
            case ("docker" | "timeout", *words) if "exec" in words:
                return self._in_container(node, argv)
            case ("mkdir", path) if ("file", node, path) in self.facts:
                return 1, "", f"{path} already exists"
            case ("tee", "--", (nfs.EXPORTS | nfs.FSTAB) as path):
                shared = nfs.SHARE.encode() in self.lab.fed[-1]
                (self.facts.add if shared else self.facts.discard)(("shared", node, path))
            case ("sed", "-i", _, path):
                self.facts.discard(("shared", node, path))
            case ("mkdir", *_, path) | ("tee", "--", path):
                self.facts.add(("file", node, path))
            case ("mount", path):
                self.facts.add(("mounted", node, path))
            case ("umount", *_, path):
                self.facts.discard(("mounted", node, path))
            case ("rmdir", *_, path):
                self.facts.discard(("file", node, path))
            case ("cat", "--", "/proc/mounts"):
                return 0, "server:/data /data nfs4 rw 0 0", ""
            case ("test", "!", "-e", path):
                return int(("file", node, path) in self.facts), "", ""
            case ("rm" | "timeout", *words):
                for path in words:
                    within = ("file", node, f"{path}/")
                    self.facts = {f for f in self.facts if not _is_in(f, within)}
            case ("sh", "-c", line) if made := re.search(r"secret create (\S+)", line):
                return self._made(node, "secret", [made[1], "-"])
        return 0, "", ""

    def _of_systemd(self, node: str, words: list[str]) -> tuple[int, str, str]:
        match words:
            case ("show", *asked):
                return 0, self.unit.look() if len(asked) > 2 else "4711", ""
            case ("start", "--no-block", _):
                self.unit.begin()
                self.facts.add(("stopped", node, "docker.service"))
            case ("stop", installed_unit) if "backup" in installed_unit:
                self.unit.end()
            case ("stop", *units):
                self.facts.update(("stopped", node, unit) for unit in units)
            case ("mask", "--runtime", unit):
                self.facts.add(("masked", node, unit))
            case ("unmask", "--runtime", unit):
                self.facts.discard(("masked", node, unit))
            case ("enable", "--now", unit):
                self.facts.add(("enabled", node, unit))
            case ("disable", "--now", unit):
                self.facts.discard(("enabled", node, unit))
            case ("start" | "restart", *units):
                self.facts -= {("stopped", node, unit) for unit in units}
        return 0, "", ""

    def _made(self, node: str, kind: str, words: list[str]) -> tuple[int, str, str]:
        name = words[words.index("--name") + 1] if "--name" in words else words[-1]
        name = words[-2] if name in {"-", secrets.FILE} else name
        fact = (kind, node, name) if kind == "volume" else (kind, name)
        if fact in self.facts:
            return 1, "", f"{name} already exists"
        self.facts.add(fact)
        used = [word.rpartition("=")[2] for word in words] if kind == "service" else []
        self.facts |= {("given", name, of) for of in used if ("secret", of) in self.facts}
        return 0, "", ""

    def _of_objects(self, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        _, kind, act, *words = argv
        if act == "deploy":
            self.facts.add(("stack", words[-1]))
            return 0, "", ""
        code = 0
        for name in [word for word in words if not word.startswith("--")]:
            if kind in {"secret", "config"} and name in {f[2] for f in self.given()}:
                code = 1  # It is in use.
                continue
            if kind in {"service", "secret", "config"} and (kind, name) not in self.facts:
                code = 1  # There is none.
            self.facts -= {(kind, name), (kind, node, name)}
            if kind in {"service", "stack"}:
                self.facts = {f for f in self.facts if f[:2] != ("given", name)}
            if kind == "stack":
                self.facts = {f for f in self.facts if not f[-1].startswith(f"{name}_")}
        return code, "", ""

    def given(self) -> set[tuple[str, ...]]:
        """Who is given which secret or config."""
        return {fact for fact in self.facts if fact[0] == "given"}

    def checked(self) -> str:
        """The health check of their site's definition."""
        return next((fact[2] for fact in self.facts if fact[:2] == ("check", "site")), "")

    def _changed(self, argv: tuple[str, ...]) -> None:
        *_, name = argv
        pairs = dict(pairwise(argv))
        if check := pairs.get("--health-cmd"):
            self.facts ^= {("check", name, ILL_CHECK), ("check", name, "curl -f /")}
            assert ("check", name, check) in self.facts
        if "--force" in argv:
            self.facts.discard(("ill", name))
        match argv[1:3]:
            case ("service", "scale"):
                name, _, replicas = name.partition("=")
                self.facts = {f for f in self.facts if f[:2] != ("replicas", name)}
                self.facts.add(("replicas", name, replicas))
            case ("service", "rollback"):
                # Also back to what the owner had before his own latest update.
                here = ("check", name, ILL_CHECK) in self.facts
                self.facts = {f for f in self.facts if f[:2] != ("check", name)}
                self.facts.add(("check", name, "curl -f /" if here else "of last year"))
            case ("service", "update"):
                self.facts.discard(("constraint", name, pairs.get("--constraint-rm", "")))
                if added := pairs.get("--constraint-add"):
                    self.facts.add(("constraint", name, added))
                if added := pairs.get("--config-add"):
                    self.facts.discard(("given", name, pairs["--config-rm"]))
                    self.facts.add(("given", name, added.partition("source=")[2].split(",")[0]))
            case ("node", "demote"):
                self.facts.add(("demoted", name))
            case ("node", "promote"):
                self.facts.discard(("demoted", name))
            case ("node", "update"):
                self.facts = {f for f in self.facts if f[:2] != ("label", name)}
                if added := pairs.get("--label-add"):
                    self.facts.add(("label", name, added))

    def _in_container(self, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        match argv:
            case ("docker", "exec", *_, "c0ffee", "tee" | "dd", written):
                self.facts.add(("file", node, written.removeprefix("of=")))
            case ("docker", "exec", *_, "rm", "-f", path):
                self.facts.discard(("file", node, path))
        said = self.lab.fed[-1] if self.lab.fed else b""
        if "--interactive" in argv and b"CREATE" in said:
            self.facts.add(("rows",))
        if "--interactive" in argv and b"DROP" in said:
            self.facts.discard(("rows",))
        return 0, "sum file", ""


def _is_in(fact: tuple[str, ...], directory: tuple[str, ...]) -> bool:
    """Whether it is of that file, or of one in that directory."""
    return fact[:2] == directory[:2] and f"{fact[-1]}/".startswith(directory[-1])


class Containers:
    """None are listed. Each has the same mount."""

    def __call__(self, **_: Any) -> list[Any]:
        return []

    def get(self, _: str) -> Any:
        return SimpleNamespace(attrs={"Mounts": [{"Destination": "/data", "Source": "/data"}]})


class TheirEngine(Engine):
    """Lists what is there."""

    containers: Any = Containers()

    def __init__(self, lab: Lab, node: str, owners: Owners) -> None:
        super().__init__(lab, node)
        self._owners = owners

    def _listed(self, kind: str) -> list[dict[str, Any]]:
        # The stack's own services are none of those that a service is told from.
        return [{"Spec": {"Name": f[1]}} for f in sorted(self._owners.facts) if f[0] == kind]

    def secrets(self, filters: Any = None) -> Any:
        return self._listed("secret") if filters and "name" in filters else []

    def configs(self, filters: Any = None) -> Any:
        return self._listed("config") if filters and "name" in filters else []

    def services(self, filters: Any = None) -> Any:
        return self._listed("service") if filters and "name" in filters else []

    def inspect_config(self, _: str) -> Any:
        return {"Spec": {"Data": base64.b64encode(b"server { }").decode()}}

    def inspect_service(self, name: str) -> Any:
        given = [{"ConfigName": f[2]} for f in self._owners.given() if f[1] == name]
        container = {"Configs": given, "Healthcheck": {"Test": [self._owners.checked()]}}
        spec = {"TaskTemplate": {"ContainerSpec": container}}
        return {"Spec": spec, "UpdateStatus": {"State": "completed", "Message": ""}}


class Unit:
    """The owner's backup unit. It ends when it has been looked at twice."""

    def __init__(self) -> None:
        self.state, self.exited, self.looks = "inactive", 7, 0

    def begin(self) -> None:
        self.state = "activating"

    def end(self) -> None:
        self.state, self.exited = "inactive", self.exited + 1

    def look(self) -> str:
        self.looks += self.state == "activating"
        if self.looks == 2:
            self.end()
        return f"{self.shown()}Result=success\nExecMainStatus=0\n"

    def shown(self) -> str:
        return f"ActiveState={self.state}\nExecMainExitTimestampMonotonic={self.exited}\n"


# -- what runs do to somebody's machines -----------------------------------------------------------


def of_fixtures(owners: Owners) -> None:
    """A service, the latest that there can be, uses what was made first."""
    swarm = owners.lab.swarm
    made, configs = Secrets(swarm), Configs(swarm)
    made.create("key", "open sesame, said nobody")
    configs.create("site", "a page")
    owners.clock += guard.LASTS_S - 60
    with Services.removed(swarm) as services:
        services.create("web", "--secret", "key", "nginx")
    configs.remove_all()
    made.remove_all()


def of_a_stack(owners: Owners) -> None:
    directory = owners.directory
    (directory / "a.yml").write_text("secrets: {s: {file: s.key}}\n", encoding="utf-8")
    (directory / "s.key").write_text("open sesame", encoding="utf-8")
    stacks = Stacks(owners.lab.swarm, directory)
    stacks.deploy("a.yml")
    stacks.remove_all()


def of_names_that_their_owner_has(owners: Owners) -> None:
    """What is refused is not removed by a timer that was set for it."""
    swarm = owners.lab.swarm
    for make in (
        lambda: Secrets(swarm).create("theirs", "open sesame, said nobody"),
        lambda: Configs(swarm).create("theirs", "a page"),
        lambda: Services(swarm).create("theirs", "nginx"),
        lambda: nfs.directory(owners.lab["manager1"], "/srv/theirs").__enter__(),
        lambda: secrets.created_from_file(swarm).__enter__(),
        lambda: secrets.created_from_variable(swarm).__enter__(),
    ):
        with pytest.raises((CommandError, ProviderError), match="already"):
            make()


def of_faults(owners: Owners) -> None:
    lab, faults = owners.lab, Faults(owners.lab.swarm)
    for fault in (
        faults.stop_engine(lab["worker1"]),
        faults.kill_engine(lab["worker1"]),
        faults.stop_units(lab["worker1"], "nfs-server", undoes=guard.Undoes.OUTAGE),
        faults.demote(lab["manager2"], via=lab["manager1"]),
    ):
        with fault:
            pass


def of_volumes_and_directories(owners: Owners) -> None:
    lab = owners.lab
    with nfs.directory(lab["manager1"], "/srv/d"), volumes.named("d", [lab["worker1"]]):
        lab["worker1"].run("docker", "volume", "create", "d")


def of_secrets_made_by_the_labs_commands(owners: Owners) -> None:
    swarm = owners.lab.swarm
    with secrets.created_from_file(swarm), secrets.created_from_variable(swarm):
        pass


def of_labels(owners: Owners) -> None:
    swarm = owners.lab.swarm
    with stack_on_nfs.labelled(swarm, swarm.workers()):
        pass


def of_the_monitoring(owners: Owners) -> None:
    wait: Any = owners.wait
    swarm = owners.lab.swarm
    with prepare.prepared(swarm, swarm.nodes[-1], wait):
        pass


def of_a_scaled_service(owners: Owners) -> None:
    web = Service(owners.lab.swarm, "web")
    with theirs.as_many_again(web, 3):
        web.scale(5)


def of_another_configuration(owners: Owners) -> None:
    """Where every wait takes as long as it may."""
    service = Service(owners.lab.swarm, "proxy")
    mine = switched.Switched(service, 1, 8080, Given("site", "/etc/nginx/nginx.conf"))
    traffic = SimpleNamespace(asked=0, asked_at_least=lambda _: SimpleNamespace(name="asked"))
    evidence: Any = SimpleNamespace(write=lambda _: None)
    wait: Any = owners.wait

    def pretended(*_: Any, **__: Any) -> Any:
        return nullcontext(traffic)

    switched.switch(
        mine, configs=Configs(owners.lab.swarm), wait=wait, probe=pretended, observe=pretended,
        evidence=evidence,
    )  # fmt: skip


def of_ill_tasks(owners: Owners) -> None:
    """Which Swarm replaces, or not; then they are renewed."""
    site = Service(owners.lab.swarm, "site")
    wait: Any = owners.wait
    probe: Any = None
    evidence: Any = owners.lab.recorder
    task: Any = SimpleNamespace(id="t", slot=1, node="worker1", container="c0ffee")
    for replaced in (True, False):
        drill = healing.Drill(owners.lab.swarm, wait, probe, evidence)
        with suppress(NotConverged), theirs.renewed_if_in_vain(site, drill):
            drill.break_one(1, task)
            if not replaced:
                raise NotConverged("replaced", node=None, elapsed=1.0, last="not")
            owners.facts.discard(("ill", "site"))


def of_a_bad_update(owners: Owners) -> None:
    """Which their definition takes back, or not; and one that is never come to."""
    site = Service(owners.lab.swarm, "site")
    for what in ("taken back", "in vain", "never begun", "interrupted"):
        with suppress(NotConverged, KeyboardInterrupt), theirs.taken_back_if_in_vain(site):
            if what == "never begun":
                raise NotConverged("whole", node=None, elapsed=1.0, last="2 of 3")
            theirs.ill_update(site)
            if what == "interrupted":
                raise KeyboardInterrupt
            if what == "in vain":
                raise NotConverged("rolled back", node=None, elapsed=1.0, last="paused")
            owners.facts = set(THEIRS[of_a_bad_update])


def of_rows_in_their_database(owners: Owners) -> None:
    wait: Any = owners.wait
    with stored._rows(moved(owners), owners.lab["worker1"], "c0ffee", wait):
        pass


def of_a_database_that_is_sent_elsewhere(owners: Owners) -> None:
    wait: Any = owners.wait
    evidence: Any = SimpleNamespace(write=lambda _: None)
    stored._send(moved(owners), owners.lab["worker1"], wait, evidence, None)


def moved(owners: Owners) -> stored.Moved:
    work: Any = None
    service = Service(owners.lab.swarm, "db")
    fitting = ("worker1", "worker2")
    return stored.Moved(
        work, service, "/data", "nfs-volume", fitting, stored.SERVERS["mysql"], None
    )


def of_a_proof_in_their_database(owners: Owners) -> None:
    wait: Any = owners.wait
    none: Any = None
    evidence: Any = SimpleNamespace(write=lambda _: None)
    stored.follow_the_database(
        moved(owners), faults=none, wait=wait, ledger=none, evidence=evidence
    )


def of_an_export(owners: Owners) -> None:
    with nfs.exported(owners.lab["manager1"]):
        pass


def of_mounts(owners: Owners) -> None:
    with nfs.mounted(owners.lab["manager1"], [owners.lab["worker1"]]):
        pass


def of_a_search(owners: Owners) -> None:
    searched(owners, search.look_for_the_plaintext, "ours")


def of_a_look_around(owners: Owners) -> None:
    searched(owners, search.look_around, "c0ffee")


def searched(owners: Owners, look: Callable[..., None], container: str) -> None:
    swarm = owners.lab.swarm
    swarm.nodes = swarm.nodes[:1]  # One command after the other.
    evidence = SimpleNamespace(write=lambda _: None)
    look(swarm, container, swarm.nodes[0], b"canary", evidence=evidence)


def of_their_backup(owners: Owners) -> None:
    """Their unit takes it, and a volume of ours is in it."""
    home, wait = owners.lab["manager2"], owners.wait
    listed = owners.did

    def without_volume(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        there = ("volume", node, restored.VOLUME) in owners.facts
        return (int(not there), "", "") if "inspect" in argv else listed(node, argv)

    owners.did = without_volume  # type: ignore[method-assign]
    waiter: Any = wait
    with installed.numbered_volume(home) as numbers:
        restored.append(home, numbers, [1])
        installed.have_it_taken(home, "swarm-backup.service", owners.lab.recorder, waiter)
        restored.append(home, numbers, [2])


THEIRS: dict[Callable[[Owners], None], set[tuple[str, ...]]] = {
    of_fixtures: set(),
    of_a_stack: set(),
    of_names_that_their_owner_has: {
        ("secret", "theirs"), ("config", "theirs"), ("service", "theirs"),
        ("file", "manager1", "/srv/theirs"), ("file", "manager1", secrets.FILE),
        ("secret", setting.FROM_VARIABLE),
    },
    of_faults: set(),
    of_volumes_and_directories: set(),
    of_secrets_made_by_the_labs_commands: set(),
    of_labels: set(),
    of_the_monitoring: set(),
    of_a_scaled_service: {("replicas", "web", "3")},
    of_another_configuration: {("config", "site"), ("given", "proxy", "site")},
    of_ill_tasks: set(),
    of_a_bad_update: {("check", "site", "curl -f /")},
    of_rows_in_their_database: set(),
    of_a_database_that_is_sent_elsewhere: {("constraint", "db", "node.labels.disk==ssd")},
    of_a_proof_in_their_database: {("constraint", "db", "node.labels.disk==ssd")},
    of_an_export: {("stopped", "manager1", unit) for unit in (nfs.SERVER, *nfs.COMPANIONS)},
    of_mounts: set(),
    of_a_search: set(),
    of_a_look_around: set(),
    of_their_backup: set(),
}  # fmt: skip
"""What is done there → what was there before."""


@contextmanager
def owned(
    directory: Path,
    scenario: Callable[[Owners], None],
    left: int | None = None,
    fails: Failure | None = None,
    *,
    foreign: bool = True,
) -> Iterator[Owners]:
    owners = Owners(directory, left, fails)
    owners.lab.machines.foreign = foreign
    owners.facts = set((THEIRS if foreign else OURS)[scenario])
    yield owners
    owners.lab.recorder.close()


def killed_at_each(directory: Path, scenario: Callable[[Owners], None]) -> Iterator[Owners]:
    """The machines, as a run that was killed has left them."""
    with owned(directory / "whole", scenario) as whole:
        scenario(whole)
        assert whole.facts == THEIRS[scenario]
        assert whole.timers == {}
    assert whole.done > 2
    for left in range(whole.done):
        with owned(directory / str(left), scenario, left) as owners:
            with pytest.raises(Killed):
                scenario(owners)
            yield owners


@pytest.mark.parametrize("scenario", THEIRS, ids=lambda scenario: scenario.__name__)
def test_whenever_a_run_is_killed_its_timers_leave_all_as_it_was(
    tmp_path: Path, scenario: Callable[[Owners], None]
) -> None:
    for owners in killed_at_each(tmp_path, scenario):
        owners.undo()
        assert owners.facts == THEIRS[scenario], shlex.join(owners.lab.did[owners.done])


def is_refused(owners: Owners, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
    del owners
    return 1, "", f"{node} refuses {argv[0]}"


def is_not_heard(owners: Owners, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
    del owners, node, argv
    return guard.UNREACHED, "", "no route to host"


def gets_no_answer(owners: Owners, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
    """The machine is lost when it has done it."""
    owners.did(node, argv)
    return is_not_heard(owners, node, argv)


def is_interrupted(owners: Owners, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
    """Ctrl-C comes when it is done."""
    owners.did(node, argv)
    raise KeyboardInterrupt


def never_begins(owners: Owners, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
    """Ctrl-C comes before."""
    del owners, node, argv
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "fails", [is_refused, is_not_heard, gets_no_answer, is_interrupted, never_begins]
)
@pytest.mark.parametrize(
    "scenario",
    [each for each in THEIRS if each is not of_names_that_their_owner_has],
    ids=lambda each: each.__name__,
)
def test_whichever_command_fails_what_the_run_could_not_undo_its_timers_do(
    tmp_path: Path, scenario: Callable[[Owners], None], fails: Failure
) -> None:
    with owned(tmp_path / "whole", scenario) as whole:
        scenario(whole)
    for left in range(whole.done):
        with owned(tmp_path / str(left), scenario, left, fails) as owners:
            with suppress(SwarmlabError, KeyboardInterrupt):
                scenario(owners)
            owners.undo()
            assert owners.facts == THEIRS[scenario], shlex.join(owners.failed)


def of_services_in_a_block(owners: Owners) -> None:
    with Services.removed(owners.lab.swarm) as services:
        first = services.create("first", "nginx")
        services.create("second", "nginx")
        services.let_go(first)


def of_what_fixtures_make(owners: Owners) -> None:
    swarm = owners.lab.swarm
    made, configs = Secrets(swarm), Configs(swarm)
    with ExitStack() as fixtures:
        fixtures.callback(made.remove_all)
        fixtures.callback(configs.remove_all)
        for name in ("one", "two"):
            made.create(name, "open sesame, said nobody")
            configs.create(name, "a page")
        made.remove("one")


def of_stacks_in_a_block(owners: Owners) -> None:
    wait: Any = owners.wait
    for name in ("a", "b"):
        (owners.directory / f"{name}.yml").write_text("services: {}\n", encoding="utf-8")
    stacks = Stacks(owners.lab.swarm, owners.directory)
    with ExitStack() as fixtures:
        fixtures.callback(stacks.remove_all)
        fixtures.enter_context(stack_on_nfs.removed_at_end(stacks, "a", owners.lab.swarm, wait))
        stacks.deploy("a.yml")
        stacks.deploy("b.yml")


def of_a_small_disk(owners: Owners) -> None:
    with own_disk.exported(owners.lab["manager1"], "/srv/small", subnet="192.168.56.0/24"):
        pass


def of_the_plugin(owners: Owners) -> None:
    swarm = owners.lab.swarm
    swarm.nodes = swarm.nodes[:1]  # One command after the other.
    with rexray.installed(swarm, swarm.nodes[0]):
        pass


def of_a_timer(owners: Owners) -> None:
    with backups.timer_set(owners.lab["manager1"]):
        pass


OURS: dict[Callable[[Owners], None], set[tuple[str, ...]]] = {
    **{each: THEIRS[each] for each in (
        of_volumes_and_directories, of_secrets_made_by_the_labs_commands, of_labels,
        of_the_monitoring, of_a_scaled_service, of_rows_in_their_database, of_an_export,
        of_mounts, of_a_search,
    )},
    of_services_in_a_block: set(),
    of_what_fixtures_make: set(),
    of_stacks_in_a_block: set(),
    of_a_small_disk: THEIRS[of_an_export],
    of_the_plugin: {*THEIRS[of_an_export], *(
        ("file", "manager1", path) for path in ("/etc/systemd/system", "/usr/local/bin")
    )},
    of_a_timer: set(),
}  # fmt: skip
"""What is done to machines of ours → what was there before. No timer undoes it there."""


@pytest.mark.parametrize("scenario", OURS, ids=lambda each: each.__name__)
def test_wherever_ctrl_c_comes_on_machines_of_ours_the_rest_is_undone(
    tmp_path: Path, scenario: Callable[[Owners], None]
) -> None:
    with owned(tmp_path / "whole", scenario, foreign=False) as whole:
        scenario(whole)
        assert whole.facts == OURS[scenario]
    for left in range(whole.done):
        with owned(tmp_path / str(left), scenario, left, is_interrupted, foreign=False) as owners:
            with suppress(SwarmlabError, KeyboardInterrupt):
                scenario(owners)
            assert owners.facts == OURS[scenario], shlex.join(owners.failed)


ENGINE = ("stopped", "manager2", "docker.service")


def hangs(owners: Owners) -> None:
    """It does not end."""


def ends_well(owners: Owners) -> None:
    owners.unit.end()
    owners.facts.discard(ENGINE)


def leaves_the_engine_stopped(owners: Owners) -> None:
    owners.unit.end()


@pytest.mark.parametrize("meanwhile", [hangs, ends_well, leaves_the_engine_stopped])
def test_whatever_becomes_of_a_killed_runs_backup_the_engine_runs_and_nothing_is_left(
    tmp_path: Path, meanwhile: Callable[[Owners], None]
) -> None:
    for owners in killed_at_each(tmp_path, of_their_backup):
        if owners.unit.state == "activating":
            meanwhile(owners)
        owners.undo()
        assert owners.facts == set()
        assert owners.unit.state == "inactive"


def test_a_backup_that_the_owners_timer_has_started_since_is_left_alone(tmp_path: Path) -> None:
    begun = 0
    for owners in killed_at_each(tmp_path, of_their_backup):
        if owners.unit.state == "activating":
            ends_well(owners)
            owners.unit.begin()
            owners.facts.add(ENGINE)
            begun += 1
            owners.undo()
            assert owners.unit.state == "activating"
            assert owners.facts == {ENGINE}
    assert begun


AMID = """
import json, sys
from pathlib import Path
from tests.unit.exercises import test_killed as here

def wait(condition, *, within):
    if isinstance(condition, here.installed.UnitEnded):
        print(json.dumps([owners.timers, sorted(owners.facts)]), flush=True)
        sys.stdin.read()
    return waited(condition, within=within)

owners = here.Owners(Path(sys.argv[1]))
waited, owners.wait = owners.wait, wait
here.of_their_backup(owners)
"""
"""A run whose backup is being taken; it tells how the machines are, and which timers they have."""


def test_a_process_that_is_killed_amid_the_backup_does_no_more_and_its_record_tells_what_it_did(
    tmp_path: Path,
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", AMID, str(tmp_path / "run")],
        cwd=Path(__file__).parents[3], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as run:  # fmt: skip
        assert run.stdout is not None
        timers, facts = json.loads(run.stdout.readline())
        run.kill()
        assert run.stdout.read() == ""
    owners = Owners(tmp_path / "machines")
    owners.timers = {unit: tuple(timer) for unit, timer in timers.items()}
    owners.facts = {tuple(fact) for fact in facts}
    owners.unit.begin()
    assert owners.facts == {ENGINE, ("volume", "manager2", restored.VOLUME)}
    owners.undo()
    assert owners.facts == set()
    owners.lab.recorder.close()
    changes_made = Record.load(tmp_path / "run" / "events.jsonl").of("change")
    told = {event.data["what"].partition(" --")[0]: event.data["undone"] for event in changes_made}
    assert told["systemctl start"] == changes.BACKUP
    assert told[f"docker volume create {restored.VOLUME}"] == changes.NUMBERS
