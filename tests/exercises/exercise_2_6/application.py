"""The application of three tiers: used, rotated and rolled back, and what its clients see."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pytest_swarmlab.clients.probe import SHOWN, Probe, session
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Stack
from pytest_swarmlab.waiting.waiter import Waiter

from . import events, perform, setting
from .drill import READY_S

ROLLED_S = 120
RATE, LOGIN_RATE, SLOW_RATE = 5.0, 2.5, 1.0
"""Requests a second, of the three kinds. A handshake costs the nodes' two cores some 20 ms, a login
at the database 100 ms: with eight of these a second nothing else got done."""
PATIENCE_S = 10.0
"""Seconds of a visitor's patience: starting containers occupy the cores for seconds."""
PAUSED_S = 2
"""Seconds until the managers must pause an update whose task has failed; they pause at once."""
WARM_S = 2.0
"""Half as long visitors come, besides once through every node, before something is changed, and
after it: answers may come in another order than requests were sent."""


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
        return Stack(self.swarm, setting.NAME)

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
        web = self.stack.service(setting.WEB)
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
        old = self.values[setting.OLD_PASSWORD]
        new = self.values[setting.NEW_PASSWORD] = self.secret.create(
            setting.NEW_PASSWORD, title="The next password is created"
        )
        self.configs.create(
            perform.NEW_USER, setting.NEW_ROLE.encode(), title="… and whose it is: the next role"
        )
        api = self.stack.service(setting.API)
        database = perform.database(self.swarm, self.stack, self.wait)
        self._log_in("before", setting.OLD_ROLE, "old", old)
        with self._under_load("/ready", LOGIN_RATE):
            perform.create_new_role(*database, new)
            perform.rotate_password(api, "The API is rolled: new secret, same place")
            self.wait(api.updated(), within=ROLLED_S)
            # What was replaced goes on answering until every proxy knows, as the old role.
            self.wait(api.settled(), within=READY_S)
            self._note_users()
            perform.retire_old_role(*database)
        self._log_in("after", setting.OLD_ROLE, "old", old)
        self._log_in("after", setting.NEW_ROLE, "old", old)
        self._log_in("after", setting.NEW_ROLE, "new", new)
        self.secret.remove(setting.OLD_PASSWORD)
        listed = self.swarm.leader().look("docker", "secret", "ls", title="The old one is gone")
        self.evidence.write(events.Removed(setting.OLD_PASSWORD not in listed.stdout.split()))
        self._listing("The database's password is rotated")

    def roll_back(self) -> None:
        """Back to the version before, whose secret is gone; then forward again."""
        api = self.stack.service(setting.API)
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
        seen = self.swarm.leader().engine.api.inspect_service(f"{setting.NAME}_{setting.API}")
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
        for name, replicas in ((setting.DB, 1), (setting.API, 2), (setting.WEB, 2)):
            service = self.stack.service(name)
            self.wait(service.converged(replicas=replicas), within=READY_S)
            self.evidence.tasks(self.swarm, service.name)
        self.wait(self.swarm.mesh_lists(setting.REPLICAS), within=READY_S)
        # Each web server leads to each API in turn, and an API is ready with its database.
        pairs = Serves(
            self.swarm, replicas=4, port=perform.PORT, path="/ready", ca=self.certificates.ca
        )
        self.wait(pairs, within=READY_S)

    def _fingerprint(self, version: str) -> str:
        return hashlib.sha256(perform.der(self.values[f"site_certificate_{version}"])).hexdigest()

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
        """The API's database user, requested through every node."""
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
        api = self.stack.service(setting.API)
        tasks = self.wait(api.converged(replicas=setting.REPLICAS), within=READY_S)
        node = self.swarm.node(tasks[0].node)
        said = perform.log_in(node, tasks[0].container, role, password)
        self.evidence.write(events.Login(when, role, which, said))

    def _listing(self, when: str) -> None:
        for what in ("services", "ps"):
            self.swarm.leader().look(
                "docker", "stack", what, setting.NAME, title=f"{when}: docker stack {what}"
            )
