"""Runs the lab's own commands with its own stack file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import requests

from pytest_swarmlab.clients.probe import reason, session
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from .. import nfs
from ..stack_on_nfs import labelled
from . import events
from .labs_file import ENDS, PORTS
from .perform import DIRECTORIES

FILE, NAME = STACKS / "ecommerce-literal.yml", "ecommerce"
CONFIGURATION = STACKS / "configs" / "nginx.conf"
"""The lab gives no content; its only nginx configuration is exercise 2.7's."""

SECRETS = {
    "db_url": "postgresql://user:pass@postgres:5432/ecommerce",
    "db_user": "ecomuser",
    "db_password": "SecureDbPass123!",
    "jwt_secret": "MyJWT_SecretKey_2024",
    "rabbitmq_url": "amqp://admin:pass@rabbitmq:5672/",
    "rabbitmq_user": "admin",
    "rabbitmq_password": "SecureRabbitPass123!",
}
"""As the lab has them; `echo` makes a newline part of each."""

FAILED_S = 180
ASK_S = 3.0
TAIL = 1500


@dataclass
class Literal:
    """The lab's last exercise as it stands."""

    swarm: Swarm
    stack: Stacks
    secret: Secrets
    configs: Configs
    wait: Waiter
    evidence: Evidence

    def deploy(self) -> None:
        """Run the lab's commands in its order; record each task that ends; visit every node."""
        with self._prepared():
            title = "The lab's file, literally"
            deployed = self.stack.deploy(FILE, name=NAME, keep_volumes=False, title=title)
            self.evidence.write(events.Deployed())
            for name in ENDS:
                task = self.wait(deployed.service(name).task_failed(), within=FAILED_S)
                said = self.swarm.node(task.node).log_of(task.container)
                ended = events.Ended(name, task.state, task.exit_code, said[-TAIL:])
                self.evidence.write(ended)
            self._ask()
            self.swarm.leader().look(
                "docker", "stack", "services", NAME, title="The lab's file: what runs of it"
            )
            self.stack.remove(NAME, kill=True)

    @contextmanager
    def _prepared(self) -> Iterator[None]:
        server, worker = nfs.server_of(self.swarm), self.swarm.workers()[:1]
        with ExitStack() as made:
            made.enter_context(nfs.exported(server))
            for name in DIRECTORIES:
                made.enter_context(nfs.directory(server, f"{nfs.SHARE}/{name}"))
            for name, value in SECRETS.items():
                self.secret.create(name, f"{value}\n")
            for name in ("nginx_config", "gateway_config"):
                self.configs.create(name, CONFIGURATION.read_bytes())
            made.enter_context(labelled(self.swarm, worker))
            yield

    def _ask(self) -> None:
        """A visitor at both ports of every node."""
        members = self.swarm.members()
        with session(members) as visitor:
            for node in members:
                for port in PORTS:
                    status, error = None, None
                    try:
                        url = f"http://{node.name}:{port}/"
                        status = visitor.get(url, timeout=ASK_S, allow_redirects=False).status_code
                    except (requests.RequestException, OSError) as no:
                        error = reason(no)
                    self.evidence.write(events.Visited(node.name, port, status, error))
