"""Prometheus as it is asked, and what the recorder has heard."""

from __future__ import annotations

import json
import math
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
"""How often everything is asked: there is no more to be seen between."""


@dataclass
class Watcher:
    """The containers of Prometheus and of the recorder, by the engine of the node that runs both.

    No manager is asked: without a quorum none would say where they are. Each question raises
    ProviderError where Prometheus gives no answer, or one of another form than its API's.
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
        """What an expression is now: labels and number of each of its series."""
        found = self.ask("query", query=expr)
        with _understood():
            return [(_labels(row), float(row["value"][1])) for row in found["result"]]

    def values(
        self, expr: str, *, of_s: float, points: int
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """What an expression was in the last `of_s` seconds, at so many moments at most.

        Of each of its series the labels, and each moment, in seconds of the run, with its value;
        what is no number is left out.
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
        """All that was heard until now; what is new is recorded."""
        # The last line may not be whole yet.
        lines = self.node.log_of(self.recorder).rpartition("\n")[0].splitlines()
        for line in lines[self._noted :]:
            try:
                heard = _heard(json.loads(line))
            except OF_FORM:
                continue  # Python's own words.
            self.evidence.write(heard)
            self._heard.append(heard)
        self._noted = len(lines)
        return self._heard

    def note_pending(self) -> None:
        """Since when each alert that Prometheus has now is true, by itself."""
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
        """Every alert's `for`, as the running Prometheus has it."""
        told = self.ask("rules", type="alert")
        with _understood():
            rules = {
                rule["name"]: events.Rule(rule["duration"], rule["health"])
                for group in told["groups"]
                for rule in group["rules"]
            }
        self.evidence.write(events.Rules(rules))

    def note_targets(self) -> None:
        """Who is asked, of which node where it is one's, and whether it answers."""
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
        """Condition: so often and once more was said that the alert with these labels is that."""
        return Hears(self, alert, status, dict(labels), more_than)

    def times(self, alert: str, status: str, labels: Mapping[str, str]) -> int:
        """How often that was heard, until the last time that anybody listened."""
        return sum(
            each.alert == alert and each.status == status and labels.items() <= each.labels.items()
            for each in self._heard
        )

    def shows(self, expr: str) -> Shows:
        """Condition: an expression that compares has a result."""
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
    """Of an alert's labels, those that say what it is about."""
    return {name: labels[name] for name in ("node", "service", "severity") if name in labels}


@dataclass
class Hears:
    """An alert was told."""

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
        """Listen once."""
        self.watcher.listen()
        heard = self.watcher.times(self.alert, self.status, self.labels)
        return done(None) if heard > self.more_than else pending(f"heard {heard} times")


@dataclass
class Shows:
    """An expression has a result. Where it has none, what it compares is told."""

    watcher: Watcher
    expr: str
    node: str | None = None

    @property
    def name(self) -> str:
        """In words."""
        return f"Prometheus has a result of {self.expr}"

    def __call__(self) -> Done[None] | Pending | Fatal:
        """Ask once."""
        compared, _, _ = self.expr.rpartition(" ")[0].rpartition(" ")
        try:
            if self.watcher.value(self.expr):
                return done(None)
            seen = self.watcher.value(compared) if compared else []
        except ProviderError as error:
            return pending(str(error))
        return pending(f"{compared} is {seen[0][1]:.4g}" if seen else "no result")


@dataclass
class Quiet:
    """Nothing is wrong, by Prometheus' word; what was told until then is recorded.

    Alertmanager may tell up to its `group_interval` later that an alert has ended.
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
