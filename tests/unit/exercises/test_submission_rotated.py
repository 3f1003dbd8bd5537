"""A secret of somebody's own cluster is rotated on a swarm of ours; nothing of theirs changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab.errors import HostError, NotConverged, ProviderError
from pytest_swarmlab.evidence.events import NotPerformed
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.marking.declared import Declared, Rotation, Step
from pytest_swarmlab.marking.roles import Cast
from pytest_swarmlab.model import Topology
from pytest_swarmlab.submitted import bringing
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.survey import look
from pytest_swarmlab.survey.seen import Survey
from pytest_swarmlab.swarm import lifecycle
from tests.exercises.submission import rotated
from tests.unit.fakes import Lab

PREPARE = Step("scripts/prepare.sh", on="manager1")
MULTITIER = Step("stacks/multitier-stack.yml", name="multitier")
SHOP = Step("stacks/ecommerce-stack.yml", name="ecommerce")
SAID = Declared(
    steps=(PREPARE, SHOP, MULTITIER), rotation=Rotation(("scripts/rotation.sh",), "key_v1", "/")
)
API = {
    "ID": "api",
    "Spec": {
        "Name": "multitier_api",
        "Labels": {"com.docker.stack.namespace": "multitier"},
        "Mode": {"Replicated": {"Replicas": 2}},
        "TaskTemplate": {
            "Networks": [{"Target": "n1"}],
            "ContainerSpec": {
                "Image": "api:1",
                "Secrets": [{"SecretName": "key_v1", "File": {"Name": "key"}}],
            },
        },
        "EndpointSpec": {"Ports": [{"TargetPort": 80, "PublishedPort": 8080}]},
    },
}


class Ours:
    """The throw-away machines, and what is done with them."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.topology: Topology | None = None
        self.brought: list[tuple[Step, ...]] = []
        self.rotated: list[rotated.Used] = []
        self.gone = False
        self.settles = True

    @contextmanager
    def throw_away(self, topology: Topology) -> Iterator[Any]:
        self.topology = topology
        try:
            yield self.lab.swarm
        finally:
            self.gone = True

    def wait(self, condition: Any, *, within: float) -> Any:
        del within
        if not self.settles:
            raise NotConverged(condition.name, node=None, elapsed=1.0, last="no such image")
        return []


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ours]:
    (tmp_path / "ours").mkdir()
    ours = Ours(Lab(tmp_path / "ours").settle())
    ours.lab.services = [API]
    ours.lab.networks = [{"Id": "n1", "Name": "multitier_back"}]

    def bring(handed_in: Any, steps: tuple[Step, ...], swarm: Any) -> None:
        assert (handed_in, swarm) == (HANDED_IN, ours.lab.swarm)
        ours.brought.append(steps)

    monkeypatch.setattr(lifecycle, "form", lambda _: None)
    monkeypatch.setattr(bringing, "bring", bring)
    monkeypatch.setattr(rotated, "rotate", lambda mine, **_: ours.rotated.append(mine))
    yield ours
    ours.lab.recorder.close()


HANDED_IN: Any = SimpleNamespace()


def used(theirs: Lab, said: Declared = SAID) -> rotated.Used:
    theirs.machines.foreign = True
    theirs.services = [API]
    found: Survey = look.services(theirs.swarm)
    theirs.did.clear()
    return rotated.used(Work(theirs.swarm, found, Cast(found), said, None, HANDED_IN))


def drilled(mine: rotated.Used, ours: Ours, throw_away: Callable[..., Any] | None = None) -> None:
    evidence = Evidence(mine.work.swarm.recorder)
    none: Any = None
    wait: Any = ours.wait
    # No drill is performed here: what is judged is not provable, or unknown.
    with suppress(pytest.fail.Exception, pytest.skip.Exception):
        rotated.rotate_on_new_machines(
            mine, throw_away or ours.throw_away, wait=wait, probe=none, evidence=evidence
        )


def whys(theirs: Lab) -> list[str]:
    return [e.data["why"] for e in theirs.recorder.view().of(NotPerformed.kind)]


def test_scripts_and_the_stack_of_who_uses_it_are_brought_and_it_is_rotated_there(
    lab: Lab, ours: Ours
) -> None:
    drilled(used(lab), ours)
    assert ours.topology == Topology.of()
    assert ours.brought == [(PREPARE, MULTITIER)]
    (there,) = ours.rotated
    assert there.work.swarm is ours.lab.swarm
    assert (there.player.name, there.replicas, there.port) == ("multitier_api", 2, 8080)
    assert there.file == "/run/secrets/key"
    assert whys(lab) == []
    assert ours.gone
    assert lab.did == []


def test_without_machines_of_our_own_it_is_not_provable(lab: Lab, ours: Ours) -> None:
    @contextmanager
    def none(topology: Topology) -> Iterator[Any]:
        del topology
        raise HostError("no node disk is here")
        yield

    drilled(used(lab), ours, none)
    assert whys(lab) == ["no node disk is here"]
    assert (ours.brought, ours.rotated) == ([], [])


def test_a_swarm_of_ours_that_does_not_form_says_nothing_of_theirs(
    lab: Lab, ours: Ours, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise ProviderError("the swarm did not form")

    monkeypatch.setattr(lifecycle, "form", fail)
    drilled(used(lab), ours)
    assert whys(lab) == ["the swarm did not form"]
    assert ours.gone


@pytest.mark.parametrize(
    ("services", "settles", "why"),
    [
        ([API], False, "on a swarm of our own it does not run: "),
        ([], True, "no service with a published port uses the secret key_v1"),
    ],
)
def test_what_does_not_run_there_says_nothing_of_their_procedure(
    lab: Lab, ours: Ours, services: list[Any], settles: bool, why: str
) -> None:
    ours.lab.services, ours.settles = services, settles
    drilled(used(lab), ours)
    (said,) = whys(lab)
    assert said.startswith(why)
    assert ours.rotated == []
    assert ours.gone


def test_a_service_that_no_step_deploys_is_not_tried(lab: Lab, ours: Ours) -> None:
    drilled(used(lab, Declared(steps=(PREPARE, SHOP), rotation=SAID.rotation)), ours)
    assert whys(lab) == [
        "no step of swarmlab.yml deploys multitier: it can't be tried on a swarm of our own"
    ]
    assert ours.brought == []


def test_a_secret_that_is_not_read_is_no_value(lab: Lab) -> None:
    """A rotation without a target takes the file away; an engine without an answer does not."""
    mine = used(lab.settle())
    for said, value in (
        ((0, "s3cret", ""), b"s3cret"),
        ((1, "", "cat: /run/secrets/key: No such file or directory"), b""),
    ):
        lab.shell = lambda *_, said=said: said
        assert rotated._read(lab["worker1"], "c1", mine) == value
    lab.shell = lambda *_: (1, "", "Error response from daemon: container c1 is not running")
    with pytest.raises(ProviderError, match="could not be read in c1 on worker1"):
        rotated._read(lab["worker1"], "c1", mine)
