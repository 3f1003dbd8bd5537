"""The lab's own steps, with its errata mended; the corrected stack files say which.

The lab has no backend, so its nginx never starts; a stack's service is called `proxy_nginx`, not
`nginx`; its `app-dev.yml`, `app-prod.yml` and `myapp` are written here.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pytest_swarmlab.lab import STACKS
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.stacks import Service, Services, Stack, Stacks

from .setting import READERS

FILES = STACKS / "configs"
LITERAL = Path(__file__).parent / "literal" / "proxy-stack.yml"
BAD = Path(__file__).parent / "bad"

IMAGE = "nginx:alpine"
PROXY, NGINX, PORT = "proxy", "nginx", 80
TARGET = "/etc/nginx/conf.d/default.conf"
VERSION_HEADER = "X-Config"
READER_TARGET = "/etc/reader.conf"
V1, V2, V3 = "nginx_config", "nginx_config_v2", "nginx_config_v3"

CODE = "app_code"
ENVIRONMENTS_FILE = STACKS / "environments-stack.yml"
ENVIRONMENTS = {"dev": (8081, 1), "prod": (8082, 2)}
"""Environment → the port that it answers at, and its replicas."""


def content(name: str) -> bytes:
    """The content of the file of that name in stacks/configs."""
    return (FILES / name).read_bytes()


def create(configs: Configs, name: str, raw: bytes) -> None:
    """`docker config create`, kept for the report."""
    configs.create(name, raw, title=f"The config {name} is created")


def create_for_the_proxy(configs: Configs) -> None:
    """The lab's first version, which is all that its file needs."""
    create(configs, V1, content("nginx.conf"))


def create_later_ones(configs: Configs) -> None:
    """The lab's second version, a third that is wrong, and the backend's."""
    create(configs, V2, content("nginx-v2.conf"))
    create(configs, V3, (BAD / "nginx-v3.conf").read_bytes())
    create(configs, "backend_config", content("backend.conf"))


def show(swarm: Swarm, *names: str) -> None:
    """`docker config inspect --pretty`: the content of each, kept for the report."""
    swarm.leader().look(
        "docker", "config", "inspect", "--pretty", *names, title=f"What {', '.join(names)} hold"
    )


def deploy_literally(stack: Stacks) -> Service:
    """The lab's own file."""
    return stack.deploy(LITERAL, name=PROXY, title="The lab's file, literally").service(NGINX)


def deploy(stack: Stacks, *, title: str, **env: str) -> Service:
    """`docker stack deploy -c proxy-stack.yml proxy`, with these variables."""
    return stack.deploy(STACKS / "proxy-stack.yml", name=PROXY, env=env, title=title).service(NGINX)


def switch(service: Service, old: str, new: str, *words: str) -> None:
    """The lab's command: one config is taken away and another put in its place."""
    service.update(
        *words, "--config-rm", old, "--config-add", f"source={new},target={TARGET}",
        title=f"{service.name} is given {new} instead of {old}",
    )  # fmt: skip


def ask(node: Node, container: str) -> str:
    """What the proxy answers to a visitor, headers and body, asked from within its container."""
    shown = node.look(
        "docker", "exec", container, "curl", "-sS", "-i", "http://127.0.0.1/",
        title="What the proxy answers",
    )  # fmt: skip
    return shown.stdout


def listing(service: Service, when: str) -> None:
    """`docker service ps`, kept for the report."""
    service.swarm.leader().look(
        "docker", "service", "ps", service.name, title=f"{when}: docker service ps {service.name}"
    )


def deploy_environment(stack: Stacks, configs: Configs, name: str) -> Service:
    """The application with the configuration of that environment, as a stack of that name."""
    port, replicas = ENVIRONMENTS[name]
    config = f"app_config_{name}"
    create(configs, config, content(f"app-{name}.yml"))
    variables = {"APP_CONFIG": config, "PORT": str(port), "REPLICAS": str(replicas)}
    deployed: Stack = stack.deploy(
        ENVIRONMENTS_FILE, name=name, env=variables, title=f"{name} is deployed"
    )
    return deployed.service("app")


@contextmanager
def two_readers(swarm: Swarm, config: str) -> Iterator[Mapping[str, Service]]:
    """Two services that are given the same config."""
    words = ("--config", f"source={config},target={READER_TARGET}", IMAGE)
    with Services.removed(swarm) as services:
        yield {
            name: services.create(name, *words, title=f"{name} is given {config}")
            for name in READERS
        }
