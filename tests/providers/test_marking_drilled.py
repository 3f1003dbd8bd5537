"""Somebody's own cluster, with the reference on it, is drilled over SSH and then what it was."""

from __future__ import annotations

import json
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.evidence.events import TaskSeen
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.marking.rubric import DRILL
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.uml.state import State
from pytest_swarmlab.swarm.cluster import Node, Swarm
from pytest_swarmlab.waiting.waiter import Done, Pending, Waiter, done, pending
from tests.exercises.answered import Refused
from tests.exercises.exercise_2_5.site import INSTALLER, Answers, Site, png
from tests.exercises.submission import stored
from tests.marking.assemble import REFERENCE
from tests.providers.conftest import inventory_of
from tests.providers.test_marking import SWARMLAB, verdicts
from tests.providers.test_no_harm import differences, seen, state

WRITTEN = ("2.5.db-recreated.", "2.5.scaled.")
"""Whose checks a guest's posts are for, where nobody can cut power."""

SHOWN = ("2.1.", "2.2.", "2.4.nfs-volume.", "2.5.", "2.6.", "2.7.", "2.8.", "2.9.")
"""Of whose checks each is to pass."""

LEAVES = ("marks", "rules", "units")
"""What tasks and their ports leave wherever they run: containers, rules, mounts."""

UPLOADS = "/srv/nfs/swarm-data/wordpress/uploads"

FORGOTTEN_S = 90
"""Longest until a node has forgotten a directory of the share that another has removed, seconds:
`acdirmax` is 60 (nfs(5))."""

THEIR_DATA = re.compile(
    r"/((srv|mnt)/nfs/swarm-data/[^/ ]+/|var/backups/swarm[/ ]|tmp/runc-process)"
)
"""What databases on the share write while they run: PostgreSQL, MySQL, RabbitMQ. The backup that
their unit takes, the first on that manager; and what runc has in /tmp while a health check runs."""

BOOT = re.compile(
    r"(?!.*swarmlab)\S+: (files: [+-]/run/systemd/(system|system-generators|generator)/.*"
    r"|masked: -.* masked-runtime .*|units: \+.* active)"
)
"""What a boot makes of a machine that lost power: an embedded machine's first one starts less."""

TABLES = "SELECT CONCAT('table ', table_name) FROM information_schema.tables WHERE table_schema ="
ROWS = (
    "SELECT CONCAT('user ', ID, ' ', user_login) FROM wordpress.wp_users;"
    "SELECT CONCAT('about a user ', umeta_id) FROM wordpress.wp_usermeta"
    " WHERE meta_key != 'session_tokens';"
    "SELECT CONCAT('post ', ID, ' ', post_type, ' ', post_title) FROM wordpress.wp_posts;"
    "SELECT CONCAT('about a post ', meta_id) FROM wordpress.wp_postmeta;"
    "SELECT CONCAT('comment ', comment_ID) FROM wordpress.wp_comments;"
    "SELECT CONCAT('about a comment ', meta_id) FROM wordpress.wp_commentmeta;"
)
"""What is in their WordPress's database. Its options are its own notes of what is cached or due."""


@pytest.mark.long
def test_the_reference_is_drilled_where_it_is_and_put_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("somebody")
    with inventory_of(Topology.of(), directory, REFERENCE) as inventory:
        with seen(inventory, tmp_path_factory.mktemp("before")) as swarm:
            before, services, empty = kept(swarm), definitions(swarm), blog(swarm)
            secret, clusters = keys(swarm), standing()
        # A WordPress that nobody has installed, and no power is cut: tasks that fail then count for
        # ten minutes as those of a service that fails repeatedly. Then one that its owner has.
        marked(powerless(inventory), directory, "--", "-k", "what_was_written_survives")
        first = Record.load(directory / "reports/latest/events.jsonl").of("check")
        with seen(inventory, tmp_path_factory.mktemp("between")) as swarm:
            empty_again = blog(swarm)
            install_as_owner(swarm)
            blogged = blog(swarm)
        done = marked(inventory, directory)
        with seen(inventory, tmp_path_factory.mktemp("after")) as swarm:
            left = [each for each in differences(before, kept(swarm)) if not BOOT.fullmatch(each)]
            changed = definitions(swarm)
            blogged_after = blog(swarm)
        # The throw-away machines have gone, and with them what was in the backup.
        assert standing() == clusters
    said = done.stdout[-8000:] + done.stderr[-2000:]
    run = directory / "reports/latest"
    found = verdicts(run)
    seen_first = {e.data["id"]: e.data["verdict"] for e in first}
    shown_first = {c: v for c, v in seen_first.items() if c.startswith(WRITTEN)}
    assert set(shown_first.values()) == {"pass"}, shown_first
    assert empty == empty_again == set()
    assert blogged_after == blogged
    gone = Record.load(run / "events.jsonl").of("gone")
    assert [event.data["left"] for event in gone] == [0]
    assert {check: verdict for check, verdict in found.items() if verdict == "fail"} == {}, said
    # Nothing is lost, and nothing ungraded.
    assert done.returncode == 0, said
    shown = {check for check in found if DRILL.fullmatch(check) and check.startswith(SHOWN)}
    assert {check: found[check] for check in shown if found[check] != "pass"} == {}
    assert changed == services
    assert not left, "\n".join(left)
    written = {path: path.read_bytes() for path in run.resolve().rglob("*") if path.is_file()}
    assert [path for path, content in written.items() for key in secret if key in content] == []


def keys(swarm: Swarm) -> list[bytes]:
    """What a backup has, and nothing that a run writes may have: tokens and private keys."""
    tokens = swarm.leader().engine.api.inspect_swarm()["JoinTokens"].values()
    private = [
        node.get("/var/lib/docker/swarm/certificates/swarm-node.key").splitlines()[1:-1]
        for node in swarm.managers()
    ]
    return [
        *(token.encode() for token in tokens),
        *(line for key in private for line in key if len(line) > 20),
    ]


def standing() -> list[str]:
    """The embedded clusters of this user."""
    return [state.path.name for state in State.all()]


def powerless(inventory: Path) -> Path:
    """The same machines in an inventory without power commands."""
    lines = inventory.read_text(encoding="utf-8").splitlines(keepends=True)
    other = inventory.with_name("powerless.yml")
    other.write_text(
        "".join(line for line in lines if not line.startswith("power:")), encoding="utf-8"
    )
    return other


def marked(inventory: Path, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, as the owner of that cluster types it."""
    return subprocess.run(
        [
            sys.executable, "-c", SWARMLAB, "mark", "--inventory", str(inventory),
            "--allow-destructive", str(REFERENCE), *words,
        ],
        cwd=directory, capture_output=True, text=True, check=False,
    )  # fmt: skip


def install_as_owner(swarm: Swarm) -> None:
    """The owner's own user, post, comment and picture."""
    owner, node = Site(swarm.nodes, swarm.recorder), swarm.nodes[0]
    Waiter()(Answers(owner, node, INSTALLER), within=240)
    owner.install(node)
    owner.log_in(node)
    owner.get_nonce(node)
    post = owner.write_post(node, "The owner's own")
    owner.write_comment(node, post, "by himself")
    picture = Waiter()(Uploaded(owner, node), within=FORGOTTEN_S)
    Waiter()(SeenByAll(swarm, picture), within=FORGOTTEN_S)
    owner.close()


class Uploaded:
    """The site takes a picture."""

    name = "the site takes a picture"

    def __init__(self, site: Site, node: Node) -> None:
        self._site = site
        self._node = node
        self.node = node.name

    def __call__(self) -> Done[str] | Pending:
        """Upload one; finds the path at which it is served."""
        try:
            return done(self._site.upload(self._node, f"{secrets.token_hex(4)}.png", png()))
        except Refused as error:
            return pending(str(error))


class SeenByAll:
    """Each replica's machine sees a file in a directory that was removed, and made again."""

    name = "each replica sees the picture"
    node = None

    def __init__(self, swarm: Swarm, path: str) -> None:
        self._swarm = swarm
        self._path = f"/var/www/html{path}"

    def __call__(self) -> Done[None] | Pending:
        """Look in each."""
        blind = [
            task.node
            for task in self._swarm.tasks("wp_wordpress")
            if task.running and task.container and not self._sees(task)
        ]
        return pending(f"not on {', '.join(blind)}") if blind else done(None)

    def _sees(self, task: TaskSeen) -> bool:
        words = ("docker", "exec", task.container, "test", "-e", self._path)
        return self._swarm.node(task.node).look(*words, check=False).code == 0


def blog(swarm: Swarm) -> set[str]:
    """Users, posts, comments and files of their WordPress; none where it is not installed."""
    tables = set(_asked(swarm, f"{TABLES} 'wordpress';"))
    rows = set(_asked(swarm, ROWS)) if tables else set()
    # On the server: what a client has not found, it does not look for again for a while.
    files = swarm.nodes[0].look("find", UPLOADS, check=False).stdout.splitlines()
    return {*tables, *rows, *files}


def _asked(swarm: Swarm, statements: str) -> list[str]:
    node, container = _running(swarm, "wp_db")
    words = ("docker", "exec", "--interactive", container, "sh", "-c", stored.MYSQL)
    return node.look(*words, stdin=statements.encode()).stdout.splitlines()


def _running(swarm: Swarm, service: str) -> tuple[Node, str]:
    task = next(task for task in swarm.tasks(service) if task.running)
    return swarm.node(task.node), task.container


def kept(swarm: Swarm) -> dict[str, set[str]]:
    """What its owner would miss, or find."""
    return {
        what: {line for line in lines if not THEIR_DATA.match(line)}
        for what, lines in state(swarm).items()
        if not what.endswith(LEAVES)
    }


def definitions(swarm: Swarm) -> dict[str, Any]:
    """Every service as it is defined, but for how often its tasks were renewed."""
    found = {}
    for service in swarm.leader().engine.api.services():
        spec = service["Spec"]
        spec["TaskTemplate"].pop("ForceUpdate", None)
        found[spec["Name"]] = json.dumps(spec, sort_keys=True)
    return found
