"""Tries to read the shop's secrets, to log in, to read its traffic, and to send it bad input."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pytest_swarmlab.clients.ledger import not_acknowledged
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.parallel import at_once
from pytest_swarmlab.swarm.cluster import Node, Output, Swarm
from pytest_swarmlab.swarm.stacks import of_stack
from pytest_swarmlab.waiting.conditions import brief, no_answer
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, Waiter, done, pending

from ..stack_on_nfs import environments
from . import events, forged, perform, wire
from .books import NAME as DATABASE_NAME
from .client import Answer
from .load import CONSUMED_S, Crowd
from .perform import BROKER_USER
from .setting import BROKER, CACHE, CLOSED, CUSTOMERS, DATABASE, NAME, ORDERS, PORT, REPLICAS

DIAL_S = 3.0
SAID_S = 90.0
READY_S = 120
ORDERED_S = 120.0
"""Each command of RabbitMQ starts an Erlang VM: 20 s on a busy node."""
KEPT = 5
"""Orders that are placed while the broker accepts no message."""
HELD_S = 3.0
"""How long is looked whether any of them is processed all the same."""
NOT_WRITABLE = "cannot execute SELECT in a read-only transaction"
"""PostgreSQL's message for a new order, which is stored by one SELECT. The outbox is read twice a
second, by a SELECT FOR UPDATE."""
UNWRITTEN_S = 60.0
"""Longest until an order gets as far as the database, whose connections were all closed."""
MORE_THAN_THERE_IS, ENOUGH_ON_DISK = "1000GB", "128MB"
"""RabbitMQ's limit of free disk space, below which it accepts no message. The second is that of
stacks/ecommerce/rabbitmq/shop.conf."""
AT_ONCE = 8
"""Requests with one key at the same time."""

STRANGER = (
    "import pika, sys\n"
    "own = open('/run/secrets/rabbitmq_url').read().strip()\n"
    "try:\n"
    "    pika.BlockingConnection(pika.URLParameters(sys.argv[1] or own))\n"
    "    print('let in')\n"
    "except Exception as error:\n"
    "    print(type(error).__name__)\n"
)
"""Opens a connection to a URL, or to that of the service's own secret."""
SPEAK = (
    "import psycopg, sys\n"
    "url = open('/run/secrets/db_url').read().strip()\n"
    "with psycopg.connect(url, connect_timeout=5) as database:\n"
    "    for _ in range(20):\n"
    "        database.execute('SELECT %s::text', [sys.argv[1]]).fetchone()\n"
)


DISCONNECT = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE usename = current_user AND pid <> pg_backend_pid()"
)


@dataclass
class Trials:
    """One deployment of the shop, its secrets, and the customers who have accounts."""

    swarm: Swarm
    crowd: Crowd
    given: dict[str, bytes]
    wait: Waiter
    evidence: Evidence

    def _task(self, name: str) -> tuple[Node, str]:
        """Where a task of that service runs, and its container."""
        service = perform.service(self.swarm, name)
        task = self.wait(service.converged(replicas=REPLICAS[name]), within=READY_S)[0]
        return self.swarm.node(task.node), task.container

    def _within(self, name: str, *argv: str) -> Output:
        """A command in a task of that service; nothing of it is recorded."""
        node, container = self._task(name)
        return node.ask("docker", "exec", container, *argv, within=SAID_S)

    # -- security ----------------------------------------------------------------------------

    def guard(self) -> None:
        """Look for secrets, try logins and tokens, and capture packets."""
        for found in environments(self.swarm, self._shown()):
            self.evidence.write(events.Environment(**found))
        self._look_into_containers()
        self._knock()
        self._show_tokens()
        self._watch_the_wire()

    def _shown(self) -> dict[str, bytes]:
        """The secrets' values as definitions and logs could show them: name → value.

        The broker's password could stand there without the rest of its configuration.
        """
        values = dict(self.given)
        values["the broker's password"] = values.pop("rabbitmq_conf").strip().rpartition(b" = ")[2]
        return values

    def _look_into_containers(self) -> None:
        """Record what each container's definition and log show, also of ended containers."""
        values = {name: value.decode().strip() for name, value in self._shown().items()}
        del values["db_user"]  # A name, and no secret: it stands in messages.
        for node in self.swarm.nodes:
            for row in node.engine.api.containers(all=True, filters=of_stack(NAME)):
                try:
                    shown = json.dumps(node.engine.api.inspect_container(row["Id"]))
                    log = node.log_of(row["Id"])
                except no_answer():
                    continue  # One that has ended may be taken away any moment.
                looked = events.LookedInto(
                    node.name,
                    service=row["Labels"].get("com.docker.swarm.service.name", ""),
                    container=row["Id"][:12],
                    lines=log.count("\n"),
                    defined=tuple(name for name, value in values.items() if value in shown),
                    logged=tuple(name for name, value in values.items() if value in log),
                )
                self.evidence.write(looked)

    def _knock(self) -> None:
        """Try Redis and RabbitMQ without their passwords, and unpublished ports of every node."""
        password = self.given["redis_password"].decode()
        tries: dict[str, tuple[str, ...]] = {
            "without": ("redis-cli", "ping"),
            "wrong": ("env", "REDISCLI_AUTH=wrong", "redis-cli", "ping"),
            "right": (
                "sh",
                "-c",
                "REDISCLI_AUTH=$(cat /run/secrets/redis_password) redis-cli ping",
            ),
        }
        for what, argv in tries.items():
            said = self._within(CACHE, *argv)
            words = (said.stdout + said.stderr).replace(password, "…").split()
            self.evidence.write(events.Knocked(CACHE, what, " ".join(words)[:200]))
        for what, user in {"without": "guest:guest", "wrong": f"{BROKER_USER}:wrong"}.items():
            self._ask_broker(what, f"amqp://{user}@rabbitmq:5672/")
        self._ask_broker("right", "")
        for node in self.swarm.members():
            for port in (*CLOSED, PORT):
                self.evidence.write(events.Dialled(node.name, port, _opens(node, port)))

    def _ask_broker(self, what: str, url: str) -> None:
        said = self._within(ORDERS, "python3", "-c", STRANGER, url)
        self.evidence.write(events.Knocked(BROKER, what, said.stdout.strip()[:200]))

    def _show_tokens(self) -> None:
        """Send each invalid token, and a valid one, to both services that check tokens."""
        customer, node = self.crowd.customers[0], self.swarm.nodes[0]
        made = forged.tokens(self.given["jwt_secret"].decode(), customer.id)
        for what, token in made.items():
            for path in ("/api/me", "/api/orders"):
                answer = self.crowd.shop.ask(node, path, token=token)
                self.evidence.write(events.Token(what, path, answer.status))

    def _watch_the_wire(self) -> None:
        """Send queries from another node than the database's, and page requests; count packets."""
        kept, open_ = (secrets.token_hex(12) for _ in range(2))
        database, _ = self._task(DATABASE)
        service = perform.service(self.swarm, ORDERS)
        tasks = self.wait(service.converged(replicas=REPLICAS[ORDERS]), within=READY_S)
        task = next((t for t in tasks if t.node != database.name), None)
        if task is None:
            self.evidence.write(events.Wire("every task of it runs on the database's node"))
            return
        node = self.swarm.node(task.node)
        counted = {"queries": 0, "pages": 0}

        def meanwhile() -> None:
            said = node.ask(
                "docker", "exec", task.container, "python3", "-c", SPEAK, kept, within=SAID_S
            )
            counted["queries"] += said.code == 0
            self.crowd.shop.ask(node, f"/?{open_}")
            counted["pages"] += 1

        seen = wire.watch(node, kept=kept, open_=open_, meanwhile=meanwhile)
        self.evidence.write(
            events.Wire(
                node=node.name,
                database=database.name,
                **asdict(seen),
                queries=counted["queries"],
                pages=counted["pages"],
            )
        )

    # -- bad input ---------------------------------------------------------------------------

    def refuse(self) -> None:
        """Orders and accounts that can't be; then one key many times; then a database that can't
        be written to; then a broker without room.
        """
        before = self._counted()
        for name, ask in self._bad().items():
            try:
                answer = ask()
            except not_acknowledged() as error:
                self.evidence.write(events.Refused(name, None, brief(error)))
                continue
            refused = events.Refused(name, answer.status, answer.error, answer.clear)
            self.evidence.write(refused)
        self.evidence.write(events.Kept("after bad input", before, self._counted()))
        self._at_once()
        self._read_only()
        self._broker_full()

    def _counted(self) -> tuple[int, ...]:
        """Orders, their items, and accounts."""
        rows = self.crowd.books.rows(
            "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM order_items),"
            " (SELECT count(*) FROM users)"
        )
        return tuple(int(count) for count in rows[0])

    def _bad(self) -> dict[str, Callable[[], Answer]]:
        """Case → its request. Each has a key of its own, so that no case repeats another."""
        shop, node, token = self.crowd.shop, self.swarm.nodes[0], self.crowd.customers[0].token
        one = [{"product_id": 1, "quantity": 1}]

        def order(body: object, *, key: str | None = "", token: str | None = token) -> Any:
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            named = f"bad-{secrets.token_hex(6)}" if key == "" else key
            headers = {"Content-Type": "application/json"}
            if named is not None:
                headers["Idempotency-Key"] = named
            return lambda: shop.ask(
                node, "/api/orders", method="POST", token=token, headers=headers, body=raw
            )

        def items(*rows: Mapping[str, object]) -> Any:
            return order({"items": list(rows)})

        def account(**fields: object) -> Any:
            whole = {"email": "bad@example.org", "password": "long enough", "name": "Bad", **fields}
            return lambda: shop.ask(
                node, "/api/users", method="POST", body=json.dumps(whole).encode(),
                headers={"Content-Type": "application/json"},
            )  # fmt: skip

        return {
            "no JSON": order(b"{"),
            "a list": order([]),
            "no items": order({"items": []}),
            "items of another form": order({"items": "all"}),
            "a quantity of none": items({"product_id": 1, "quantity": 0}),
            "a negative quantity": items({"product_id": 1, "quantity": -1}),
            "a huge quantity": items({"product_id": 1, "quantity": 100}),
            "a quantity beyond any number": items({"product_id": 1, "quantity": 10**30}),
            "half a piece": items({"product_id": 1, "quantity": 0.5}),
            "a quantity in words": items({"product_id": 1, "quantity": "1"}),
            "no quantity": items({"product_id": 1}),
            "a product that is not there": items({"product_id": 999_999, "quantity": 1}),
            "a product of words": items({"product_id": "1; DROP TABLE orders", "quantity": 1}),
            "51 items": items(*({"product_id": n, "quantity": 1} for n in range(1, 52))),
            "70 kB": order({"items": one, "note": "x" * 70_000}),
            "no key": order({"items": one}, key=None),
            "a long key": order({"items": one}, key="k" * 65),
            "an injected key": order({"items": one}, key="'; DROP TABLE orders; -- " + "k" * 50),
            "nobody": order({"items": one}, token=None),
            "a stranger": order({"items": one}, token="a.b.c"),  # noqa: S106 - nobody's
            "another's order": lambda: shop.ask(
                node, f"/api/orders/{next(iter(self.crowd.orders))}", token=self._stranger()
            ),
            "no address": account(email="nobody"),
            "an injected address": account(email="a' OR '1'='1"),
            "a short password": account(password="short"),  # noqa: S106 - a bad one
            "no name": account(name=""),
            "a taken address": account(email=self.crowd.customers[0].email),
        }

    def _stranger(self) -> str:
        """The token of a customer who has not placed the first order."""
        return self.crowd.customers[1].token

    def _at_once(self) -> None:
        """Send the same order several times at once; then another one with its key."""
        shop, customer = self.crowd.shop, self.crowd.customers[0]
        key, nodes = f"{self.crowd.run}-once-1", self.swarm.nodes
        one, two = (perform.order_of(n, self.crowd.products) for n in (1, 2))
        self.crowd.sent.add(key)

        def ask(number: int) -> tuple[int, str]:
            try:
                answer = shop.order(nodes[number % len(nodes)], customer.token, key, one)
                id_ = answer.json(200, 201).get("id")
                return answer.status, id_ if isinstance(id_, str) else ""
            except not_acknowledged():
                return 0, ""

        answers = at_once(ask, range(AT_ONCE))
        other = shop.order(nodes[0], customer.token, key, two)
        for _, id_ in answers:
            if id_:
                self.crowd.orders[id_] = key
        self.evidence.write(
            events.AtOnce(
                tuple(answers),
                rows=len(self.crowd.books.orders(key)),
                other=other.status,
                code=other.error,
            )
        )

    def _read_only(self) -> None:
        """Order while the database is read-only, and again with the same key afterwards."""
        customer, key = self.crowd.customers[0], f"{self.crowd.run}-readonly-1"
        items = perform.order_of(1, self.crowd.products)
        self.crowd.sent.add(key)
        database, container = self._task(DATABASE)

        def said() -> int:
            return database.log_of(container).count(NOT_WRITABLE)

        try:
            before = said()
            self._writable("off")
            ordered = Unwritten(
                lambda: self.crowd.shop.order(self.swarm.nodes[0], customer.token, key, items),
                lambda: said() - before,
            )
            answer, lines = self.wait(ordered, within=UNWRITTEN_S)
            rows = len(self.crowd.books.orders(key))
        finally:
            self._writable("on")
        self.crowd.order(customer, key, 1)
        afterwards = len(self.crowd.books.orders(key))
        self.evidence.write(
            events.ReadOnly(answer.status, answer.error, rows, afterwards, said=lines)
        )

    def _broker_full(self) -> None:
        """Order while the broker accepts no message, as when its disk is full."""
        crowd, mark = self.crowd, f"{self.crowd.run}-full-"
        try:
            refuses = self._need_on_disk(MORE_THAN_THERE_IS)
            for number in range(1, KEPT + 1):
                crowd.order(crowd.customers[number % CUSTOMERS], f"{mark}{number}", number)
            held_s = self.wait(crowd.books.held(mark, seconds=HELD_S), within=CONSUMED_S)
            meanwhile = crowd.books.orders(mark)
        finally:
            takes = self._need_on_disk(ENOUGH_ON_DISK)
        afterwards = self.wait(crowd.books.consumed(mark), within=CONSUMED_S)
        self.evidence.write(
            events.BrokerFull(
                refuses,
                takes,
                acknowledged=tuple(
                    id_ for id_, key in crowd.orders.items() if key.startswith(mark)
                ),
                meanwhile=tuple((order.id, order.times) for order in meanwhile),
                afterwards=tuple((order.id, order.times) for order in afterwards),
                held_s=round(held_s, 1),
            )
        )

    def _need_on_disk(self, much: str) -> bool:
        """Set RabbitMQ's limit of free disk space; returns whether rabbitmqctl succeeded."""
        node, container = self._task(BROKER)
        argv = ("docker", "exec", container, "rabbitmqctl", "-q", "set_disk_free_limit", much)
        return node.ask(*argv, within=ORDERED_S).code == 0

    def _writable(self, how: str) -> None:
        """Permit (`on`) or forbid (`off`) writes, from every connection's next transaction on."""
        read_only = {"on": "off", "off": "on"}[how]
        setting = f"ALTER DATABASE {DATABASE_NAME} SET default_transaction_read_only = {read_only}"
        self.crowd.books.rows(f"BEGIN READ WRITE; {setting}; COMMIT")
        # Open connections keep the old setting: they are closed.
        self.crowd.books.rows(DISCONNECT)


def _opens(node: Node, port: int) -> bool:
    """Whether that port of the node is open for a client outside of the cluster."""
    try:
        node.dial(port, DIAL_S).close()
    except no_answer():
        return False
    return True


@dataclass(frozen=True)
class Unwritten:
    """The database refused to write an order; finds the answer to it, and how often it was refused.

    A refusal before that, while there is no connection to the database, proves nothing. Any other
    answer is found at once.
    """

    order: Callable[[], Answer]
    refused: Callable[[], int]
    node: str | None = None
    name: str = "the database refuses to write an order"

    def __call__(self) -> Done[tuple[Answer, int]] | Pending | Fatal:
        """Order once."""
        try:
            answer = self.order()
        except not_acknowledged() as error:
            return pending(brief(error))
        lines = self.refused()
        seen = f"{answer.status} {answer.error}, {lines} lines of its log"
        return done((answer, lines), seen) if lines or answer.status != 503 else pending(seen)
