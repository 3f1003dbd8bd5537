"""The lab's own steps, with its errata mended.

`echo` makes a newline part of a secret: printf. `--secret-add db_password_v2` alone puts it at
another path: source and target are both named. A secret with mode 0400 belongs to root unless a
user is named. And a database knows nothing of a secret: its role's password is changed as well.
"""

import json
import re
import secrets
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import trustme

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.swarm.cluster import Node, Output, Swarm
from pytest_swarmlab.swarm.guard import Guard, Undoes
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.services import removed_after
from pytest_swarmlab.swarm.stacks import Service, Stack, Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from .. import postgres
from .events import Definition
from .setting import (
    ABSOLUTE,
    API,
    BINARY,
    CANARY,
    DB,
    ECHOED,
    FROM_FILE,
    FROM_STRING,
    FROM_VARIABLE,
    NAME,
    NEW_PASSWORD,
    NEW_ROLE,
    OLD_PASSWORD,
    OLD_ROLE,
    REPLICAS,
    SECOND,
    TARGET,
    UNICODE,
    WEB,
)

FILE = "/root/passwd"
APP = "myapi:latest"
APP_USER = "1000"
"""The user of that image, uid and gid: not root."""

VAULT = "vault"

STACK_FILE = STACKS / "multitier-stack.yml"
PORT = 8443
OLD_USER, NEW_USER = "db_user_a", "db_user_b"
"""Configs with the name of the role that the API uses."""

ADMIN, KEY = "db_admin_password", "api_key"
READY_S = 120
LOGIN = (
    "import psycopg2, sys; psycopg2.connect(host='db', dbname='app', user=sys.argv[1],"
    " password=sys.stdin.read()).close(); print('let in')"
)
"""A program for the API's image: log in as a role, with the password from standard input."""


# -- creating -----------------------------------------------------------------------------------


def create_from_string(secret: Secrets) -> bytes:
    """`printf … | docker secret create mysql_root_password -`."""
    return secret.create(FROM_STRING, title="From a string: printf %s … | docker secret create")


@contextmanager
def created_from_file(swarm: Swarm) -> Iterator[bytes]:
    """`docker secret create passwd_file passwd`, `rm passwd`; removed at the block's end."""
    value = f"user:{secrets.token_urlsafe(18)}:1000:1000:User Name:/home/user:/bin/bash\n".encode()
    swarm.recorder.redactor.hide(FROM_FILE, value)

    leader = swarm.leader()
    create = ("docker", "secret", "create", FROM_FILE, FILE)
    with ExitStack() as made:
        with _file(leader, value):
            made.enter_context(
                _removed(swarm, FROM_FILE, lambda _: leader.run(*create, title="From a file"))
            )
        yield value


@contextmanager
def _file(leader: Node, value: bytes) -> Iterator[None]:
    if leader.look("test", "!", "-e", FILE, check=False).code:
        raise ProviderError(f"{leader} has a file {FILE} already, which would be removed")
    remove = ("rm", "-f", FILE)
    with Guard.undone_after(
        [(leader, [remove])], "secret-file", Undoes.DEPLOYMENT,
        undo=lambda: leader.run(*remove, title="… which is removed at once"),
    ):  # fmt: skip
        leader.put(value, FILE)
        yield


@contextmanager
def created_from_variable(swarm: Swarm) -> Iterator[bytes]:
    """`printf %s "$DB_PASS" | docker secret create db_password -`; removed at the block's end.

    The lab's own line, and therefore a shell's. It reads the variable instead of being told it:
    a value in a command stands in the list of processes.
    """
    value = secrets.token_urlsafe(18).encode()
    swarm.recorder.redactor.hide(FROM_VARIABLE, value)
    line = f'read -r DB_PASS; printf %s "$DB_PASS" | docker secret create {FROM_VARIABLE} -'

    def create(leader: Node) -> None:
        leader.run("sh", "-c", line, stdin=value + b"\n", title="From a variable")

    with _removed(swarm, FROM_VARIABLE, create):
        yield value


@contextmanager
def _removed(swarm: Swarm, name: str, create: Callable[[Node], object]) -> Iterator[None]:
    """A secret that is made by a command of the lab's goes at the block's end."""
    made = Secrets(swarm)
    with removed_after(swarm, made.remove_all):
        made.make(name, create)
        yield


# -- one container that has them all --------------------------------------------------------------


def vault(swarm: Swarm, on: Node) -> AbstractContextManager[Service]:
    """A service that only mounts secrets, the lab's mode 0400 among them.

    Its program ignores SIGTERM, and has nothing to finish: it is killed when it is removed.
    """
    return Service.created(
        swarm, VAULT,
        "--secret", FROM_STRING,
        "--secret", f"source={FROM_FILE},target=passwd,uid=101,gid=102,mode=0440",
        "--secret", f"source={FROM_VARIABLE},target={TARGET},mode=0400",
        "--secret", ECHOED, "--secret", BINARY, "--secret", CANARY,
        "--secret", f"source={UNICODE},target={ABSOLUTE}",
        "--constraint", swarm.only(on),
        "--stop-signal", "SIGKILL", "--update-monitor", "1s",
        APP, "sleep", "infinity",
        title="A service with secrets: default place, other place, owner and mode",
    )  # fmt: skip


def rotate_literally(service: Service) -> None:
    """The lab's command as it stands: no target."""
    service.update(
        "--secret-rm", FROM_VARIABLE, "--secret-add", SECOND,
        title="The lab's rotation, literally",
    )  # fmt: skip


def rotate_at_its_place(service: Service) -> None:
    """The rotation as it must be: the same target, readable by the program's own user."""
    service.update(
        "--secret-rm", SECOND,
        "--secret-add", f"source={SECOND},target={TARGET},uid={APP_USER},gid={APP_USER},mode=0400",
        title="The rotation as it must be: the same target, the program's own user",
    )  # fmt: skip


# -- the application of three tiers ----------------------------------------------------------------


class Certificates:
    """Certificates for the site from an authority of the exercise's own."""

    def __init__(self, names: list[str], directory: Path) -> None:
        """`names`: whom they are for; `directory`: where the authority's certificate is put."""
        self._names = names
        self._authority = trustme.CA()
        self.ca = directory / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.ca))

    def issue(self) -> tuple[bytes, bytes]:
        """Another certificate and its key, as PEM."""
        made = self._authority.issue_cert(*self._names)
        return made.cert_chain_pems[0].bytes(), made.private_key_pem.bytes()


def der(certificate: bytes) -> bytes:
    """The certificate (PEM) in the form in which a server shows it."""
    return ssl.PEM_cert_to_DER_cert(certificate.decode())


def create_pair(secret: Secrets, certificates: Certificates, version: str) -> dict[str, bytes]:
    """The secrets of one version of the site's certificate: name → value."""
    certificate, key = certificates.issue()
    return {
        name: secret.create(name, value, title=f"{name} is created")
        for name, value in (
            (f"site_certificate_{version}", certificate),
            (f"site_key_{version}", key),
        )
    }


def deploy(
    swarm: Swarm, stack: Stacks, secret: Secrets, certificates: Certificates, wait: Waiter
) -> dict[str, bytes]:
    """The three tiers, ready; returns the secrets: name → value."""
    names = (ADMIN, OLD_PASSWORD, KEY)
    values = {name: secret.create(name, title=f"{name} is created") for name in names}
    values |= create_pair(secret, certificates, "v1")
    deployed = stack.deploy(
        STACK_FILE, name=NAME, keep_volumes=False, title="The three tiers are deployed"
    )
    create_roles(swarm, deployed, values[OLD_PASSWORD], wait)
    for service in (API, WEB):
        wait(deployed.service(service).converged(replicas=REPLICAS), within=READY_S)
    return values


def database(swarm: Swarm, stack: Stack, wait: Waiter) -> tuple[Node, str]:
    """The node and the container of the database, once it answers."""
    (task,) = wait(stack.service(DB).converged(replicas=1), within=READY_S)
    node = swarm.node(task.node)
    return node, postgres.running(stack.service(DB), node, wait)


def create_roles(swarm: Swarm, stack: Stack, password: bytes, wait: Waiter) -> None:
    """The role that owns the data and can't log in, and the first of the two that can."""
    _sql(
        *database(swarm, stack, wait),
        "CREATE ROLE app NOLOGIN; CREATE TABLE item (id serial PRIMARY KEY, name text);"
        " ALTER TABLE item OWNER TO app; INSERT INTO item (name) VALUES ('first'), ('second');"
        " CREATE ROLE app_a LOGIN IN ROLE app PASSWORD :'password';",
        title=f"In the database: role app owns the data, {OLD_ROLE} logs in",
        password=password,
    )


def create_new_role(node: Node, container: str, password: bytes) -> None:
    """Give the next role the next password; the present one keeps its own."""
    _sql(
        node, container,
        f"CREATE ROLE {NEW_ROLE} LOGIN IN ROLE app PASSWORD :'password';",
        title=f"In the database: {NEW_ROLE} gets the new password",
        password=password,
    )  # fmt: skip


def retire_old_role(node: Node, container: str) -> None:
    """The unused role has no password, so no login with it is possible."""
    _sql(
        node, container, f"ALTER ROLE {OLD_ROLE} PASSWORD NULL;",
        title=f"In the database: {OLD_ROLE} has no password any more",
    )  # fmt: skip


def _sql(node: Node, container: str, statements: str, *, title: str, password: bytes = b"") -> None:
    """On standard input: a password in a command stands in the list of processes."""
    node.run(
        "docker", "exec", "--interactive", container,
        "psql", "-U", "postgres", "-d", "app", "-v", "ON_ERROR_STOP=1", "--quiet",
        stdin=b"\\set password '%b'\n" % password + statements.encode(), title=title,
    )  # fmt: skip


def log_in(node: Node, container: str, role: str, password: bytes) -> str:
    """The database's answer to a login with that role and password, from a container of the API."""
    said = node.run(
        "docker", "exec", "--interactive", container, "python3", "-c", LOGIN, role,
        stdin=password, check=False, title=f"{role} logs in",
    )  # fmt: skip
    lines = (said.stdout if said.code == 0 else said.stderr).strip().splitlines()
    found = next((line for line in lines if "FATAL" in line), lines[-1] if lines else "")
    return re.sub(r"^.*?(?=FATAL)", "", found)


def rotate_password(service: Service, title: str) -> None:
    """The new password at the old one's place, and the role that it belongs to likewise."""
    service.update(
        "--secret-rm", OLD_PASSWORD,
        "--secret-add",
        f"source={NEW_PASSWORD},target=db_password,uid={APP_USER},gid={APP_USER},mode=0400",
        "--config-rm", OLD_USER, "--config-add", f"source={NEW_USER},target=/app/db_user",
        title=title,
    )  # fmt: skip


def rotate_certificate(service: Service) -> None:
    """Certificate and key together: each container has two that belong together."""
    service.update(
        "--secret-rm", "site_certificate_v1", "--secret-rm", "site_key_v1",
        "--secret-add", "source=site_certificate_v2,target=site.crt,mode=0444",
        "--secret-add", "source=site_key_v2,target=site.key,mode=0400",
        title="The proxy is rolled: new certificate and key, same places",
    )  # fmt: skip


def roll_back(service: Service) -> Output:
    """`docker service rollback`, after the secret of the version before was removed."""
    return service.swarm.leader().run(
        "docker", "service", "rollback", "--detach", service.name, check=False,
        title="Roll back to a version whose secret is gone",
    )  # fmt: skip


def definitions(swarm: Swarm, values: Mapping[str, bytes]) -> list[Definition]:
    """What every service's definition says: its variables, and which secret's value is in it."""
    return [
        Definition(
            service["Spec"]["Name"],
            tuple(service["Spec"]["TaskTemplate"]["ContainerSpec"].get("Env", ())),
            tuple(name for name, value in values.items() if _in(value, json.dumps(service))),
        )
        for service in swarm.leader().engine.api.services()
    ]


def _in(value: bytes, text: str) -> bool:
    return any(line.strip() in text for line in value.decode().splitlines() if line.strip())
