"""The lab's API and its stack: deploying, reading answers, breaking what the API needs."""

from pathlib import Path

from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import Service, Stack, Stacks

from .setting import API_PORT, LABS_NAME, NAME

FILE = STACKS / "health-stack.yml"
LABS_FILE = Path(__file__).parent / "literal" / "labs-stack.yml"
API, DATABASE, REDIS = "api", "database", "redis"
"""Services of the stack file, by their names there."""
SECRET = "health_db_password"  # noqa: S105 - its name


def deploy(stack: Stacks, secret: Secrets) -> Stack:
    """`docker stack deploy -c health-stack.yml health`."""
    secret.create(SECRET, title="The database's password")
    # Nobody visits the site in these drills.
    site = {"WEB_REPLICAS": "1"}
    return stack.deploy(
        FILE, name=NAME, env=site, keep_volumes=False, title="The stack is deployed"
    )


def deploy_labs(stack: Stacks) -> Service:
    """The same API with the lab's health check, as a second service."""
    title = "The same API with the lab's healthcheck"
    return stack.deploy(LABS_FILE, name=LABS_NAME, title=title).service(API)


def ask_readiness(node: Node, container: str) -> str:
    """A replica's answer at `/health/ready`, with its status on a line of its own."""
    return node.look(
        "docker", "exec", container,
        "curl", "-sS", "--max-time", "5", "-w", "%{http_code}",
        f"http://127.0.0.1:{API_PORT}/health/ready",
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
    """The table's rows; none without a table."""
    return node.look(
        "docker", "exec", container, "psql", "-U", "api", "-d", "mydb", "-At", "-c",
        "SELECT what FROM kept",
        title=f"On {node}: the row is read", check=False,
    ).stdout.splitlines()  # fmt: skip


def freeze(node: Node, container: str) -> None:
    """Stop the database's first process: its port stays open, without answers."""
    pid = node.look("docker", "inspect", "--format", "{{.State.Pid}}", container).stdout.strip()
    node.run("kill", "-STOP", pid, title=f"On {node}: the database hangs")
