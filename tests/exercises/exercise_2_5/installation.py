"""WordPress is installed, and read through every node: at once, and after each loss."""

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import each, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, members_of, not_each
from pytest_swarmlab.model import Judgement

from .declared import INSTALLED, LOSSES, exercise
from .events import Environment, Installed, ReadBack
from .seen import not_after, not_installed, running
from .setting import DATABASE, REPLICAS, WORDPRESS

KEEPS = ("PASSWORD", "_KEY", "_SALT")
"""Parts of the names of variables with a secret value."""


@exercise.check(
    "replicas",
    phases=INSTALLED,
    title="The database and three replicas of WordPress run",
    expected=f"{DATABASE} 1/1, {WORDPRESS} {REPLICAS}/{REPLICAS}",
    hint="`docker stack ps wp`: has a worker the label storage=nfs, do the NFS directories exist?",
)
def replicas(record: Record) -> Judgement:
    """As in `docker stack services`."""
    return running(record, {DATABASE: 1, WORDPRESS: REPLICAS}, ("the phase", 0.0))


@exercise.check(
    "installed",
    phases=INSTALLED,
    title="WordPress is installed over HTTP",
    expected="the installation's form is answered with 200 and Success!",
    hint="`docker service logs wp_wordpress`: does it reach the database, and with which password?",
)
def installed(record: Record) -> Judgement:
    """The lab's first test."""
    seen = need(record, Installed, "WordPress was not installed")
    told = f"status {seen.status}: {seen.said}"
    return passed(told) if seen.status == 200 and seen.success else failed(told)


@exercise.check(
    "no-password-in-a-definition",
    phases=INSTALLED,
    title="No service's definition has a password, key or salt",
    expected="every such variable names a file below /run/secrets; no secret's value is in it",
    hint="`docker service inspect wp_db`: everybody who may ask a manager can read Env.",
)
def no_password_in_a_definition(record: Record) -> Judgement:
    """Both services are looked at; the record shows a secret by its name only."""
    seen = {e.service: e for e in each(record, Environment)}
    if missing := {DATABASE, WORDPRESS} - set(seen):
        return unknown(f"nobody looked at {', '.join(sorted(missing))}")
    told, bare = [], []
    for name, definition in sorted(seen.items()):
        kept = [word for word in definition.env if any(k in word.partition("=")[0] for k in KEEPS)]
        files = [word for word in kept if _is_file(word)]
        told.append(f"{name}: {len(files)} of {len(kept)} name a file")
        bare += [f"{name} {word.partition('=')[0]}" for word in kept if word not in files]
        bare += [f"{name} shows {secret}" for secret in definition.shows]
        if not kept:
            return unknown(f"{name} has no password at all")
    return failed("; ".join(bare)) if bare else passed("; ".join(told))


def _is_file(word: str) -> bool:
    name, _, value = word.partition("=")
    return name.endswith("_FILE") and value.startswith("/run/secrets/")


READS = {
    "post": ("The post is there, through every node", "its title"),
    "picture": ("The picture is there, through every node", "the uploaded bytes"),
    "login": (
        "The login of the beginning is still valid, through every node",
        "its cookies are accepted",
    ),
}
READ_HINTS = {
    "post": "Is it another database? `docker volume inspect wp_db-data` where its task runs.",
    "picture": "Does every replica mount the same wp-content? `docker volume inspect` on its node.",
    "login": "Do all replicas have the same keys and salts? Each container generates its own"
    " unless the stack gives them.",
}


def _declare_reads() -> None:
    for what, (title, expected) in READS.items():

        def judge(record: Record, what: str = what) -> Judgement:
            return _read(record, what)

        exercise.check(
            what,
            phases=INSTALLED + LOSSES,
            title=title,
            expected=expected,
            hint=READ_HINTS[what],
        )(judge)


_declare_reads()


def _read(record: Record, what: str) -> Judgement:
    if refused := not_installed(record):
        return refused
    seen = [e for e in each(record, ReadBack, what=what) if e.node]
    if not seen:
        return unknown("it was not read")
    wrong = [
        f"{e.node}: {e.error or e.found}" for e in seen if not e.found or e.found != e.expected
    ]
    nodes = [e.node for e in seen]
    missing = not_each(nodes, members_of(record), "looked through")
    missing += not_after(record, ("the reading", min(e.t for e in seen)))
    told = f"{seen[0].found} through {', '.join(nodes)}"
    return judged(told, wrong=wrong, missing=missing)
