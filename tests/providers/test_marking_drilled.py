"""Somebody's own cluster, with the reference on it, is drilled over SSH and then what it was."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from pytest_swarmlab.marking.rubric import DRILL
from pytest_swarmlab.model import Topology
from pytest_swarmlab.providers.uml.state import State
from pytest_swarmlab.swarm.cluster import Swarm
from tests.marking.assemble import REFERENCE
from tests.providers.conftest import inventory_of
from tests.providers.test_marking import SWARMLAB, verdicts
from tests.providers.test_no_harm import differences, seen, state

SHOWN = ("2.1.", "2.2.", "2.4.nfs-volume.", "2.7.", "2.8.", "2.9.")
"""Of whose checks each is to pass; the others write as their owner."""

LEAVES = ("marks", "rules", "units")
"""What tasks and their ports leave wherever they run: containers, rules, mounts."""

THEIR_DATA = re.compile(r"/((srv|mnt)/nfs/swarm-data/[^/ ]+|var/backups/swarm)/")
"""What databases on the share write while they run: PostgreSQL, MySQL, RabbitMQ. And the backup
that their unit takes once more."""


@pytest.mark.long
def test_the_reference_is_drilled_where_it_is_and_put_back(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("somebody")
    with inventory_of(Topology.of(), directory, REFERENCE) as inventory:
        with seen(inventory, tmp_path_factory.mktemp("before")) as swarm:
            before, services = kept(swarm), definitions(swarm)
            secret, clusters = keys(swarm), standing()
        done = subprocess.run(
            [
                sys.executable, "-c", SWARMLAB, "mark", "--inventory", str(inventory),
                "--allow-destructive", str(REFERENCE),
            ],
            cwd=directory, capture_output=True, text=True, check=False,
        )  # fmt: skip
        with seen(inventory, tmp_path_factory.mktemp("after")) as swarm:
            left, changed = differences(before, kept(swarm)), definitions(swarm)
        # The throw-away machines have gone, and with them what was in the backup.
        assert standing() == clusters
    said = done.stdout[-8000:] + done.stderr[-2000:]
    run = directory / "reports/latest"
    found = verdicts(run)
    assert {check: verdict for check, verdict in found.items() if verdict == "fail"} == {}, said
    # Nothing is lost, and what could not be shown there is ungraded.
    assert done.returncode == 6, said
    shown = {check for check in found if DRILL.fullmatch(check) and check.startswith(SHOWN)}
    assert {check: found[check] for check in shown if found[check] != "pass"} == {}
    assert changed == services
    assert left == []
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
