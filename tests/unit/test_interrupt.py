"""Ctrl-C ends what goes with its machines at once, and cuts no removal short."""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab import interrupt
from pytest_swarmlab.errors import CommandError, ProviderError
from pytest_swarmlab.evidence import waits
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.node import Node
from pytest_swarmlab.swarm.secrets import Secrets
from pytest_swarmlab.swarm.stacks import STACK_LABEL, Service, Stacks
from tests.exercises import nfs, volumes
from tests.exercises.exercise_2_5 import perform as site
from tests.exercises.exercise_2_10 import perform as shop
from tests.exercises.monitoring import prepare
from tests.exercises.stack_on_nfs import labelled, removed_at_end
from tests.unit.fakes import Lab


@pytest.fixture(autouse=True)
def _as_in_a_shell() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


def test_it_is_known_as_long_as_it_ends_blocks_whatever_they_raise() -> None:
    known = []

    @contextmanager
    def block() -> Iterator[None]:
        try:
            yield
        finally:
            known.append(interrupt.unwinding() is not None)

    def failing() -> None:
        try:
            with block(), block():
                raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise ProviderError("its machine is gone") from None

    with pytest.raises(ProviderError), block():
        failing()
    assert known == [True, True, True]
    with pytest.raises(ZeroDivisionError), block():
        raise ZeroDivisionError
    assert known[-1] is False
    assert interrupt.unwinding() is None


def within(*acts: Callable[[], object]) -> None:
    with interrupt.deferred():
        for act in acts:
            act()


def test_what_may_not_be_cut_short_ends_first() -> None:
    did: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        within(press, lambda: did.append("all of it"))
    assert did == ["all of it"]
    with interrupt.deferred():
        pass
    with pytest.raises(KeyboardInterrupt):
        press()


def test_it_comes_first_when_what_may_not_be_cut_short_fails() -> None:
    with pytest.raises(KeyboardInterrupt):
        within(press, lambda: 1 / 0)


def test_who_presses_once_more_is_not_kept_waiting() -> None:
    did: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        within(press, press, lambda: did.append("it went on"))
    assert did == []


def test_one_passes_by_and_the_next_does_not() -> None:
    end = interrupt.pass_by()
    press()
    with pytest.raises(KeyboardInterrupt):
        press()
    end()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_listens_himself_goes_on_doing_so() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    with interrupt.deferred():
        press()
    assert heard == [signal.SIGINT]
    in_thread = threading.Thread(target=interrupt.pass_by)
    in_thread.start()
    in_thread.join()
    press()
    assert len(heard) == 2


def test_who_only_wants_to_know_of_it_changes_nothing() -> None:
    known: list[list[int]] = []
    with interrupt.noted() as heard:
        known.append(heard)
    assert known == [[]]
    with pytest.raises(KeyboardInterrupt):
        noting(known)
    assert known == [[], [signal.SIGINT]]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def noting(known: list[list[int]]) -> None:
    with interrupt.noted() as heard:
        known.append(heard)
        press()


USES: dict[str, Callable[[Node], object]] = {
    "run": lambda node: node.run("true"),
    "look": lambda node: node.look("true"),
    "feed": lambda node: node.run("cat", stdin=b"words"),
    "get": lambda node: node.get("/etc/exports"),
    "put": lambda node: Node.put(node, b"words", "/etc/exports"),
    "engine": lambda node: node.engine.api.nodes(),
    "await-access": lambda node: node.await_access(1.0),
}


def went_on(_: object) -> None:
    raise AssertionError("it was asked all the same")


def undoing(use: Callable[[], object]) -> None:
    try:
        raise KeyboardInterrupt
    finally:
        use()


def interrupted(lab: Lab, block: AbstractContextManager[Any]) -> None:
    with block:
        lab.did.clear()
        raise KeyboardInterrupt


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_nothing_is_undone_on_a_machine_that_goes(lab: Lab, use: Callable[[Node], object]) -> None:
    node = lab.settle()["worker1"]
    use(node)
    assert not lab.swarm.goes_at_end
    before = len(lab.did)
    with pytest.raises(KeyboardInterrupt):
        undoing(lambda: use(node))
    stays = lab.did[before:]
    lab.swarm.goes_at_end = True
    use(node)
    before = len(lab.did)
    with pytest.raises(KeyboardInterrupt):
        undoing(lambda: went_on(use(node)))
    assert lab.did[before:] == []
    if use is not USES["engine"]:
        assert stays, "on one that stays it is"


def blocks(lab: Lab) -> dict[str, AbstractContextManager[Any]]:
    """What exercises do to nodes, and undo."""
    swarm, server = lab.swarm, lab["manager1"]
    stack, wait = Stacks(swarm, prepare.PARTS), waits.of_tests(lab.recorder)
    return {
        "labels": labelled(swarm, [lab["worker1"]]),
        "export": nfs.exported(server),
        "directory": nfs.directory(server, "/srv/nfs/swarm-data/db"),
        "mounts": nfs.mounted(server, [lab["worker1"], lab["worker2"]]),
        "volumes": volumes.named("data", swarm.nodes),
        "stack": removed_at_end(stack, "shop", swarm, wait),
        "monitoring": prepare.prepared(swarm, server, wait),
        "service": Service.created(swarm, "web", "nginx:alpine"),
        "fault": Faults(swarm).power_off(lab["worker1"]),
    }


def with_bare_hosts(lab: Lab) -> None:
    """Nodes on which there is no file, no unit that runs and no mount."""
    absent = SimpleNamespace(exists=False, is_running=False)
    for node in lab.swarm.nodes:
        node.__dict__["host"] = SimpleNamespace(
            run=node.host.run, **dict.fromkeys(("file", "service", "mount_point"), lambda _: absent)
        )


@pytest.mark.parametrize(
    "what",
    [
        "labels", "export", "directory", "mounts", "volumes", "stack", "monitoring", "service",
        "fault",
    ],
)  # fmt: skip
def test_so_no_block_of_an_exercise_undoes_anything_there(lab: Lab, what: str) -> None:
    lab.settle()
    with_bare_hosts(lab)
    for goes, whole in ((False, True), (True, False), (True, True)):
        lab.swarm.goes_at_end, lab.machines.whole = goes, whole
        with pytest.raises(KeyboardInterrupt):
            interrupted(lab, blocks(lab)[what])
        assert bool(lab.did) is not (goes and whole)


@pytest.mark.parametrize("what", ["export", "mounts", "volumes", "stack", "monitoring"])
def test_whichever_step_of_an_undoing_fails_the_others_are_tried(lab: Lab, what: str) -> None:
    lab.settle()
    with_bare_hosts(lab)
    labels = {STACK_LABEL: "shop"}
    lab.volumes = {node.name: [{"Name": "data", "Labels": labels}] for node in lab.swarm.nodes}
    whole = undone(lab, what)
    assert len(whole) > 1
    for failing in range(len(whole)):
        assert undone(lab, what, failing) == whole, failing


LOOKS = {"nsenter", "is-active"}
"""Words of commands that change nothing."""


def undone(lab: Lab, what: str, failing: int | None = None) -> list[tuple[str, ...]]:
    """The commands that undo it, of which that one fails."""
    asked = itertools.count()

    def fails(*_: object) -> tuple[int, str, str]:
        return int(next(asked) == failing), "", "no"

    fine = lab.shell
    with suppress(CommandError), blocks(lab)[what]:
        lab.did.clear()
        lab.shell = fails
    lab.shell = fine
    return sorted(act for act in lab.commands() if not LOOKS & {*act})


def deploy(lab: Lab, exercise: str) -> None:
    swarm, wait = lab.swarm, waits.of_tests(lab.recorder)
    stack, secret, configs = Stacks(swarm, prepare.PARTS), Secrets(swarm), Configs(swarm)
    if exercise == "2.5":
        site.deployed(swarm, stack, secret, wait).__enter__()
    else:
        shop.deployed(swarm, stack, secret, configs, wait).__enter__()


@pytest.mark.parametrize("goes", [True, False])
@pytest.mark.parametrize("exercise", ["2.5", "2.10"])
def test_so_a_deployment_ends_at_once(lab: Lab, exercise: str, goes: bool) -> None:
    lab.settle()
    with_bare_hosts(lab)
    lab.swarm.goes_at_end = goes

    def interrupted(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if "deploy" in argv:
            press()
        return 0, "", ""

    lab.shell = interrupted
    with pytest.raises(KeyboardInterrupt):
        deploy(lab, exercise)
    assert ("deploy" in lab.did[-1]) is goes
