"""Drills of secrets: how they are created and mounted, and what the engine refuses."""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from docker.errors import APIError
from docker.types import ContainerSpec, SecretReference, ServiceMode, TaskTemplate

from pytest_swarmlab.errors import CommandError
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Service, Stacks
from pytest_swarmlab.waiting.conditions import brief
from pytest_swarmlab.waiting.waiter import Waiter

from ..refused import answer
from . import events, perform, setting
from .search import forms_of

READY_S = 90

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
            setting.FROM_STRING: perform.create_from_string(secret),
            setting.FROM_FILE: from_file,
            setting.FROM_VARIABLE: from_variable,
            setting.ECHOED: secret.create(
                setting.ECHOED, secrets.token_urlsafe(18) + "\n", title="What the lab's echo makes"
            ),
            setting.SECOND: secret.create(setting.SECOND, title="The second version"),
            setting.BINARY: secret.create(setting.BINARY, secrets.token_bytes(LARGEST)),
            setting.UNICODE: secret.create(
                setting.UNICODE, f"pässwörd 密码 {secrets.token_hex(8)}"
            ),
            setting.CANARY: secret.create(setting.CANARY),
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
                shows=any(form in said for form in forms_of(value)),
            )
        )
    there = leader.look("test", "-e", perform.FILE, check=False).code == 0
    evidence.write(events.FileLeft(perform.FILE, there))


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
    places = ("/run/secrets", str(Path(setting.ABSOLUTE).parent))
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
    path = f"/run/secrets/{setting.FROM_STRING}"
    mounts = [
        line.split()
        for line in node.look("docker", "exec", container, "cat", "/proc/mounts").stdout.split("\n")
        if "/run/secrets/" in line or setting.ABSOLUTE in line
    ]
    tried = node.run(
        "docker", "exec", "--user", "0", container, "truncate", "--size", "0", path,
        check=False, title="root in the container tries to write",
    )  # fmt: skip
    seen = {row[1]: events.Mount(row[2], "ro" in row[3].split(",")) for row in mounts}
    evidence.write(events.Mounts(seen, written=tried.code == 0, said=tried.stderr.strip()))


def _note_reading(evidence: Evidence, owner: str, node: Node, container: str) -> None:
    tried = node.look(
        "docker", "exec", container, "sha256sum", f"/run/secrets/{setting.TARGET}",
        check=False, title=f"The program's user reads a secret of mode 0400 that is {owner}",
    )  # fmt: skip
    digest = tried.stdout[:64] or None
    evidence.write(events.Reading(owner, tried.code, tried.stderr.strip(), digest))


# -- what is refused ----------------------------------------------------------------------------


@dataclass
class Refusals:
    """Tries what the engine must refuse, and what it must accept, and notes its words."""

    swarm: Swarm
    secret: Secrets
    evidence: Evidence

    def sizes(self) -> None:
        """0, 1, 511,999 and 512,000 bytes."""
        for size in (0, 1, LARGEST, TOO_LARGE):
            self._create(f"{size} bytes", f"size-{size}", secrets.token_bytes(size))

    def names(self) -> None:
        """The longest name, one character more, and forbidden characters."""
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
        """A secret in use, a missing one, and two with one target."""
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
        title = "The lab's stack file, literally"
        said = answer(lambda: stack.deploy(BAD / "undefined-secret.yml", title=title))
        self._note("undeclared", *said)

    def _create(self, case: str, name: str, value: bytes) -> None:
        title = f"A secret: {case}"
        self._note(case, *answer(lambda: self.secret.create(name, value, title=title)))

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
