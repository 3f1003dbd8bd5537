"""The shop beside the monitoring: clients visit it, and faults cause its own alerts."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.clients.serving import Serves
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.swarm.guard import Guard
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.swarm.stacks import Stacks

from ..exercise_2_10 import perform
from ..exercise_2_10.load import CATALOGUE, PATIENCE_S, Crowd
from ..exercise_2_10.setting import DATABASE, GATEWAY, PORT
from ..exercise_2_10.setting import REPLICAS as OF_THE_SHOP
from . import prepare
from .drill import Deed, Drill
from .prepare import READY_S
from .setting import SHOP_JOBS, SHOP_REPLICAS
from .watcher import Watcher

SHOP_READY_S = 240
ORDERED = 2
"""Orders of each customer that succeed: each replica has counted some before any fails."""
REFUSED = 4
"""Orders that are tried while the database hangs. Each costs several requests: the gateway tries a
second replica, and the service asks for prices. The blackbox exporter's visits fail, too."""

PRODUCTS = "products-service"
CATALOGUE_READY = ("curl", "-fsS", "http://127.0.0.1:3000/ready")
"""Run in its container: whether the service reaches its database."""

VISIT_RATE = 30.0
DILUTED = "shop:errors:ratio30m < 0.0055"
"""The share of failed requests in half an hour that causes no alert: the rule's bound is 0.006."""
DILUTED_S = 400


@dataclass
class Beside:
    """One deployment of the shop, scraped by the monitoring that is there already."""

    drill: Drill
    watcher: Watcher
    crowd: Crowd
    probe: Probe

    def begin(self, stack: Stacks) -> None:
        """The shop serves, customers order, and Prometheus scrapes all of it."""
        wait, swarm = self.drill.wait, self.drill.swarm
        for name, count in OF_THE_SHOP.items():
            wait(perform.service(swarm, name).converged(replicas=count), within=SHOP_READY_S)
        wait(self._serves(), within=SHOP_READY_S)
        self.crowd.arrive(swarm.nodes)
        for count in range(1, ORDERED + 1):
            for number, customer in enumerate(self.crowd.customers, 1):
                customer.place(f"{self.crowd.run}-{number}-{count}", self._items(count))
        monitoring = prepare.deploy_beside_the_shop(stack)
        self.drill.run_all(monitoring, SHOP_REPLICAS)
        prometheus = monitoring.service("prometheus")
        wait(prometheus.updated(), within=READY_S)
        # The update replaced its task: it has more networks, and one more file.
        (task,) = wait(prometheus.converged(replicas=1), within=READY_S)
        self.watcher.prometheus = task.container
        for job, count in SHOP_JOBS.items():
            for expr in (
                f'count(up{{job="{job}"}} == 1) == {count}',
                f'min(up{{job="{job}"}}) == 1',
            ):
                wait(self.watcher.shows(expr), within=READY_S)
        wait(self.watcher.shows('min(probe_success{job="shop-front"}) == 1'), within=READY_S)
        wait(self.watcher.shows("shop:errors:ratio5m < 0.001"), within=READY_S)
        wait(self.watcher.quiet(), within=READY_S)
        self.watcher.note_targets()

    def lose_the_front(self) -> None:
        """The gateway has no replica."""
        gateway = perform.service(self.drill.swarm, GATEWAY)

        def mend() -> None:
            gateway.scale(OF_THE_SHOP[GATEWAY])
            self.drill.wait(self._serves(), within=SHOP_READY_S)

        deed = Deed({"ShopFrontDown": {}}, lambda: gateway.scale(0), mend)
        self.drill.provoke(self.watcher, [deed])

    def let_the_database_hang(self) -> None:
        """Its container is paused: connections stay open without an answer; orders fail.

        It continues when some orders have failed. The alerts count failures as a share of half an
        hour's requests, so successful visits end them. A pause until the last alert, 87 s, caused
        so many failures that 6,006 visits were not enough.
        """
        service = perform.service(self.drill.swarm, DATABASE)
        (task,) = self.drill.wait(service.converged(replicas=1), within=READY_S)
        node = self.drill.swarm.node(task.node)
        alerts = ("ShopErrorsFast", "ShopErrorsSlow", "ShopSlow")
        deed = Deed(
            {name: {} for name in alerts},
            lambda: self._hang(node, task.container, service),
            self._visit,
        )
        self.drill.provoke(self.watcher, [deed])

    def _hang(self, node: Node, container: str, service: Service) -> None:
        goes_on = ("docker", "unpause", container)
        with Guard.undone_after(
            [(node, [goes_on])], "paused",
            make=lambda: node.run("docker", "pause", container, title="The database hangs"),
            undo=lambda: node.run(*goes_on, title="The database goes on"),
        ):  # fmt: skip
            self._order_in_vain()
        wait = self.drill.wait
        wait(service.converged(replicas=1), within=SHOP_READY_S)
        catalogue = perform.service(self.drill.swarm, PRODUCTS)
        for task in wait(catalogue.converged(replicas=OF_THE_SHOP[PRODUCTS]), within=SHOP_READY_S):
            # A new connection is tried for up to eight seconds, and visitors are refused meanwhile.
            machine = self.drill.swarm.node(task.node)
            ready = machine.succeeds("docker", "exec", task.container, *CATALOGUE_READY)
            wait(ready, within=SHOP_READY_S)

    def _order_in_vain(self) -> None:
        customer, via = self.crowd.customers[0], self.drill.swarm.nodes
        for number in range(1, REFUSED + 1):
            key = f"{self.crowd.run}-hung-{number}"
            try:
                self.crowd.shop.order(
                    via[number % len(via)], customer.token, key, self._items(number)
                )
            except not_acknowledged():
                continue  # As expected; the request is recorded.

    def _visit(self) -> None:
        """Visit until the share of errors is below the alerts' bound."""
        with self.probe(
            via=self.drill.swarm.nodes,
            port=PORT,
            path=CATALOGUE,
            rate=VISIT_RATE,
            timeout=PATIENCE_S,
        ):
            self.drill.wait(self.watcher.shows(DILUTED), within=DILUTED_S)

    def _items(self, number: int) -> list[dict[str, int]]:
        return perform.order_of(number, self.crowd.products)

    def _serves(self) -> Serves:
        return Serves(
            self.drill.swarm,
            replicas=OF_THE_SHOP[GATEWAY],
            port=PORT,
            path=CATALOGUE,
            timeout=PATIENCE_S,
        )
