"""What is looked at, tried and rolled, and what clients see meanwhile."""

import base64
import hashlib
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from docker.errors import APIError
from docker.types import ContainerSpec, SecretReference, ServiceMode, TaskTemplate

from pytest_swarmlab.clients.probe import SHOWN, Traffic, session
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm import guard
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.lifecycle import in_parallel
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Service, Stack, Stacks
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Waiter

from . import events, perform

Probe = Callable[..., Traffic]

READY_S = 90
ROLLED_S = 120
RATE, LOGIN_RATE, SLOW_RATE = 5.0, 2.5, 1.0
"""Requests a second, of the three kinds. A handshake costs the nodes' two cores some 20 ms, a login
at the database 100 ms: with eight of these a second nothing else got done."""
PATIENCE_S = 10.0
"""How long a visitor waits: containers that start take the cores to themselves for seconds."""
PAUSED_S = 2
"""How long the managers are given to pause an update whose task has failed: they do so at once."""
WARM_S = 2.0
"""Half as long visitors come, besides once through every node, before something is changed, and
after it: answers may come in another order than requests were sent."""

LOGS = ("/var/log", "/run/log")
LARGEST, TOO_LARGE = 511_999, 512_000
"""Bytes: what fits into a secret, and the engine's limit."""
LONGEST_NAME = 64
NAMES = {
    "64 characters": "n" * LONGEST_NAME,
    "65 characters": "n" * (LONGEST_NAME + 1),
    "dot, dash and underscore": "a.b-c_d",
    "underscore first": "_x",
    "dot last": "x.",
    "a space": "a b",
    "a slash": "a/b",
    "an accent": "é",
}
"""What is tried → the name."""
BAD = Path(__file__).parent / "bad"


# -- creating and mounting ----------------------------------------------------------------------


@contextmanager
def created(swarm: Swarm, secret: Secrets, evidence: Evidence) -> Iterator[dict[str, bytes]]:
    """The lab's three ways, and contents that are no simple text; name → value."""
    with (
        perform.created_from_file(swarm) as from_file,
        perform.created_from_variable(swarm) as from_variable,
    ):
        values = {
            perform.FROM_STRING: perform.create_from_string(secret),
            perform.FROM_FILE: from_file,
            perform.FROM_VARIABLE: from_variable,
            perform.ECHOED: secret.create(
                perform.ECHOED, secrets.token_urlsafe(18) + "\n", title="What the lab's echo makes"
            ),
            perform.SECOND: secret.create(perform.SECOND, title="The second version"),
            perform.BINARY: secret.create(perform.BINARY, secrets.token_bytes(LARGEST)),
            perform.UNICODE: secret.create(
                perform.UNICODE, f"pässwörd 密码 {secrets.token_hex(8)}"
            ),
            perform.CANARY: secret.create(perform.CANARY),
        }
        _note_what_is_told(swarm, values, evidence)
        yield values


def _note_what_is_told(swarm: Swarm, values: dict[str, bytes], evidence: Evidence) -> None:
    """List and inspect every secret in the client's ways, and ask the engine itself."""
    leader = swarm.leader()
    listed = leader.look("docker", "secret", "ls", title="The secrets are listed").stdout
    shown = leader.look("docker", "secret", "inspect", *values, title="… and inspected").stdout
    shown += leader.look("docker", "secret", "inspect", "--pretty", *values).stdout
    for name, value in values.items():
        spec = leader.engine.api.inspect_secret(name)["Spec"]
        said = f"{shown}{spec}".encode()
        evidence.write(
            events.Inspected(
                name,
                listed=name in listed.split(),
                has_data="Data" in spec,
                shows=any(form in said for form in _forms(value)),
            )
        )
    there = leader.look("test", "-e", perform.FILE, check=False).code == 0
    evidence.write(events.FileLeft(perform.FILE, there))


def _forms(value: bytes) -> tuple[bytes, ...]:
    return value.strip(), base64.b64encode(value)


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


def see_them_mounted(
    service: Service, on: Node, values: dict[str, bytes], *, wait: Waiter, evidence: Evidence
) -> None:
    """Every file, its place, owner, mode and content; who can read it, and that nobody can write.

    Then the lab's rotation as it stands, and as it must be.
    """
    container = container_of(service, on, wait)
    for name, value in values.items():
        evidence.write(events.Content(name, len(value), _digest(value)))
    _note_files(evidence, "first", on, container)
    _note_mounts(evidence, on, container)
    _note_reading(evidence, "root's", on, container)

    perform.rotate_literally(service)
    _note_files(evidence, "literal", on, container_of(service, on, wait, instead_of=container))

    last = container_of(service, on, wait)
    perform.rotate_at_its_place(service)
    container = container_of(service, on, wait, instead_of=last)
    _note_files(evidence, "mended", on, container)
    _note_reading(evidence, "the program's own", on, container)


def container_of(service: Service, on: Node, wait: Waiter, *, instead_of: str = "") -> str:
    """The container of its one task, once it runs; another than that one."""
    if instead_of:
        wait(service.updated(), within=READY_S)
    (task,) = wait(service.converged(replicas=1, on=on), within=READY_S)
    return task.container


def _note_files(evidence: Evidence, step: str, node: Node, container: str) -> None:
    places = ("/run/secrets", str(Path(perform.ABSOLUTE).parent))
    listed = node.look(
        "docker", "exec", "--user", "0", container,
        "find", *places, "-type", "f",
        "-printf", r"%p %m %U %G %s\n", "-exec", "sha256sum", "{}", "+",
        title=f"In the container: path, mode, uid, gid, bytes, and digests ({step})",
    ).stdout.splitlines()  # fmt: skip
    rows = [line.split() for line in listed if line.startswith("/")]
    digests = {line[66:]: line[:64] for line in listed if not line.startswith("/")}
    files = {
        path: events.File(mode, uid, gid, int(size), digests.get(path))
        for path, mode, uid, gid, size in rows
    }
    evidence.write(events.Files(step, files))


def _note_mounts(evidence: Evidence, node: Node, container: str) -> None:
    """What kind of file system each one lies on, and what becomes of writing to it as root."""
    path = f"/run/secrets/{perform.FROM_STRING}"
    mounts = [
        line.split()
        for line in node.look("docker", "exec", container, "cat", "/proc/mounts").stdout.split("\n")
        if "/run/secrets/" in line or perform.ABSOLUTE in line
    ]
    tried = node.run(
        "docker", "exec", "--user", "0", container, "truncate", "--size", "0", path,
        check=False, title="root in the container tries to write",
    )  # fmt: skip
    seen = {row[1]: events.Mount(row[2], "ro" in row[3].split(",")) for row in mounts}
    evidence.write(events.Mounts(seen, written=tried.code == 0, said=tried.stderr.strip()))


def _note_reading(evidence: Evidence, owner: str, node: Node, container: str) -> None:
    tried = node.look(
        "docker", "exec", container, "sha256sum", f"/run/secrets/{perform.TARGET}",
        check=False, title=f"The program's user reads a secret of mode 0400 that is {owner}",
    )  # fmt: skip
    digest = tried.stdout[:64] or None
    evidence.write(events.Reading(owner, tried.code, tried.stderr.strip(), digest))


# -- looking for the plaintext ------------------------------------------------------------------


def look_for_the_plaintext(
    swarm: Swarm,
    container: str,
    on: Node,
    canary: bytes,
    *,
    evidence: Evidence,
    besides: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> None:
    """Search every place where a secret must not be; a control lies in each, and must be found.

    The control is what shows that the search itself works: another random text, put on purpose
    into each of the places. `container`: of a task that has the secret, on that node. `besides`:
    directories that are searched on each node, and what they are called.
    """
    control = f"control-{secrets.token_hex(12)}".encode()
    long = on.look("docker", "inspect", "--format", "{{.Id}}", container).stdout.strip()
    layer = on.look(
        "docker", "inspect", "--format", "{{.GraphDriver.Data.UpperDir}}", container
    ).stdout.strip()
    for where in (f"/tmp/{control.decode()}", "/proc/1/fd/1"):
        on.run("docker", "exec", "--interactive", container, "tee", where, stdin=control + b"\n")

    def search(node: Node, what: str, *places: str) -> None:
        _search(evidence, node, what, places, canary, control)

    def search_node(node: Node) -> None:
        # Engines may keep theirs elsewhere (`data-root`).
        places = {"swarm directory": (f"{_data_root(node)}/swarm",), **besides}
        for what, directories in places.items():
            put = f"{directories[0]}/control"
            with guard.abandoned(node, ("rm", "-f", put), kind="control"):
                node.put(control, put)
                try:
                    search(node, what, *directories)
                finally:
                    node.run("rm", put)
        node.run("logger", "--tag", "swarmlab", control.decode())
        search(node, "logs", *LOGS)

    in_parallel(search_node, swarm.nodes)
    search(on, "container's layer", layer)
    files = f"{_data_root(on)}/containers/{long}"
    search(on, "container's files and log", files)
    _note_memory(evidence, on, f"{files}/mounts/secrets", canary)
    leader = swarm.leader()
    raft = f"{_data_root(leader)}/swarm/raft"
    leader.look("ls", "-lR", raft, title="Where a manager keeps them")
    _search_the_run(evidence, swarm.recorder.path.parent, canary, control)


def _search(
    evidence: Evidence,
    node: Node,
    what: str,
    places: Sequence[str],
    canary: bytes,
    control: bytes,
) -> None:
    """`grep` in all files of these places; what it looks for goes in on standard input."""
    forms = _forms(canary)
    found = node.look(
        # A line ends at a zero byte: a database is full of them.
        "grep", "--recursive", "--text", "--null-data", "--only-matching", "--no-filename",
        "--no-messages", "--fixed-strings", "--file=-", "--exclude-dir=mounts", *places,
        stdin=b"\n".join((*forms, control)) + b"\n", check=False,
        title=f"On {node}: is it in the {what}?",
    ).stdout.encode()  # fmt: skip
    evidence.write(
        events.Search(
            node.name,
            what,
            tuple(places),
            found=sum(found.count(form) for form in forms),
            control=found.count(control),
        )
    )


def _data_root(node: Node) -> str:
    return str(node.engine.info()["DockerRootDir"])


def _note_memory(evidence: Evidence, node: Node, place: str, canary: bytes) -> None:
    """The one place on that node where it is: what kind of file system it is."""
    kind = node.look("findmnt", "--noheadings", "--output", "FSTYPE", "--target", place).stdout
    found = node.look(
        "grep", "--recursive", "--text", "--fixed-strings", "--count", "--no-filename",
        "--file=-", place, stdin=canary + b"\n", check=False,
    ).stdout  # fmt: skip
    count = sum(int(line) for line in found.split())
    evidence.write(events.Memory(node.name, place, kind.strip(), count))


def _search_the_run(evidence: Evidence, directory: Path, canary: bytes, control: bytes) -> None:
    """What this run has written itself. The control is in its record: it is no secret."""
    files = [file.read_bytes() for file in directory.rglob("*") if file.is_file()]
    evidence.write(
        events.Search(
            "",
            "what the run wrote",
            (f"{len(files)} files",),
            found=sum(content.count(form) for content in files for form in _forms(canary)),
            control=sum(content.count(control) for content in files),
        )
    )


# -- what is refused ----------------------------------------------------------------------------


@dataclass
class Refusals:
    """Tries what the engine must refuse, and what it must not, and notes its words."""

    swarm: Swarm
    secret: Secrets
    evidence: Evidence

    def sizes(self) -> None:
        """0, 1, 511,999 and 512,000 bytes."""
        for size in (0, 1, LARGEST, TOO_LARGE):
            self._create(f"{size} bytes", f"size-{size}", secrets.token_bytes(size))

    def names(self) -> None:
        """As long as may be, one longer, and characters that it can't have."""
        for case, name in NAMES.items():
            self._create(case, name, secrets.token_bytes(8))

    def changes(self) -> None:
        """The same name again, another content, and labels, which may change."""
        self.secret.create("first")
        # No word of any language: what was a secret's value is hidden to the end of the run.
        value = secrets.token_bytes(8)
        self._create("duplicate", "first", value)
        self._update("immutable", "first", Data=base64.b64encode(value).decode())
        self._update("labels", "first", Labels={"owner": "lab"})

    def use(self) -> None:
        """One that services use, one that nobody has made, two at the same place."""
        self.secret.create("second")
        idle = ("--replicas", "0", perform.APP)
        with Service.created(self.swarm, "one", "--secret", "first", *idle):
            self._remove("in use by one", "first")
            with Service.created(self.swarm, "two", "--secret", "first", *idle):
                self._remove("in use by two", "first")
        self._service("unknown", "--secret", "never_created", *idle)
        same = [w for name in ("first", "second") for w in ("--secret", f"source={name},target=t")]
        self._service("conflicting targets", *same, *idle)
        self._conflict("first", "second")

    def undeclared(self, stack: Stacks) -> None:
        """The lab's stack file, which uses a secret and does not declare it."""
        try:
            stack.deploy(BAD / "undefined-secret.yml", title="The lab's stack file, literally")
        except CommandError as error:
            self._note("undeclared", error.code, error.stderr)
        else:
            self._note("undeclared", 0, "")

    def _create(self, case: str, name: str, value: bytes) -> None:
        try:
            self.secret.create(name, value, title=f"A secret: {case}")
        except CommandError as error:
            self._note(case, error.code, error.stderr)
        else:
            self._note(case, 0, "")

    def _remove(self, case: str, name: str) -> None:
        said = self.swarm.leader().run(
            "docker", "secret", "rm", name, check=False, title=f"A secret is removed: {case}"
        )
        self._note(case, said.code, said.stderr)

    def _service(self, case: str, *words: str) -> None:
        try:
            with Service.created(self.swarm, "refused", *words, title=f"A service: {case}"):
                self._note(case, 0, "")
        except CommandError as error:
            self._note(case, error.code, error.stderr)

    def _conflict(self, *names: str) -> None:
        """The same through the engine's API: the client sees it before it asks."""
        api = self.swarm.leader().engine.api
        same = [SecretReference(api.inspect_secret(n)["ID"], n, filename="t") for n in names]
        task = TaskTemplate(ContainerSpec(perform.APP, secrets=same))
        try:
            made = api.create_service(task, name="refused", mode=ServiceMode("replicated", 0))
        except APIError as error:
            self._note("conflicting targets, the engine", error.status_code or 1, brief(error))
        else:
            api.remove_service(made["ID"])
            self._note("conflicting targets, the engine", 0, "")

    def _update(self, case: str, name: str, **spec: object) -> None:
        """`POST /secrets/ID/update`: no command of the client's does that."""
        api = self.swarm.leader().engine.api
        seen = api.inspect_secret(name)
        answer = api.post(
            f"{api.base_url}/v{api.api_version}/secrets/{seen['ID']}/update",
            params={"version": seen["Version"]["Index"]},
            json={"Name": name, **spec},
        )
        said = answer.json()["message"] if answer.content else ""
        self._note(case, 0 if answer.ok else answer.status_code, said)

    def _note(self, case: str, code: int, said: str) -> None:
        """`said`: its last line counts; what is above it is the client's advice."""
        last = (said.strip().splitlines() or [""])[-1]
        self.evidence.write(events.Refusal(case, code, last))


# -- the application of three tiers -------------------------------------------------------------


@dataclass
class Tiers:
    """The application, its secrets, and those who use it."""

    swarm: Swarm
    secret: Secrets
    configs: Configs
    certificates: perform.Certificates
    wait: Waiter
    probe: Probe
    evidence: Evidence
    values: dict[str, bytes] = field(default_factory=dict)

    @property
    def stack(self) -> Stack:
        """The deployed stack."""
        return Stack(self.swarm, perform.NAME)

    def use(self) -> None:
        """Handshakes through every node, with the API's key and without, definitions."""
        self._whole()
        self._shake_hands("v1")
        self._use_key()
        for found in perform.definitions(self.swarm, self.values):
            self.evidence.write(found)
        self._listing("Deployed")

    def rotate_certificate(self) -> None:
        """Another certificate and key at the same places, while visitors come."""
        self.values |= perform.create_pair(self.secret, self.certificates, "v2")
        web = self.stack.service(perform.WEB)
        self.evidence.write(events.Certificates(self._fingerprint("v1"), self._fingerprint("v2")))
        with self._under_load("/health", RATE):
            perform.rotate_certificate(web)
            self.wait(web.updated(), within=ROLLED_S)
            self._whole()
        self._shake_hands("v2")
        for name in ("site_certificate_v1", "site_key_v1"):
            self.secret.remove(name)
        self._listing("The certificate is rotated")

    def rotate_password(self) -> None:
        """The next role gets the next password, the API is rolled, the old role is retired."""
        old = self.values["db_password_v1"]
        new = self.values["db_password_v2"] = self.secret.create(
            "db_password_v2", title="The next password is created"
        )
        self.configs.create(
            perform.NEW_USER, perform.NEW_ROLE.encode(), title="… and whose it is: the next role"
        )
        api = self.stack.service(perform.API)
        database = perform.database(self.swarm, self.stack, self.wait)
        self._log_in("before", perform.OLD_ROLE, "old", old)
        with self._under_load("/ready", LOGIN_RATE):
            perform.create_new_role(*database, new)
            perform.rotate_password(api, "The API is rolled: new secret, same place")
            self.wait(api.updated(), within=ROLLED_S)
            # What was replaced goes on answering until every proxy knows, as the old role.
            self.wait(api.settled(), within=READY_S)
            self._note_users()
            perform.retire_old_role(*database)
        self._log_in("after", perform.OLD_ROLE, "old", old)
        self._log_in("after", perform.NEW_ROLE, "old", old)
        self._log_in("after", perform.NEW_ROLE, "new", new)
        self.secret.remove("db_password_v1")
        listed = self.swarm.leader().look("docker", "secret", "ls", title="The old one is gone")
        self.evidence.write(events.Removed("db_password_v1" not in listed.stdout.split()))
        self._listing("The database's password is rotated")

    def roll_back(self) -> None:
        """Back to the version before, whose secret is gone; then forward again."""
        api = self.stack.service(perform.API)
        with self._under_load("/ready", LOGIN_RATE):
            self.evidence.tasks(self.swarm, api.name)
            said = perform.roll_back(api)
            self.evidence.write(events.Rollback(said.code, said.stderr.strip()))
            task = self.wait(api.task_failed(), within=READY_S)
            self.evidence.write(events.FailedTask(task.state, task.error))
            self.wait(api.watched(for_s=PAUSED_S), within=READY_S)
            self._note_update("rolled back")
            self.evidence.tasks(self.swarm, api.name)
            self._listing("Rolled back")
            # To the version that was left: its replicas never ceased to run, and suit it.
            perform.rotate_password(api, "Forward again: the secret that is there")
            self.wait(api.updated(), within=ROLLED_S)
            self._whole()
            self._note_update("forward again")
        self._note_users()

    def _note_update(self, when: str) -> None:
        seen = self.swarm.leader().engine.api.inspect_service(f"{perform.NAME}_{perform.API}")
        status = seen.get("UpdateStatus") or {}
        self.evidence.write(events.Update(when, status.get("State"), status.get("Message")))

    @contextmanager
    def _under_load(self, path: str, rate: float) -> Iterator[None]:
        """Visitors come through every node; some of them with requests that take a second."""
        how = {
            "via": self.swarm.nodes,
            "port": perform.PORT,
            "ca": self.certificates.ca,
            "timeout": PATIENCE_S,
        }
        with (
            self.probe(**how, path=path, rate=rate) as visitors,
            self.probe(**how, path="/slow", rate=SLOW_RATE),
        ):
            enough = len(self.swarm.nodes) + int(rate * WARM_S) // 2
            self.wait(visitors.asked_at_least(enough), within=READY_S)
            self.evidence.write(events.Begun())
            yield
            self.evidence.write(events.Ended())
            self.wait(visitors.asked_at_least(visitors.asked + enough), within=READY_S)

    def _whole(self) -> None:
        for name, replicas in ((perform.DB, 1), (perform.API, 2), (perform.WEB, 2)):
            service = self.stack.service(name)
            self.wait(service.converged(replicas=replicas), within=READY_S)
            self.evidence.tasks(self.swarm, service.name)
        self.wait(self.swarm.mesh_lists(perform.REPLICAS), within=READY_S)
        # Each web server leads to each API in turn, and an API is ready with its database.
        pairs = Serves(
            self.swarm, replicas=4, port=perform.PORT, path="/ready", ca=self.certificates.ca
        )
        self.wait(pairs, within=READY_S)

    def _fingerprint(self, version: str) -> str:
        return _digest(perform.der(self.values[f"site_certificate_{version}"]))

    def _shake_hands(self, version: str) -> None:
        """One handshake through every node; the certificate is noted, and which it should be."""
        with session(self.swarm.nodes, ca=self.certificates.ca) as visitor:
            for node in self.swarm.nodes:
                SHOWN.certificate = None
                answer = visitor.get(f"https://{node}:{perform.PORT}/ready", timeout=PATIENCE_S)
                shown, expected = SHOWN.certificate, self._fingerprint(version)
                self.evidence.write(
                    events.Handshake(node.name, answer.status_code, shown, expected)
                )

    def _use_key(self) -> None:
        right = self.values[perform.KEY].decode()
        keys = {"none": {}, "wrong": {"X-API-Key": right[::-1]}, "right": {"X-API-Key": right}}
        for key, headers in keys.items():
            status, user, items = self._items(self.swarm.nodes[0], headers)
            self.evidence.write(events.Asked(key, status, user, items))

    def _note_users(self) -> None:
        """As whom the API comes to the database, asked through every node."""
        key = {"X-API-Key": self.values[perform.KEY].decode()}
        for node in self.swarm.nodes:
            status, user, items = self._items(node, key)
            self.evidence.write(events.User(node.name, status, user, items))

    def _items(self, node: Node, headers: dict[str, str]) -> tuple[int, str | None, int | None]:
        with session(self.swarm.nodes, ca=self.certificates.ca) as client:
            url = f"https://{node}:{perform.PORT}/items"
            answer = client.get(url, headers=headers, timeout=PATIENCE_S)
        body = answer.json() if answer.ok else {}
        return answer.status_code, body.get("user"), body.get("items")

    def _log_in(self, when: str, role: str, which: str, password: bytes) -> None:
        api = self.stack.service(perform.API)
        tasks = self.wait(api.converged(replicas=perform.REPLICAS), within=READY_S)
        node = self.swarm.node(tasks[0].node)
        said = perform.log_in(node, tasks[0].container, role, password)
        self.evidence.write(events.Login(when, role, which, said))

    def _listing(self, when: str) -> None:
        for what in ("services", "ps"):
            self.swarm.leader().look(
                "docker", "stack", what, perform.NAME, title=f"{when}: docker stack {what}"
            )
