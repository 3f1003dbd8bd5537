"""What managers know of the swarm and no engine's metrics tell: nodes, replicas, failed tasks.

They are asked at each scrape. When none answers there is `swarm_api_up 0` and nothing else: old
numbers would look like new ones.
"""

import json
import socket
import time
import urllib.request
from collections import Counter
from http.client import HTTPException
from wsgiref.simple_server import make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

PORT = 9400
MANAGERS, API_PORT = "tasks.docker-api", 2375
ASK_S, ALL_S = 2.0, 3.5
"""Longest for one answer, and for all of a scrape, which Prometheus gives up after four seconds."""

FAILED = {"failed", "rejected"}
NOT_HEARD = (OSError, HTTPException, ValueError, KeyError, TypeError)


class Managers:
    """Each manager's way to its API, the one first that has answered last.

    Not the service's one address: with a manager's engine gone its way leads nowhere, and stays in
    the balancing until the others have given the node up.
    """

    def __init__(self):
        self._last = ""

    def ask(self, path):
        """One of the API's lists, of whichever manager has it. Raises one of NOT_HEARD."""
        ends = time.monotonic() + ALL_S
        found = socket.getaddrinfo(MANAGERS, API_PORT, socket.AF_INET, socket.SOCK_STREAM)
        addresses = sorted({each[4][0] for each in found}, key=lambda each: each != self._last)
        error = OSError("nobody was asked")
        for address in addresses:
            left = ends - time.monotonic()
            if left <= 0:
                break
            try:
                url = f"http://{address}:{API_PORT}{path}"
                with urllib.request.urlopen(url, timeout=min(ASK_S, left)) as answer:
                    found = json.load(answer)
            except NOT_HEARD as no:
                error = no
                if address == self._last:
                    self._last = ""
                continue
            self._last = address
            return found
        raise error


class Failures:
    """How many tasks of each slot have ended badly since this program began, and before it.

    A global service's slot is its node. When a node is lost, each slot there has a failed task;
    where a task fails again and again, one slot has many.
    """

    def __init__(self):
        self._counted = Counter()
        self._known = set()

    def count(self, tasks, names):
        """The sums by service and slot, with these tasks; `names`: service id → name.

        A slot that has not failed yet has 0: a sum that begins with 1 would not be seen to rise.
        """
        known = set()
        for task in tasks:
            if (name := names.get(task["ServiceID"])) is None:
                continue
            slot = name, str(task.get("Slot") or task.get("NodeID", ""))
            self._counted.setdefault(slot, 0)
            if task["Status"]["State"] in FAILED:
                known.add(task["ID"])
                self._counted[slot] += task["ID"] not in self._known
        # Swarm forgets a slot's oldest tasks; one that it no longer lists never comes again.
        self._known = known
        there = set(names.values())
        return {slot: count for slot, count in self._counted.items() if slot[0] in there}


def replicas(services, tasks, nodes):
    """Service → how many tasks it is to have, and how many run on nodes that answer."""
    ready = {node["ID"] for node in nodes if node["Status"]["State"] == "ready"}
    wanted, running = Counter(), Counter()
    for task in tasks:
        if task["DesiredState"] == "running":
            wanted[task["ServiceID"]] += 1
            if task["Status"]["State"] == "running" and task.get("NodeID") in ready:
                running[task["ServiceID"]] += 1
    found = {}
    for service in services:
        mode = service["Spec"]["Mode"]
        if "Replicated" in mode:
            desired = mode["Replicated"].get("Replicas", 1)
        elif "Global" in mode:
            desired = wanted[service["ID"]]
        else:
            continue  # A job ends; that it doesn't run is no fault.
        found[service["Spec"]["Name"]] = desired, running[service["ID"]]
    return found


class Swarm:
    """The swarm's state, as a collector of prometheus_client."""

    def __init__(self, ask):
        self._ask = ask
        self._failures = Failures()

    def collect(self):
        """Each family of metrics; none but the first when the managers don't answer."""
        up = GaugeMetricFamily("swarm_api_up", "Whether a manager has answered with its lists.")
        try:
            nodes, services, tasks = (self._ask(path) for path in ("/nodes", "/services", "/tasks"))
            families = list(self._families(nodes, services, tasks))
        except NOT_HEARD:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from families

    def _families(self, nodes, services, tasks):
        alive = GaugeMetricFamily(
            "swarm_node_up", "Whether the managers list the node as ready.", labels=["node", "role"]
        )
        reachable = GaugeMetricFamily(
            "swarm_manager_reachable", "Whether the leader reaches the manager.", labels=["node"]
        )
        for node in nodes:
            name = node["Description"]["Hostname"]
            alive.add_metric([name, node["Spec"]["Role"]], node["Status"]["State"] == "ready")
            if manager := node.get("ManagerStatus"):
                reachable.add_metric([name], manager.get("Reachability") == "reachable")
        yield alive
        yield reachable
        desired = GaugeMetricFamily(
            "swarm_service_replicas_desired", "Tasks that are to run.", labels=["service"]
        )
        running = GaugeMetricFamily(
            "swarm_service_replicas_running", "Tasks that run on ready nodes.", labels=["service"]
        )
        for name, (wanted, there) in replicas(services, tasks, nodes).items():
            desired.add_metric([name], wanted)
            running.add_metric([name], there)
        yield desired
        yield running
        failures = CounterMetricFamily(
            "swarm_task_failures",
            "Tasks that have failed or were rejected.",
            labels=["service", "slot"],
        )
        names = {service["ID"]: service["Spec"]["Name"] for service in services}
        for slot, count in self._failures.count(tasks, names).items():
            failures.add_metric(slot, count)
        yield failures


if __name__ == "__main__":
    registry = CollectorRegistry()
    registry.register(Swarm(Managers().ask))
    make_server("", PORT, make_wsgi_app(registry)).serve_forever()
