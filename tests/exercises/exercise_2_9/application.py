"""The lab's API, deployed with its stack: what it says, and what is done to what it needs."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from pytest_swarmlab.cluster import Node, Swarm
from pytest_swarmlab.secret import Secrets
from pytest_swarmlab.stacks import Service, Stack, Stacks, removed_after

FILE, NAME = "health-stack.yml", "health"
API, DATABASE, REDIS = "api", "database", "redis"
API_REPLICAS = 2
PORT, LABS_PORT = 8080, 8081
SECRET = "health_db_password"  # noqa: S105 - its name


@contextmanager
def deployed(stack: Stacks, secret: Secrets) -> Iterator[Stack]:
    """`docker stack deploy -c health-stack.yml health`.

    Nothing is left of it at the block's end, its volume included.
    """
    secret.create(SECRET, title="The database's password")
    # Nobody visits the site in these drills.
    site = {"WEB_REPLICAS": "1"}
    made = stack.deploy(FILE, name=NAME, env=site, title="The stack is deployed")
    with removed_after(lambda: remove(stack)):
        yield made


def remove(stack: Stacks) -> None:
    """`docker stack rm`, and the database's volume, which it leaves."""
    stack.remove(NAME)
    stack.remove_volumes(NAME)


def lab_api(swarm: Swarm) -> AbstractContextManager[Service]:
    """The same API with the lab's healthcheck: `/health` fails when one of its needs is away."""
    return Service.created(
        swarm, "lab-api",
        "--replicas", str(API_REPLICAS),
        "--publish", f"{LABS_PORT}:8080",
        "--network", f"{NAME}_backend",
        "--secret", f"source={SECRET},target=db_password,uid=1000,mode=0400",
        "--config", f"source={NAME}_api,target=/app/app.py",
        "--health-cmd", "curl -f http://127.0.0.1:8080/health || exit 1",
        "--health-interval", "1s", "--health-timeout", "3s", "--health-retries", "2",
        # Requests that wait for Redis keep it from stopping by itself.
        "--restart-condition", "any", "--restart-delay", "1s", "--stop-grace-period", "1s",
        "myapi:latest",
        title="The same API with the lab's healthcheck",
    )  # fmt: skip


def ask_readiness(node: Node, container: str) -> str:
    """What a replica says at `/health/ready`: its answer, and the status in a line of its own."""
    return node.look(
        "docker", "exec", container,
        "curl", "-sS", "--max-time", "5", "-w", "%{http_code}",
        f"http://127.0.0.1:{PORT}/health/ready",
        title="What the API says of its readiness", check=False,
    ).stdout  # fmt: skip


def write_row(node: Node, container: str) -> None:
    """A table with one row, in the API's database."""
    node.run(
        "docker", "exec", container, "psql", "-U", "api", "-d", "mydb", "-c",
        "CREATE TABLE kept AS SELECT 'before the database hung' AS what",
        title=f"On {node}: a row is written",
    )  # fmt: skip


def read_rows(node: Node, container: str) -> list[str]:
    """What is in that table; nothing where there is none."""
    return node.look(
        "docker", "exec", container, "psql", "-U", "api", "-d", "mydb", "-At", "-c",
        "SELECT what FROM kept",
        title=f"On {node}: the row is read", check=False,
    ).stdout.splitlines()  # fmt: skip


def freeze(node: Node, container: str) -> None:
    """The database's first process is stopped: its port is open, and nobody answers."""
    pid = node.look("docker", "inspect", "--format", "{{.State.Pid}}", container).stdout.strip()
    node.run("kill", "-STOP", pid, title=f"On {node}: the database hangs")
