"""The plugin's fixtures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from pytest_swarmlab.errors import INFRASTRUCTURE, ConfigError, Unfit
from pytest_swarmlab.model import TOPOLOGIES, Topology
from pytest_swarmlab.run.session import EVIDENCE, RUN, begin, make_provider, say_no_cluster

if TYPE_CHECKING:
    from pytest_swarmlab.clients.ledger import Ledger, NewLedger, Write
    from pytest_swarmlab.clients.probe import Probe, Traffic
    from pytest_swarmlab.evidence.observer import Observe, Observer
    from pytest_swarmlab.faults import Faults
    from pytest_swarmlab.judging.live import Evidence
    from pytest_swarmlab.run.run import Run
    from pytest_swarmlab.run.sharing import Shared
    from pytest_swarmlab.swarm.cluster import Node, Swarm
    from pytest_swarmlab.swarm.configs import Configs
    from pytest_swarmlab.swarm.secrets import Secrets
    from pytest_swarmlab.swarm.stacks import Stacks
    from pytest_swarmlab.waiting.waiter import Waiter


def wanted_topology(item: pytest.Item, memory_mib: int) -> Topology:
    """The topology that the test's `swarm` marker asks for; 3 managers and 2 workers by default.

    Raises ConfigError for a marker that can't be met.
    """
    marker = item.get_closest_marker("swarm")
    if marker and marker.args:
        raise ConfigError(f"{item.nodeid}: write swarm(managers=…, workers=…), with the names")
    return _topology(item.nodeid, marker.kwargs if marker else {}, memory_mib)


def _topology(where: str, kwargs: Mapping[str, Any], memory_mib: int) -> Topology:
    asked = dict(kwargs)
    name = asked.pop("topology", None)
    if name is not None and (asked or name not in TOPOLOGIES):
        raise ConfigError(
            f"{where}: unknown topology {name!r}: use {', '.join(TOPOLOGIES)} alone,"
            " or managers and workers"
        )
    if unknown := set(asked) - {"managers", "workers"}:
        raise ConfigError(
            f"{where}: a swarm has no {', '.join(sorted(unknown))}: ask for managers and workers,"
            " or for a topology"
        )
    if name:
        return TOPOLOGIES[name](memory_mib=memory_mib)
    return Topology.of(**asked, memory_mib=memory_mib)


@pytest.fixture(scope="session")
def swarmlab_run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """This session's run: its directory, its record and its cluster.

    All three end with the session, after the last test's own fixtures.
    """
    run = request.config.stash.get(RUN, None) or begin(request.session)
    yield run
    run.finish(exit_status=int(bool(request.session.testsfailed)))


@contextmanager
def _cluster_or_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """A cluster is asked for within the block; without one the session ends."""
    try:
        yield
    except Unfit as error:
        pytest.skip(str(error))
    except (*INFRASTRUCTURE, ConfigError) as error:
        # No later test would fare better: this one's error is the session's last word.
        say_no_cluster(request.session, error)
        raise


@pytest.fixture
def swarm(request: pytest.FixtureRequest, swarmlab_run: Run) -> Swarm:
    """A running Swarm in its starting state, 3 managers and 2 workers.

    ``@pytest.mark.swarm(managers=5, workers=2)`` asks for another size,
    ``@pytest.mark.swarm(topology="lab1")`` for the start of exercise 2.1. The
    cluster is shared by all tests of the session that find it unchanged;
    a test that leaves it otherwise costs the next one a new cluster. While
    a fixture shares one (`shared_swarm`), that is the cluster, as it is shared.
    """
    config = request.config
    topology = wanted_topology(request.node, swarmlab_run.config.memory_mib)
    if swarmlab_run.shared:
        marked = request.node.get_closest_marker("swarm")
        return swarmlab_run.shared[0].lend(request.node.nodeid, topology if marked else None)
    with _cluster_or_end(request):
        return swarmlab_run.swarm(topology, lambda: make_provider(config))


@pytest.fixture(scope="session")
def shared_swarm(
    request: pytest.FixtureRequest, swarmlab_run: Run
) -> Callable[..., AbstractContextManager[Shared]]:
    """``with shared_swarm(managers=3, workers=2) as shared:`` in a fixture of any scope.

    ``shared.swarm``, ``shared.stack``, ``shared.secret``, ``shared.configs``. Until the block's end
    all tests have that cluster, with what was deployed on it: what stood there when the first of
    them asked for `swarm` must stand there for each later one. A test that leaves it otherwise
    makes the rest of them fail, with its name; after the block there is a new cluster.
    """
    config = request.config

    @contextmanager
    def share(**topology: Any) -> Iterator[Shared]:
        from pytest_swarmlab.run.sharing import Shared

        wanted = _topology("shared_swarm", topology, swarmlab_run.config.memory_mib)
        with _cluster_or_end(request):
            cluster = swarmlab_run.share(wanted, lambda: make_provider(config))
        with Shared(swarmlab_run, cluster, config.rootpath / "stacks") as shared:
            yield shared

    return share


@pytest.fixture(scope="session")
def wait(swarmlab_run: Run) -> Waiter:
    """``wait(condition, within=90)`` returns what the condition found, or says what it saw."""
    return swarmlab_run.wait


@pytest.fixture
def secret(swarm: Swarm, swarmlab_run: Run) -> Iterator[Secrets]:
    """``secret.create("db_password")``: a Swarm secret that no report shows.

    It is removed after the test.
    """
    from pytest_swarmlab.swarm.secrets import Secrets

    secrets = Secrets(swarm)
    yield secrets
    swarmlab_run.clean(secrets.remove_all)


@pytest.fixture
def configs(swarm: Swarm, swarmlab_run: Run) -> Iterator[Configs]:
    """``configs.version("nginx", content)``: a config named by its content.

    It is removed after the test.
    """
    from pytest_swarmlab.swarm.configs import Configs

    made = Configs(swarm)
    yield made
    swarmlab_run.clean(made.remove_all)


@pytest.fixture
def stack(
    swarm: Swarm,
    swarmlab_run: Run,
    secret: Secrets,  # noqa: ARG001 - services go before the secrets that they use
    configs: Configs,  # noqa: ARG001 - and before the configs
    pytestconfig: pytest.Config,
) -> Iterator[Stacks]:
    """``stack.deploy("web.yml")`` deploys a file of stacks/; all are removed after the test."""
    from pytest_swarmlab.swarm.stacks import Stacks

    stacks = Stacks(swarm, pytestconfig.rootpath / "stacks")
    yield stacks
    swarmlab_run.clean(stacks.remove_all)


@pytest.fixture
def faults(
    swarm: Swarm,
    swarmlab_run: Run,
    stack: Stacks,  # noqa: ARG001 - healed before stacks go
) -> Iterator[Faults]:
    """``with faults.power_off(node):`` breaks something; all is healed after the test."""
    from pytest_swarmlab.faults import Faults

    faults = Faults(swarm)
    yield faults
    # A cluster that is replaced needs no mending, and may not bear it.
    swarmlab_run.mend(faults.heal)


@pytest.fixture(scope="session")
def probe(swarmlab_run: Run) -> Probe:
    """``with probe(via=nodes, port=8080) as traffic:`` keeps asking; ``traffic.errors`` tells."""
    from pytest_swarmlab.clients.probe import Traffic

    def start(via: Sequence[Node], **options: Any) -> Traffic:
        return Traffic(via, swarmlab_run.recorder, **options)

    return start


@pytest.fixture(scope="session")
def ledger(swarmlab_run: Run) -> NewLedger:
    """``with ledger("posts", write):`` keeps writing; what was acknowledged may not be lost."""
    from pytest_swarmlab.clients.ledger import Ledger

    def start(name: str, write: Write, **options: Any) -> Ledger:
        return Ledger(name, write, swarmlab_run.recorder, **options)

    return start


@pytest.fixture
def observe(swarm: Swarm) -> Observe:
    """``with observe(managers, service="web"):`` records what those managers say, 5 × a second."""
    from pytest_swarmlab.evidence.observer import Observer

    def start(managers: Sequence[Node], *, service: str | None = None) -> Observer:
        return Observer(swarm, managers, service=service)

    return start


@pytest.fixture
def evidence(request: pytest.FixtureRequest, swarmlab_run: Run) -> Evidence:
    """Records states and outputs, and judges an exercise's checks on what was recorded."""
    from pytest_swarmlab.judging.live import Evidence

    request.node.stash[EVIDENCE] = made = Evidence(swarmlab_run.recorder, swarmlab_run.beside)
    return made
