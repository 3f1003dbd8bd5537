"""Criterion "Gestion secrets/configs": what is secret is nowhere to be read, and what has a version
says so.
"""

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
"""A name that tells a version, a digest of the content, or a date."""

VERSION_LABEL = re.compile(r"version|revision|digest|org\.swarmlab\.config", re.IGNORECASE)
READABLE = 0o007


@exercise.claim(
    "secrets-configs",
    "variables",
    title="No variable holds a secret",
    expected="no password, key or token in the environment of any definition",
    hint="Exercise 2.5: a secret, and a variable that names its file: `…_PASSWORD_FILE:"
    " /run/secrets/…`. Whoever may inspect a service reads its variables.",
)
def variables(look: Look) -> Judgement:
    """Variables whose name, or a password in a URL, gives them away."""
    wrong = [
        f"{service.name}: {variable.name}"
        for service in look.services
        for variable in service.variables
        if variable.plain_secret
    ]
    return judged(f"{len(look.services)} services", wrong=wrong, missing=look.unkept("services"))


@exercise.claim(
    "secrets-configs",
    "words",
    title="No command, health check or label holds one",
    expected="no password, key or token in the words of any definition",
    hint="A command such as `redis-server --requirepass …` stands in the definition and in the list"
    " of processes: read it from /run/secrets in the container.",
)
def words(look: Look) -> Judgement:
    """Forms in which programs are given passwords."""
    wrong = []
    for service in look.services:
        check = service.health.test.plain if service.health else 0
        for what, plain in (
            ("its command", service.command.plain),
            ("its health check", check),
            ("its labels", service.labels.plain),
        ):
            if plain:
                wrong.append(f"{service.name}: {what}")
    return judged(f"{len(look.services)} services", wrong=wrong, missing=look.unkept("services"))


@exercise.claim(
    "secrets-configs",
    "configs-plain",
    title="No config holds one",
    expected="no password, key or token in any config",
    hint="Everybody who may list configs reads them: a secret in a config's place.",
)
def configs_plain(look: Look) -> Judgement:
    """What configs say."""
    there = look.configs
    wrong = [config.name for config in there if config.plain]
    return judged(f"{len(there)} configs", wrong=wrong, missing=look.unkept("configs"))


@exercise.claim(
    "secrets-configs",
    "used",
    title="Services are given secrets",
    expected="at least one service mounts a secret",
    hint="Exercise 2.6: `docker secret create`, and `secrets:` of a service.",
)
def used(look: Look) -> Judgement:
    """Who mounts any."""
    there = [service for service in look.services if service.secrets]
    seen = f"secrets are mounted by {names(there)}"
    return judged(seen, wrong=[] if there else ["the lab asks for some"])


@exercise.claim(
    "secrets-configs",
    "targets",
    title="Programs find their secrets where they look for them",
    expected="each variable that names a file in /run/secrets names one that is mounted there",
    hint="A rotation with `--secret-add db_password_v2` alone puts it at another path:"
    " `--secret-add source=db_password_v2,target=db_password`.",
)
def targets(look: Look) -> Judgement:
    """Variables that are paths, against the targets of secrets."""
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
    """Services with secrets besides WordPress and databases, whose images want them as they are."""
    return [
        service
        for service in look.services
        if service.secrets and not readings.is_a(service, readings.DATABASES | {"wordpress"})
    ]


def _certificate(name: str) -> bool:
    """Whether a secret of that name is a certificate, which everybody may read; its key isn't."""
    return bool(players.CERTIFICATE.search(name)) and "key" not in name.lower()


@exercise.claim(
    "secrets-configs",
    "modes",
    title="An application's secrets are for its own user",
    expected="passwords and keys that applications mount are readable by their owner or group only",
    hint="Exercise 2.6: `mode: 0400`, with the `uid` of the program's user. A certificate may be"
    " read by everybody.",
)
def modes(look: Look) -> Judgement:
    """Modes of secrets outside of WordPress and databases."""
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
    title="A proxy's configuration is a config",
    expected="a web server with a config that sends visitors on to something that is there",
    hint="Exercise 2.7: `docker config create`, and `configs:` with a target below /etc/nginx. What"
    " `proxy_pass` names must be a service in one network with the proxy: the lab's text has none.",
)
def config_used(look: Look) -> Judgement:
    """The service that plays the proxy, which is known by what its config says."""
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
        wrong=[] if unseen else ["nothing in its networks is called that"],
        missing=[f"containers of {name}" for name in unseen],
    )


def _known_to(look: Look, proxy: Service) -> set[str]:
    """What others in a service's networks are called; a container of no service by its name."""
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
    title="That config tells its version",
    expected="a version, a date or a digest in its name, or a label that says it",
    hint="A config can't be changed, only be exchanged for another: nginx_config_v2, or a name with"
    " a digest of its content.",
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
    title="Its configuration can be changed with nobody turned away",
    expected="at least two replicas, or updates that are start-first",
    hint="Exercise 2.7: with one replica, stopped before the next is started, visitors are turned"
    " away for as long as that takes.",
)
def without_gap(look: Look) -> Judgement:
    """Replicas and order of updates."""
    proxy = look.needed("proxy")
    good = proxy.wanted is None or proxy.wanted >= 2 or proxy.update.order == "start-first"
    seen = f"{proxy.name}: {proxy.wanted} replicas, updates are {proxy.update.order}"
    return judged(seen, wrong=[] if good else ["it is away during an update"])
