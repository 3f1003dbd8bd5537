"""Queries Prometheus, and reads the notifications that the receiver wrote down."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.waiting.conditions import OF_FORM, understood
from pytest_swarmlab.waiting.waiter import Done, Fatal, Pending, done, pending

from . import events

ASK_S = 20.0
SCRAPED_S = 5.0
"""Interval of scrapes, seconds: the shortest step of a curve."""


@dataclass
class Watcher:
    """The containers of Prometheus and of the receiver, through the engine of their node.

    No manager is asked: without a quorum none answers. Each query raises ProviderError where
    Prometheus gives no answer, or one of another form than its API's.
    """

    node: Node
    prometheus: str
    recorder: str
    evidence: Evidence
    _noted: int = 0
    _heard: list[events.Heard] = field(default_factory=list)

    def ask(self, path: str, **query: str) -> Any:
        """`data` of an answer of Prometheus' API."""
        url = f"http://127.0.0.1:9090/api/v1/{path}?{urlencode(query)}"
        output = self.node.ask(
            "docker", "exec", self.prometheus, "wget", "-q", "-O", "-", url, within=ASK_S
        )
        if output.code:
            raise ProviderError(f"Prometheus gave no answer: {output.stderr.strip()}")
        with _understood():
            return json.loads(output.stdout)["data"]

    def value(self, expr: str) -> list[tuple[dict[str, str], float]]:
        """An expression's value now: labels and number of each series."""
        found = self.ask("query", query=expr)
        with _understood():
            return [(_labels(row), float(row["value"][1])) for row in found["result"]]

    def values(
        self, expr: str, *, of_s: float, points: int
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """An expression's values in the last `of_s` seconds, at most `points` of each series.

        Returns each series' labels and points: seconds of the run, and value. NaN and infinite
        values are left out.
        """
        clock = float(self.node.ask("date", "+%s.%N", within=ASK_S).stdout)
        now = self.evidence.now()
        step = max(SCRAPED_S, of_s / points)
        told = self.ask(
            "query_range", query=expr, start=f"{clock - of_s:.1f}", end=f"{clock:.1f}",
            step=f"{step:.1f}",
        )  # fmt: skip
        found = []
        with _understood():
            for row in told["result"]:
                seen = [(now - clock + float(t), float(value)) for t, value in row["values"]]
                seen = [(round(t, 1), value) for t, value in seen if math.isfinite(value)]
                if seen:
                    found.append((_labels(row), seen))
        return found

    def listen(self) -> list[events.Heard]:
        """All notifications until now; new ones are recorded."""
        # The last line may not be whole yet.
        lines = self.node.log_of(self.recorder).rpartition("\n")[0].splitlines()
        for line in lines[self._noted :]:
            try:
                heard = _heard(json.loads(line))
            except OF_FORM:
                continue  # A message of Python.
            self.evidence.write(heard)
            self._heard.append(heard)
        self._noted = len(lines)
        return self._heard

    def note_pending(self) -> None:
        """Record each alert that Prometheus has now, and since when."""
        told = self.ask("alerts")
        with _understood():
            found = [
                events.Active(
                    alert["labels"]["alertname"], _told(alert["labels"]), alert["state"],
                    since=alert["activeAt"],
                )
                for alert in told["alerts"]
            ]  # fmt: skip
        for active in found:
            self.evidence.write(active)

    def note_rules(self) -> None:
        """Record every alert's `for`, as the running Prometheus has it."""
        told = self.ask("rules", type="alert")
        with _understood():
            rules = {
                rule["name"]: events.Rule(rule["duration"], rule["health"])
                for group in told["groups"]
                for rule in group["rules"]
            }
        self.evidence.write(events.Rules(rules))

    def note_targets(self) -> None:
        """Record every target: its job, its node if it has one, and whether it is up."""
        told = self.value("up")
        with _understood():
            targets = tuple(
                events.Target(labels["job"], labels.get("node", ""), up=value == 1)
                for labels, value in told
            )
        self.evidence.write(events.Targets(targets))

    def hears(
        self, alert: str, status: str, labels: Mapping[str, str], *, more_than: int = 0
    ) -> Hears:
        """Condition: the alert with these labels got that status more than `more_than` times."""
        return Hears(self, alert, status, dict(labels), more_than)

    def times(self, alert: str, status: str, labels: Mapping[str, str]) -> int:
        """How often the alert with these labels got that status, as of the last `listen`."""
        return sum(
            each.alert == alert and each.status == status and labels.items() <= each.labels.items()
            for each in self._heard
        )

    def shows(self, expr: str) -> Shows:
        """Condition: an expression that ends with a comparison, `== 1`, `< 1` or `> 1`, is true."""
        return Shows(self, expr)

    def quiet(self) -> Quiet:
        """Condition: no alert is pending or firing."""
        return Quiet(self)


def _understood() -> AbstractContextManager[None]:
    return understood("Prometheus' answer")


def _labels(series: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in series["metric"].items()}


def _heard(told: Mapping[str, Any]) -> events.Heard:
    """What a line of the recorder's says."""
    return events.Heard(
        alert=told["labels"].get("alertname", ""),
        status=told["status"],
        labels=_told(told["labels"]),
        starts=told["startsAt"],
        ends=told["endsAt"],
        heard=told["heard"],
        summary=told["annotations"].get("summary", ""),
        action=told["annotations"].get("action", ""),
    )


def _told(labels: Mapping[str, str]) -> dict[str, str]:
    """An alert's labels that name its node or service, and its severity."""
    return {name: labels[name] for name in ("node", "service", "severity") if name in labels}


@dataclass
class Hears:
    """A notification came."""

    watcher: Watcher
    alert: str
    status: str
    labels: dict[str, str]
    more_than: int
    node: str | None = None

    @property
    def name(self) -> str:
        """In words."""
        of = f" of {', '.join(self.labels.values())}" if self.labels else ""
        return f"{self.alert}{of} is {self.status}"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Read the receiver's log once."""
        self.watcher.listen()
        heard = self.watcher.times(self.alert, self.status, self.labels)
        return done(None) if heard > self.more_than else pending(f"received {heard} times")


COMPARED = {"==": operator.eq, "<": operator.lt, ">": operator.gt}


@dataclass
class Shows:
    """An expression such as `min(up) == 1` is true of some series of what it compares."""

    watcher: Watcher
    expr: str
    node: str | None = None

    @property
    def name(self) -> str:
        """In words."""
        return f"{self.expr} in Prometheus"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Ask once."""
        compared, sign, bound = self.expr.rsplit(" ", 2)
        try:
            seen = [number for _, number in self.watcher.value(compared)]
        except ProviderError as error:
            return pending(str(error))
        if any(COMPARED[sign](number, float(bound)) for number in seen):
            return done(None)
        return pending(f"{compared} is {seen[0]:.4g}" if seen else "no result")


@dataclass
class Quiet:
    """Prometheus has no alert; notifications until then are recorded.

    Alertmanager may send `resolved` up to its `group_interval` later.
    """

    watcher: Watcher
    name: str = "no alert is pending or firing"
    node: str | None = None

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Ask once."""
        self.watcher.listen()
        try:
            told = self.watcher.ask("alerts")
            with _understood():
                alerts = told["alerts"]
                names = sorted(f"{a['labels']['alertname']} {a['state']}" for a in alerts)
        except ProviderError as error:
            return pending(str(error))
        return pending(", ".join(names)) if names else done(None)
