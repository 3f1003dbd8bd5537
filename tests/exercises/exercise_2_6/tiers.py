"""Three tiers with a certificate, a key and a password."""

from __future__ import annotations

from pytest_swarmlab import failed, passed, unknown
from pytest_swarmlab.evidence.events import each, last, need
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.judging.claims import judged, members_of, not_each, out_of_order
from pytest_swarmlab.model import Judgement

from .declared import CERTIFICATE, MULTITIER, exercise
from .events import Asked, Certificates, Definition, Ended, Handshake
from .setting import API, DB, NAME, OLD_ROLE, WEB


@exercise.check(
    "https-with-the-secret",
    phases=MULTITIER + CERTIFICATE,
    title="HTTPS uses the certificate of the secret, through every node",
    expected="a handshake with a certificate of the run's own CA and the secret's fingerprint",
    hint="`docker service logs multitier_web`: can nginx read certificate and key?",
)
def https_with_the_secret(record: Record) -> Judgement:
    """The fingerprint over the wire against that of what went into the secret."""
    seen = each(record, Handshake)
    meant = {e.expected for e in seen}
    if len(meant) != 1 or not all(meant):
        return unknown("the expected certificate was not recorded")
    wrong = [
        f"{e.node}: status {e.status}, certificate {str(e.shown)[:16]}"
        for e in seen
        if e.shown != e.expected or e.status != 200
    ]
    nodes = {e.node for e in seen}
    missing = not_each(nodes, members_of(record), "shook hands through")
    if record.events[-1].phase == exercise.phase(*CERTIFICATE):
        rotated = need(record, Certificates, "the certificates were not recorded")
        ended = last(record, Ended)
        missing += out_of_order(
            ("the end of the rotation", ended.t if ended else None),
            ("the handshakes", min(e.t for e in seen)),
        )
        if meant != {rotated.new}:
            missing.append("the handshakes came before the new certificate")
    told = f"{str(seen[0].shown)[:16]}… through {len(nodes)} nodes"
    return judged(told, wrong=wrong, missing=missing)


@exercise.check(
    "api-key",
    phases=MULTITIER,
    title="The API refuses requests without its key and with a wrong one",
    expected="401 without a key, 401 with a wrong key, 200 with the secret's key",
    hint="`docker service logs multitier_api`: can it read /run/secrets/api_key?",
)
def api_key(record: Record) -> Judgement:
    """The key comes from a secret, and from nowhere else."""
    found = {
        key: need(record, Asked, f"nobody asked with key: {key}", key=key).status
        for key in ("none", "wrong", "right")
    }
    told = ", ".join(f"{key} {status}" for key, status in found.items())
    return (passed if found == {"none": 401, "wrong": 401, "right": 200} else failed)(told)


@exercise.check(
    "database-login",
    phases=MULTITIER,
    title="The API logs in to the database with the secret's password",
    expected=f"a login as {OLD_ROLE} that reads the two items",
    hint="`docker service logs multitier_db`: password authentication failed?",
)
def database_login(record: Record) -> Judgement:
    """The session's user, as the database names it."""
    seen = need(record, Asked, "nobody asked with the key", key="right")
    told = f"user {seen.user}, {seen.items} items"
    return (passed if (seen.user, seen.items) == (OLD_ROLE, 2) else failed)(told)


@exercise.check(
    "no-value-in-a-definition",
    phases=MULTITIER,
    title="No service's definition has a secret's value",
    expected="each password and key is a file below /run/secrets",
    hint="`docker service inspect multitier_api`: everybody who may ask a manager can read Env.",
)
def no_value_in_a_definition(record: Record) -> Judgement:
    """All that `docker service inspect` shows, of the three services."""
    seen = {e.service: e for e in each(record, Definition) if e.shows is not None}
    services = [f"{NAME}_{name}" for name in (WEB, API, DB)]
    if missing := [name for name in services if name not in seen]:
        return unknown(f"nobody looked at {', '.join(missing)}")
    shown = [f"{name} shows {value}" for name in services for value in seen[name].shows or ()]
    secret = [word for name in services for word in seen[name].env if _is_secret(word)]
    bare = [n for n in services[1:] if not any(_is_secret(word) for word in seen[n].env)]
    shown += [word for word in secret if not word.partition("=")[2].startswith("/run/secrets/")]
    missing = [f"no variable of {', '.join(bare)} names a secret's file"] if bare else []
    return judged("; ".join(secret), wrong=shown, missing=missing)


def _is_secret(word: str) -> bool:
    return any(part in word.partition("=")[0] for part in ("PASSWORD", "KEY"))
