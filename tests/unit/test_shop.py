"""The shop of stacks/ecommerce: its services' own tests, and what its stack files say.

Each service is tested by its own language's tools; where these are not there, that is said and it
is left out. The lab's own file is the counter-example: each look at the corrected one finds
something in it.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_swarmlab.images.recipe import ImageRecipe, load_plan
from pytest_swarmlab.lab import STACKS

SHOP = STACKS / "ecommerce"
NEEDED = ("flask", "jwt", "pika", "prometheus_client", "psycopg", "psycopg_pool")
GOCODE = Path("/usr/share/gocode/src/github.com/lib/pq")
WITHIN_S = 300
NODE_JS = ["products", "frontend"]

VERSION = "1.0.0"

REPLICATED = ["frontend", "api-gateway", "products-service", "orders-service", "users-service"]

Stack = dict[str, Any]


def own_tests(service: str, *command: str) -> None:
    """Run a service's tests in its directory; what they say is the message."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "NODE_"))}
    done = subprocess.run(
        command,
        cwd=SHOP / service,
        env={**env, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    said = f"{done.stdout}\n{done.stderr}"[-4000:]
    assert done.returncode == 0, said
    assert any(word in said for word in ("passed", "# pass", "ok ")), f"no test ran: {said}"


def test_users() -> None:
    if shutil.which("go") is None or not GOCODE.is_dir():
        pytest.skip("no Go here with the packages that stacks/ecommerce/users/debian.lock names")
    own_tests("users", "./build", "test")


@pytest.mark.parametrize("service", NODE_JS)
def test_node(service: str) -> None:
    if shutil.which("node") is None:
        pytest.skip("no Node.js here")
    if service == "products" and not (SHOP / service / "node_modules").is_dir():
        pytest.skip("products' packages are not here: `npm ci` in stacks/ecommerce/products")
    own_tests(service, "node", "--test", "--test-reporter=tap")


def test_orders() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    own_tests(
        "orders",
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:swarmlab",
        "-p",
        "no:cacheprovider",
    )


@pytest.mark.parametrize("service", NODE_JS)
def test_node_packages_are_pinned_and_locked(service: str) -> None:
    package = json.loads((SHOP / service / "package.json").read_text())
    lock = json.loads((SHOP / service / "package-lock.json").read_text())

    wanted = {**package["dependencies"], **package.get("devDependencies", {})}
    assert all(version[0].isdigit() for version in wanted.values())
    for name, version in wanted.items():
        assert lock["packages"][f"node_modules/{name}"]["version"] == version
    assert all("integrity" in each for path, each in lock["packages"].items() if path)


def test_python_packages_are_pinned_and_locked() -> None:
    lines = (SHOP / "orders/requirements.txt").read_text().splitlines()

    named = [line for line in lines if line[:1].isalpha()]
    assert named
    assert all("==" in line for line in named)
    assert len(named) <= sum("--hash=sha256:" in line for line in lines)


def test_the_sources_and_the_images_have_one_version() -> None:
    package = (json.loads((SHOP / name / "package.json").read_text()) for name in NODE_JS)
    told = [each["version"] for each in package]
    told.append(tomllib.loads((SHOP / "orders/pyproject.toml").read_text())["project"]["version"])
    assert set(told) == {VERSION}
    own = [
        each for each in load_plan("stand-in").images if each.own and ":latest" in each.reference
    ]
    assert len(own) == 5
    assert {each.tags for each in own} == {(VERSION,)}


# -- the stack files ------------------------------------------------------------------------------


def read(name: str) -> Stack:
    found: Stack = yaml.safe_load((STACKS / name).read_text(encoding="utf-8"))
    return found


def secrets_of(service: Stack) -> set[str]:
    """Where a service's secrets lie in its containers."""
    given = service.get("secrets", [])
    names = (each["target"] if isinstance(each, dict) else each for each in given)
    return {name if name.startswith("/") else f"/run/secrets/{name}" for name in names}


def each_service(stack: Stack, wrong: Callable[[Stack], bool]) -> Iterator[str]:
    return (name for name, service in stack["services"].items() if wrong(service))


def replicated(service: Stack) -> bool:
    return bool(service["deploy"]["replicas"] > 1)


def unread_secrets(stack: Stack) -> Iterator[str]:
    """Secrets that a service is told of and has not, or has and is not told of."""
    for name, service in stack["services"].items():
        told = str([service.get("environment"), service.get("command"), service.get("healthcheck")])
        has = secrets_of(service)
        files = {v for k, v in service.get("environment", {}).items() if k.endswith("_FILE")}
        if files - has or any(path not in told for path in has if path.startswith("/run/")):
            yield name


def unhealthy(service: Stack) -> bool:
    check = service.get("healthcheck", {})
    return not {"test", "interval", "timeout", "retries", "start_period"} <= set(check)


def published(stack: Stack) -> list[str]:
    return list(each_service(stack, lambda service: "ports" in service))


LOOKS: dict[str, tuple[Callable[[Stack], list[str]], list[str]]] = {
    "a service without a whole health check": (
        lambda stack: list(each_service(stack, unhealthy)),
        [*REPLICATED, "postgres", "redis", "rabbitmq"],
    ),
    "a task that ended well and is not replaced": (
        lambda stack: list(
            each_service(
                stack,
                lambda s: s["deploy"].get("restart_policy", {}).get("condition") == "on-failure",
            )
        ),
        ["frontend"],
    ),
    "replicas that stop before others serve": (
        lambda stack: list(
            each_service(
                stack,
                lambda s: (
                    replicated(s)
                    and not (
                        s["deploy"].get("update_config", {}).get("order") == "start-first"
                        and s["deploy"]["update_config"].get("failure_action") == "rollback"
                        and s["deploy"].get("rollback_config", {}).get("order") == "start-first"
                    )
                ),
            )
        ),
        REPLICATED,
    ),
    "a service that may take its whole node": (
        lambda stack: list(
            each_service(
                stack, lambda s: "memory" not in s["deploy"].get("resources", {}).get("limits", {})
            )
        ),
        [*REPLICATED, "postgres", "redis", "rabbitmq"],
    ),
    "secrets that are told of and not there, or there and not told of": (
        lambda stack: list(unread_secrets(stack)),
        ["users-service"],
    ),
    "variables of which RabbitMQ dies": (
        lambda stack: [
            name
            for name, s in stack["services"].items()
            for variable in s.get("environment", {})
            if variable.startswith("RABBITMQ_DEFAULT_")
        ],
        ["rabbitmq", "rabbitmq"],
    ),
    "a broker whose data is another's after each start": (
        lambda stack: [] if "hostname" in stack["services"]["rabbitmq"] else ["rabbitmq"],
        ["rabbitmq"],
    ),
    "a password among the words of a command": (
        lambda stack: list(
            each_service(stack, lambda s: "requirepass ${" in str(s.get("command")))
        ),
        ["redis"],
    ),
    "a look at Redis that is content with NOAUTH": (
        lambda stack: [
            "redis"
            for _ in [0]
            if "PONG" not in str(stack["services"]["redis"]["healthcheck"]["test"])
        ],
        ["redis"],
    ),
    "a look at PostgreSQL for a role that it has not": (
        lambda stack: list(
            each_service(
                stack, lambda s: "-U postgres" in str(s.get("healthcheck", {}).get("test"))
            )
        ),
        ["postgres"],
    ),
    "a service that has nowhere to go": (
        lambda stack: list(
            each_service(
                stack,
                lambda s: (
                    "node.role == worker" in s["deploy"].get("placement", {}).get("constraints", [])
                ),
            )
        ),
        ["products-service", "redis"],
    ),
    "a volume of NFS version 3": (
        lambda stack: [
            name for name, v in stack["volumes"].items() if "nfsvers=4" not in v["driver_opts"]["o"]
        ],
        ["postgres-data", "rabbitmq-data"],
    ),
    "a network that any container may join": (
        lambda stack: [name for name, n in stack["networks"].items() if n.get("attachable")],
        ["frontend"],
    ),
    "ports beside the gateway's": (
        lambda stack: [name for name in published(stack) if name != "api-gateway"],
        ["frontend", "rabbitmq"],
    ),
}


@pytest.mark.parametrize("look", LOOKS)
def test_the_labs_file_has_it_and_the_corrected_one_has_not(look: str) -> None:
    find, in_the_labs = LOOKS[look]

    assert find(read("ecommerce-literal.yml")) == in_the_labs
    assert find(read("ecommerce-stack.yml")) == []


def test_the_labs_services_are_all_there_under_their_names() -> None:
    literal, stack = read("ecommerce-literal.yml"), read("ecommerce-stack.yml")

    assert set(stack["services"]) == {*literal["services"], "orders-worker"}
    for name, service in literal["services"].items():
        repository, _, tag = service["image"].rpartition(":")
        version = {"latest": VERSION}.get(tag, tag)
        assert stack["services"][name]["image"] == f"{repository}:{version}"
        assert stack["services"][name]["deploy"]["replicas"] == service["deploy"]["replicas"]
    assert stack["networks"]["backend"]["driver_opts"] == {"encrypted": "true"}
    assert published(stack) == ["api-gateway"]


def test_no_value_of_a_secret_stands_in_a_definition() -> None:
    stack = read("ecommerce-stack.yml")

    assert all(secret == {"external": True} for secret in stack["secrets"].values())
    for service in stack["services"].values():
        for variable, value in service.get("environment", {}).items():
            secret = any(word in variable for word in ("PASS", "SECRET", "URL", "USER"))
            assert not secret or variable.endswith("_FILE") or variable == "PRODUCTS_URL"
            assert not variable.endswith("_FILE") or value.startswith("/run/secrets/")


def test_what_the_stack_takes_from_files_is_there() -> None:
    stack = read("ecommerce-stack.yml")

    files = [Path(each["file"]) for each in stack["configs"].values() if "file" in each]
    assert files
    assert all((STACKS / file).is_file() for file in files)
    for service in stack["services"].values():
        for each in service.get("secrets", []):
            assert (each if isinstance(each, str) else each["source"]) in stack["secrets"]


def test_every_image_of_the_projects_own_stacks_is_on_a_node() -> None:
    there = {each for image in load_plan("stand-in").images for each in image.references}
    for file in STACKS.glob("*.yml"):
        for name, service in read(file.name)["services"].items():
            assert service.get("image", "nginx:alpine") in there, f"{file.name}: {name}"


READERS = {
    # The entry point becomes this user before it reads anything.
    "postgres": "postgres",
    "rabbitmq": "rabbitmq",
    # Its command's shell reads the password, as root.
    "redis": "root",
}
"""Service whose image has no user → who reads its secrets."""


@pytest.mark.parametrize("file", ["ecommerce-stack.yml", "monitoring-shop.yml"])
def test_a_secret_is_its_readers_alone(file: str) -> None:
    images = {ref: image for image in load_plan("stand-in").images for ref in image.references}
    found = 0
    for name, service in read(file)["services"].items():
        for secret in service.get("secrets", []):
            image = images[service["image"]]
            base = images.get(image.base, image)
            user = READERS.get(name) or image.config.user or base.config.user
            assert (secret["uid"], secret["gid"]) == ids(user, base), (name, secret)
            assert secret["mode"] == 0o400
            found += 1
    assert found


def ids(user: str, image: ImageRecipe) -> tuple[str, str]:
    """A user's and his group's numbers, as the commands of the image's recipe give them."""
    if ":" in user:
        uid, _, gid = user.partition(":")
        return uid, gid
    known = {"root": ("0", "0"), "nobody": ("65534", "65534")}
    for command in image.root.commands:
        if command[0] in {"useradd", "usermod"} and command[-1] == user:
            told = dict(pairwise(command))
            # Without a word of the group, its number was given before, by its name.
            known[user] = told["--uid"], told.get("--gid") or group(user, image)
    return known[user]


def group(name: str, image: ImageRecipe) -> str:
    return next(c[c.index("--gid") + 1] for c in image.root.commands
                if c[0] == "groupmod" and c[-1] == name)  # fmt: skip


def test_every_task_has_time_to_drain() -> None:
    """A service drains for DRAIN_SECONDS and then has at most 6 s to finish: within 10, of 20."""
    stack = read("ecommerce-stack.yml")

    for name, service in stack["services"].items():
        if replicated(service):
            assert service["stop_grace_period"] == "20s", name
            assert float(service.get("environment", {}).get("DRAIN_SECONDS", 4)) + 6 <= 10


@pytest.mark.parametrize("part", ["gateway", "frontend"])
def test_nginx_gets_a_whole_configuration(part: str) -> None:
    text = (SHOP / part / "nginx.conf").read_text(encoding="utf-8")

    assert "\nevents {" in text
    assert "\nhttp {" in text
    assert text.count("{") == text.count("}")


def test_the_gateway_sends_each_path_to_the_service_and_port_of_the_stack() -> None:
    text = (SHOP / "gateway/nginx.conf").read_text(encoding="utf-8")

    for name, port in (
        ("frontend", 80),
        ("users-service", 4000),
        ("products-service", 3000),
        ("orders-service", 5000),
    ):
        # nginx runs no `set` after `rewrite … break`.
        location = next(part for part in text.split("location ") if f"tasks.{name};" in part)
        assert f"set $service tasks.{name};" in location
        assert f"proxy_pass http://$service:{port};" in location
        assert "rewrite" not in location[: location.index("set $")]
