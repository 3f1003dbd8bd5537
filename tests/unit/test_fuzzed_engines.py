"""Whatever form an engine's answers have, it is an answer of another form and no crash."""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence import collectors
from pytest_swarmlab.evidence.events import TaskSeen
from pytest_swarmlab.evidence.observer import Observer
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.survey import events, page
from pytest_swarmlab.survey.look import look
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.conditions import no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending
from tests.unit.fakes import Engine, Lab, listed, task
from tests.unit.records.hostile import SAID, UNSEEN, shapes
from tests.unit.survey.test_look import SERVICE
from tests.unit.survey.test_system import answers

NODES = [listed("manager1", leader=True), listed("manager2"), listed("worker1", role="worker")]
TASKS = [task(1, "worker1"), task(2, "manager2", "failed", error="exit 1")]
ANSWERS: dict[str, Any] = {
    "nodes": NODES,
    "tasks": TASKS,
    "services": [SERVICE],
    "networks": [{"Id": "n1", "Name": "wp_backend", "Scope": "swarm", "Options": {}}],
    "secrets": [{"ID": "s", "Spec": {"Name": "db", "Labels": {"a": "b"}, "Driver": None}}],
    "configs": [{"ID": "c", "Spec": {"Name": "conf", "Data": "cGFzc3dvcmQ9eA=="}}],
    "containers": [
        {
            "Id": "c" * 64, "Names": ["/x"], "State": "running", "Status": "Up (unhealthy)",
            "Mounts": [{"Type": "volume", "Name": "data", "Destination": "/d", "RW": True}],
        }
    ],
    "volumes": {"Volumes": [{"Name": "data", "Driver": "local", "Options": {"type": "nfs"}}]},
    "inspect_swarm": {"ID": "x", "Spec": {"CAConfig": {"NodeCertExpiry": 10**15}}},
    "inspect_service": {"Spec": {}, "UpdateStatus": {"State": "updating", "Message": "m"}},
    "info": {
        "Name": "manager1", "SystemTime": "2026-05-04T10:00:00.123456789Z", "DockerRootDir": "/d",
        "NCPU": 2, "MemTotal": 2**30, "SecurityOptions": ["name=selinux"],
        "Swarm": {
            "LocalNodeState": "active", "NodeID": "id-manager1", "ControlAvailable": True,
            "NodeAddr": "192.168.56.10", "Cluster": {"ID": "x"}, "Managers": 3,
        },
    },
}  # fmt: skip
"""What an engine is asked → what a real one says."""

ODD = st.fixed_dictionaries({}, optional={name: shapes(said) for name, said in ANSWERS.items()})
"""Some of an engine's answers, in odd forms."""


class OddEngine(Engine):
    """An engine that gives these answers."""

    def __init__(self, odd: dict[str, Any], lab: Lab, node: str) -> None:
        super().__init__(lab, node)
        for name, said in (ANSWERS | odd).items():
            setattr(self, name, functools.partial(self._said, said))

    @staticmethod
    def _said(said: Any, *_: Any, **__: Any) -> Any:
        return said


def lab_of(odd: dict[str, Any], directory: Path) -> Lab:
    lab = Lab(directory)
    lab.shell = answers
    lab.make_engine = functools.partial(OddEngine, odd)
    return lab


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """A new directory for each example's record."""
    return lambda: tmp_path_factory.mktemp("odd")


@given(ODD)
def test_a_survey_of_engines_that_answer_oddly_is_whole_and_says_what_it_lacks(
    directory: Callable[[], Path], odd: dict[str, Any]
) -> None:
    lab = lab_of(odd, directory())
    found = look(lab.swarm)
    lab.recorder.close()
    for part in events.OF_SWARM:
        assert getattr(found, part) is not None or found.errors[part]
    for machine in found.machines:
        for part in events.OF_MACHINE:
            assert getattr(machine, part) is not None or machine.errors[part]
    out = io.StringIO()
    page.write(found, out)
    out.getvalue().encode()
    assert not UNSEEN & set(out.getvalue())
    assert len(out.getvalue()) < 200_000


@given(ODD)
def test_an_observer_records_what_an_engine_that_answers_oddly_says(
    directory: Callable[[], Path], odd: dict[str, Any]
) -> None:
    lab = lab_of(odd, directory())
    manager = lab["manager1"]
    Observer(lab.swarm, [manager], service="web")._ask(manager, lambda: manager.engine)
    lab.recorder.close()
    kinds = [event.kind for event in lab.recorder.view() if event.kind in ("nodes", "tasks")]
    assert kinds in (["nodes"], ["nodes", "tasks"])


OLD = TaskSeen("task-1-worker1", 1, "id-worker1", "running", "running", "", "", "", None, "", "")

CONDITIONS: dict[str, Callable[[Lab], Any]] = {
    "a leader": lambda lab: lab.swarm.has_leader(other_than=lab["manager1"]),
    "all ready": lambda lab: lab.swarm.all_nodes_ready(),
    "down": lambda lab: lab.swarm.node_is(lab["worker1"], state="down"),
    "converged": lambda lab: lab.swarm.converged("web", replicas=2),
    "no task of": lambda lab: lab.swarm.no_task_of("web"),
    "task failed": lambda lab: service(lab).task_failed(),
    "task blocked": lambda lab: service(lab).task_blocked(),
    "updated": lambda lab: service(lab).updated(),
    "rolled back": lambda lab: service(lab).rolled_back(),
    "ended": lambda lab: service(lab).ended(),
    "tasks are": lambda lab: service(lab).tasks_are("running", 2),
    "settled": lambda lab: service(lab).settled(),
    "renewed": lambda lab: service(lab).renewed([OLD]),
    "replaced": lambda lab: service(lab).replaced(OLD),
}


def service(lab: Lab) -> Service:
    return Service(lab.swarm, "web")


@given(st.sampled_from(sorted(CONDITIONS)), ODD)
def test_a_condition_of_engines_that_answer_oddly_is_met_or_waited_for(
    directory: Callable[[], Path], name: str, odd: dict[str, Any]
) -> None:
    lab = lab_of(odd, directory())
    outcome = CONDITIONS[name](lab)()
    assert isinstance(outcome, Done | Pending | Fatal)
    lab.recorder.close()


@given(ODD)
def test_who_is_who_of_engines_that_answer_oddly_is_known_or_told_in_a_sentence(
    directory: Callable[[], Path], odd: dict[str, Any]
) -> None:
    lab = lab_of(odd, directory())
    for ask in (lab.swarm.leader, lab.swarm.managers, lab.swarm.workers, lab.swarm.identify):
        with contextlib.suppress(*no_answer()):
            ask()
    lab.recorder.close()


@given(ODD)
def test_each_machine_s_own_view_is_recorded_or_why_there_is_none(
    directory: Callable[[], Path], odd: dict[str, Any]
) -> None:
    lab = lab_of({"info": odd.get("info", {})}, directory())
    Evidence(lab.recorder).state(lab.swarm)
    lab.recorder.close()
    assert len(lab.recorder.view().of("info")) == len(lab.swarm.nodes)


TOLD = {
    "Action": "die", "timeNano": 10**18,
    "Actor": {
        "ID": "c" * 64,
        "Attributes": {
            "com.docker.swarm.service.name": "web", "com.docker.swarm.task.name": "web.1.t1",
            "exitCode": "1", "signal": "9",
        },
    },
}  # fmt: skip


@given(st.lists(shapes(TOLD), max_size=4))
def test_what_an_engine_tells_of_containers_is_recorded_or_ends_the_block_with_a_sentence(
    directory: Callable[[], Path], told: list[Any]
) -> None:
    lab = Lab(directory())
    with contextlib.suppress(ProviderError):
        collectors._record_all("manager1", told, lab.recorder)
    lab.recorder.close()


@given(SAID, st.integers(0, 2))
def test_what_programs_of_a_machine_print_is_read_or_said_to_be_unreadable(
    directory: Callable[[], Path], said: str, code: int
) -> None:
    lab = lab_of({}, directory())

    def shell(node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        own = "1 2 /\n" if argv[0] == "df" else answers(node, argv)[1]
        # A machine that tells no time is not looked at further.
        return (0, "1000\n", "") if argv[0] == "date" else (code, f"{own}{said}", said)

    lab.shell = shell
    found = look(lab.swarm)
    lab.recorder.close()
    out = io.StringIO()
    page.write(found, out)
    assert not UNSEEN & set(out.getvalue())
