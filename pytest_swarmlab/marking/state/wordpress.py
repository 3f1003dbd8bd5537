"""Criterion "Stack WordPress": exercise 2.5's services, and whether their data survives."""

from __future__ import annotations

import re

from pytest_swarmlab.errors import Unseen
from pytest_swarmlab.marking.state.basis import Look, exercise, judged
from pytest_swarmlab.model import Judgement
from pytest_swarmlab.survey import readings
from pytest_swarmlab.survey.machine import Attached
from pytest_swarmlab.survey.seen import NodeRow, Service

REPLICAS = 3
"""The lab asks for three."""

SALTS = tuple(
    f"WORDPRESS_{use}_{kind}"
    for kind in ("KEY", "SALT")
    for use in ("AUTH", "SECURE_AUTH", "LOGGED_IN", "NONCE")
)
"""WordPress's keys and salts; without them each container generates its own."""

CONSTRAINT = re.compile(r"^\s*([\w.-]+)\s*(==|!=)\s*(.+?)\s*$")
LABEL = "node.labels."


def runs(look: Look, service: Service, least: int) -> Judgement:
    """Whether all wanted replicas of the service run, and at least `least` are wanted."""
    wanted = service.wanted
    if wanted is None:
        # One on each node that fits: as many as the managers want to run.
        wanted = sum(task.desired == "running" for task in look.survey.tasks_of(service))
    seen = f"{service.name} asks for {wanted} replicas"
    running = len(look.running(service))
    wrong = [] if running >= wanted else [f"{running} run"]
    wrong += [] if wanted >= least else [f"the lab asks for {least}"]
    return judged(f"{seen}, {running} run", wrong=wrong)


@exercise.claim(
    "wordpress",
    "deployed",
    title="WordPress runs",
    expected="at least one replica of WordPress and one of its database run; without a database"
    " every page is an error",
    hint="Exercise 2.5: `docker stack deploy`; `docker service ps --no-trunc` shows why a task does"
    " not start.",
)
def deployed(look: Look) -> Judgement:
    """The service that plays WordPress, and the one that plays its database."""
    site = look.player("wordpress")
    if site is None:
        return judged(f"{len(look.services)} services", wrong=[str(look.cast["wordpress"])])
    running = len(look.running(site))
    wrong = [] if running else ["no replica runs"]
    found = look.player("wordpress-database")
    if found is None:
        wrong.append(str(look.cast["wordpress-database"]))
    elif not look.running(found):
        wrong.append(f"its database, {found.name}, does not run")
    return judged(f"{running} replicas of {site.name} run", wrong=wrong)


@exercise.claim(
    "wordpress",
    "replicas",
    title="WordPress runs in three replicas",
    expected="at least three replicas are wanted, and all of them run",
    hint="Exercise 2.5: start with one, then `docker service scale wp_wordpress=3`.",
)
def replicas(look: Look) -> Judgement:
    """The service that plays WordPress."""
    site = look.player("wordpress")
    if site is None:
        return judged(f"{len(look.services)} services", wrong=["no service is WordPress"])
    return runs(look, site, REPLICAS)


@exercise.claim(
    "wordpress",
    "database",
    title="WordPress's database runs",
    expected="the service that WORDPRESS_DB_HOST names exists, and its one replica runs",
    hint="`docker service ps` of the database: the column ERROR.",
)
def database(look: Look) -> Judgement:
    """The service that plays WordPress's database."""
    found = look.player("wordpress-database")
    if found is None:
        wrong = [str(look.cast["wordpress-database"])]
        return judged(f"{len(look.services)} services", wrong=wrong)
    return runs(look, found, 1)


def _distributed(look: Look, service: Service, attached: Attached | None, what: str) -> Judgement:
    if attached is None:
        return judged(service.name, wrong=[f"{what} is in the container, and is lost with it"])
    if how := readings.distributed(look.survey, attached):
        return judged(f"{service.name}: {how}")
    missing = [f"volumes of {m.name}" for m in look.members("volumes") if m.volumes is None]
    seen = f"{service.name} keeps {what} in the {attached.kind} {attached.source}"
    if attached.kind == "volume" and not attached.options and missing:
        return judged(seen, missing=missing)
    return judged(seen, wrong=["no other node has it"])


@exercise.claim(
    "wordpress",
    "database-on-nfs",
    title="Every node can reach the database's data",
    expected="its data directory is a volume of type nfs or of a plugin, or a bind below a share",
    hint="Exercise 2.5: `driver_opts: type: nfs` of db-data.",
)
def database_distributed(look: Look) -> Judgement:
    """The mount at the database's data directory."""
    found = look.needed("wordpress-database")
    return _distributed(look, found, readings.data_of(found), "its data")


@exercise.claim(
    "wordpress",
    "content-on-nfs",
    title="All replicas share uploaded files",
    expected="wp-content, or all of /var/www/html, is a volume of type nfs, or a bind below it",
    hint="Exercise 2.5: `driver_opts: type: nfs` of wp-content.",
)
def content_distributed(look: Look) -> Judgement:
    """The mount at WordPress's content."""
    site = look.needed("wordpress")
    place = next((a for a in site.attached if a.target.rstrip("/").startswith("/var/www")), None)
    place = next((a for a in site.attached if "wp-content" in a.target), place)
    return _distributed(look, site, place, "its content")


@exercise.claim(
    "wordpress",
    "constraint",
    title="A node label decides where the database runs",
    expected="a constraint such as `node.labels.storage == nfs`",
    hint="Exercise 2.5: `deploy: placement: constraints`.",
)
def constraint(look: Look) -> Judgement:
    """The constraints of the database's service."""
    found = look.needed("wordpress-database")
    seen = f"{found.name} has the constraints {', '.join(found.constraints) or 'none'}"
    good = any(each.replace(" ", "").startswith(LABEL) for each in found.constraints)
    return judged(seen, wrong=[] if good else ["no constraint names a node label"])


def fits(row: NodeRow, constraints: tuple[str, ...]) -> bool:
    """Whether a node satisfies them. Raises Unseen for a constraint that can't be parsed."""
    for each in constraints:
        match = CONSTRAINT.match(each)
        if match is None:
            raise Unseen(f"the constraint {each!r} can't be read")
        key, sign, value = match.groups()
        if key.startswith(LABEL):
            has = row.labels.get(key.removeprefix(LABEL), "")
        elif key in {"node.role", "node.hostname", "node.id"}:
            has = {"node.role": row.role, "node.hostname": row.name, "node.id": row.id}[key]
        else:
            raise Unseen(f"the survey does not read {key}")
        if (has.lower() == value.lower()) is not (sign == "=="):
            return False
    return True


@exercise.claim(
    "wordpress",
    "label",
    title="Another node can run the database when its node is lost",
    expected="at least two nodes satisfy its constraints and accept tasks",
    hint="`docker node update --label-add storage=nfs NODE` for every node that may run it: with"
    " one labelled node the site is lost with that node.",
)
def label(look: Look) -> Judgement:
    """Labels of the active nodes."""
    found = look.needed("wordpress-database")
    rows = [row for row in look.nodes if not row.leftover and row.availability == "active"]
    there = [row.machine or row.name for row in rows if fits(row, found.constraints)]
    wrong = [] if len(there) >= 2 else ["no second node may run the database"]
    return judged(f"{found.name} may run on {', '.join(there) or 'no node'}", wrong=wrong)


@exercise.claim(
    "wordpress",
    "one-writer",
    title="Two database servers never use one data directory",
    expected="one replica, and updates in the order stop-first",
    hint="`replicas: 1` and `update_config: order: stop-first` of the database.",
)
def one_writer(look: Look) -> Judgement:
    """Replicas and update order."""
    found = look.needed("wordpress-database")
    wrong = [] if found.wanted == 1 else [f"{found.wanted or 'as many as nodes'} replicas"]
    wrong += [f"updates are {found.update.order}"] if found.update.order != "stop-first" else []
    return judged(f"{found.name}: {found.wanted} replica, {found.update.order}", wrong=wrong)


@exercise.claim(
    "wordpress",
    "salts",
    title="A login at one replica is valid at the others",
    expected="all eight keys and salts are set (…_KEY, …_SALT, or their …_FILE)",
    hint="Without WORDPRESS_AUTH_KEY and the other seven each container generates its own: create"
    " eight secrets, and name their files in variables that end with _FILE.",
)
def salts(look: Look) -> Judgement:
    """WordPress's variables."""
    site = look.needed("wordpress")
    has = {variable.name.removesuffix("_FILE") for variable in site.variables}
    lacking = [name for name in SALTS if name not in has]
    wrong = [f"not set: {', '.join(lacking)}"] if lacking else []
    return judged(f"{site.name} has {len(SALTS) - len(lacking)} of {len(SALTS)}", wrong=wrong)


@exercise.claim(
    "wordpress",
    "database-private",
    title="WordPress's database publishes no port",
    expected="no published port",
    hint="Services in one network reach each other without `ports:`.",
)
def database_private(look: Look) -> Judgement:
    """The ports of the database's service."""
    found = look.needed("wordpress-database")
    wrong = [f"port {port.target} is published as {port.published}" for port in found.ports]
    return judged(found.name, wrong=wrong)
