"""Criterion "Gestion secrets/configs": no secret stands in plain, and configs have versions."""

from __future__ import annotations

import re

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.marking import players
from pytest_swarmlab.marking.state import sends_on
from pytest_swarmlab.marking.state.basis import Look, exercise, judged, names
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.survey import readings
from pytest_swarmlab.survey.seen import Service

SECRETS = "/run/secrets/"

VERSIONED = re.compile(
    r"(?:^|[._-])(?:v?\d+(?:[._]\d+)*|[0-9a-f]{6,64}|20\d\d-?\d\d-?\d\d(?:[._-]?\d+)*)(?:$|[._-])",
    re.IGNORECASE,
)
"""A name with a version, a digest of the content, or a date."""

VERSION_LABEL = re.compile(r"version|revision|digest|org\.swarmlab\.config", re.IGNORECASE)
READABLE = 0o007


@exercise.claim(
    "secrets-configs",
    "variables",
    title="No environment variable holds a secret",
    expected="no password, key or token in the environment of any service",
    hint="Exercise 2.5: create a secret, and name its file in a variable: `…_PASSWORD_FILE:"
    " /run/secrets/…`. `docker service inspect` shows all variables.",
)
def variables(look: Look) -> Judgement:
    """A variable is known as a secret by its name, or by a password in a URL."""
    there = look.deployed
    wrong = [
        f"{service.name}: {variable.name}"
        for service in there
        for variable in service.variables
        if variable.plain_secret
    ]
    return judged(f"{len(there)} services", wrong=wrong, missing=look.unkept("services"))


@exercise.claim(
    "secrets-configs",
    "words",
    title="No command, health check or label holds a secret",
    expected="no password, key or token in the command, health check or labels of any service",
    hint="`docker service inspect` and `ps` show a command such as `redis-server --requirepass …`:"
    " read the password from /run/secrets in the container.",
)
def words(look: Look) -> Judgement:
    """A password is known by the option or form in which a program takes it."""
    there, wrong = look.deployed, []
    for service in there:
        check = service.health.test.plain if service.health else 0
        for what, plain in (
            ("its command", service.command.plain),
            ("its health check", check),
            ("its labels", service.labels.plain),
        ):
            if plain:
                wrong.append(f"{service.name}: {what}")
    return judged(f"{len(there)} services", wrong=wrong, missing=look.unkept("services"))


@exercise.claim(
    "secrets-configs",
    "configs-plain",
    title="No config holds a secret",
    expected="no password, key or token in any config",
    hint="`docker config inspect` shows a config's content: use a secret instead.",
)
def configs_plain(look: Look) -> Judgement:
    """The content of configs."""
    there = look.configs
    if not there:
        raise Unseen("there is no config")
    wrong = [config.name for config in there if config.plain]
    return judged(f"{len(there)} configs", wrong=wrong, missing=look.unkept("configs"))


@exercise.claim(
    "secrets-configs",
    "used",
    title="Services mount secrets",
    expected="at least one service mounts a secret",
    hint="Exercise 2.6: `docker secret create`, and `secrets:` of a service.",
)
def used(look: Look) -> Judgement:
    """The secrets of each service."""
    there = [service for service in look.services if service.secrets]
    seen = f"services with secrets: {names(there)}"
    return judged(seen, wrong=[] if there else ["the lab asks for secrets"])


@exercise.claim(
    "secrets-configs",
    "targets",
    title="Each variable that names a secret's file names one that is mounted",
    expected="for each path in /run/secrets in a variable a secret with that target",
    hint="`--secret-add db_password_v2` alone mounts the new secret at another path:"
    " `--secret-add source=db_password_v2,target=db_password`.",
)
def targets(look: Look) -> Judgement:
    """Paths in variables against the targets of secrets."""
    asked, wrong = 0, []
    for service in look.services:
        there = {given.target for given in service.secrets}
        for variable in service.variables:
            if variable.value.startswith(SECRETS):
                asked += 1
                if variable.value not in there:
                    wrong.append(f"{service.name}: {variable.name} is {variable.value}")
    if not asked:
        raise Unseen("no variable names a file in /run/secrets")
    return judged(f"{asked} variables", wrong=wrong, missing=look.unkept("services"))


def applications(look: Look) -> list[Service]:
    """Services with secrets, without WordPress and databases, whose images set the mode."""
    return [
        service
        for service in look.services
        if service.secrets and not readings.is_a(service, readings.DATABASES | {"wordpress"})
    ]


def _certificate(name: str) -> bool:
    """Whether a secret of that name is a certificate, which every user may read, not its key."""
    return bool(players.CERTIFICATE.search(name)) and "key" not in name.lower()


@exercise.claim(
    "secrets-configs",
    "modes",
    title="Only an application's own user can read its secrets",
    expected="only owner and group can read passwords and keys that applications mount",
    hint="Exercise 2.6: `mode: 0400`, with the `uid` of the program's user. A certificate may be"
    " readable by every user.",
)
def modes(look: Look) -> Judgement:
    """Modes of secrets, without those of WordPress and databases."""
    there = applications(look)
    if not there:
        wrong = ["no application mounts a secret, and exercise 2.6 asks for one"]
        return judged(f"{len(look.services)} services", wrong=wrong)
    wrong = [
        f"{service.name}: {given.target} has mode {given.mode:04o}"
        for service in there
        for given in service.secrets
        if given.mode & READABLE and not _certificate(given.name)
    ]
    return judged(f"secrets of {names(there)}", wrong=wrong)


@exercise.claim(
    "secrets-configs",
    "config-used",
    title="A proxy has its configuration from a config",
    expected="a web server with a config that forwards requests to an existing service",
    hint="Exercise 2.7: `docker config create`, and `configs:` with a target below /etc/nginx."
    " `proxy_pass` must name a service in a network of the proxy: the lab's text has none.",
)
def config_used(look: Look) -> Judgement:
    """The service that plays the proxy, which is known by the content of its config."""
    there, proxy = look.configs, look.player("proxy")
    if proxy is None:
        seen = f"{len(look.services)} services, {len(there)} configs"
        return judged(seen, wrong=[str(look.cast["proxy"])])
    mounted = {given.name for given in proxy.configs}
    named = {
        name
        for config in there
        if config.name in mounted
        for host in sends_on.hosts(config.text or "")
        if (name := sends_on.of_the_swarm(host))
    }
    if not named or named & _known_to(look, proxy):
        return judged(str(look.cast["proxy"]))
    said = ", ".join(sorted(named))
    unseen = [m.name for m in look.members("containers") if m.containers is None]
    return judged(
        f"{look.cast['proxy']}, to {said}",
        wrong=[] if unseen else ["no service in the proxy's networks has that name"],
        missing=[f"containers of {name}" for name in unseen],
    )


def _known_to(look: Look, proxy: Service) -> set[str]:
    """Names of the services in the proxy's networks, and of containers without a service."""
    near = [each for each in look.services if set(each.networks) & set(proxy.networks)]
    alone = [
        container.name
        for machine in look.members("containers")
        for container in machine.containers or ()
        if not container.service
    ]
    return {name for each in near for name in (each.name, *each.aliases)} | set(alone)


@exercise.claim(
    "secrets-configs",
    "config-versioned",
    title="The name or a label of the proxy's config has a version",
    expected="a version, a date or a digest in the config's name or in a label",
    hint="Swarm can't change a config, only replace it: nginx_config_v2, or a name with a digest of"
    " the content.",
)
def config_versioned(look: Look) -> Judgement:
    """Names and labels of the configs that the proxy mounts."""
    proxy = look.needed("proxy")
    labels = {config.name: config.labels for config in look.configs}
    wrong = [
        given.name
        for given in proxy.configs
        if not VERSIONED.search(given.name)
        and not any(VERSION_LABEL.search(each) for each in labels.get(given.name, ()))
    ]
    return judged(f"{proxy.name} has {', '.join(g.name for g in proxy.configs)}", wrong=wrong)


@exercise.claim(
    "secrets-configs",
    "without-gap",
    title="A change of the proxy's configuration interrupts no request",
    expected="at least two replicas, or updates in the order start-first",
    hint="Exercise 2.7: if the only replica stops before the next one starts, requests fail in"
    " between.",
)
def without_gap(look: Look) -> Judgement:
    """Replicas and update order."""
    proxy = look.needed("proxy")
    good = proxy.wanted is None or proxy.wanted >= 2 or proxy.update.order == "start-first"
    seen = f"{proxy.name}: {proxy.wanted} replicas, updates are {proxy.update.order}"
    return judged(seen, wrong=[] if good else ["no replica runs during an update"])
