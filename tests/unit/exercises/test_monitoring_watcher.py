"""What the watcher makes of the recorder's lines and of Prometheus' answers."""

from __future__ import annotations

import contextlib
import json
from typing import Any, cast

import pytest
from hypothesis import given

from pytest_swarmlab.errors import ProviderError
from pytest_swarmlab.evidence.events import Curve, Seen
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.swarm.cluster import Node
from pytest_swarmlab.swarm.node import Output
from pytest_swarmlab.waiting.waiter import Done, Pending
from tests.exercises.monitoring import dashboards
from tests.exercises.monitoring.watcher import Watcher
from tests.unit.records.hostile import SAID, shapes


class Home:
    """A node whose recorder has printed these lines, and whose Prometheus answers so."""

    def __init__(self) -> None:
        self.log, self.clock = "", "0"
        self.answer = Output(0, "{}", "")
        self.asked: list[str] = []

    def log_of(self, container: str) -> str:
        assert container == "recorder"
        return self.log

    def ask(self, *argv: str, within: float) -> Output:
        assert within > 0
        if argv[0] == "date":
            return Output(0, f"{self.clock}\n", "")
        self.asked.append(argv[-1])
        return self.answer


class Notes:
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.kept: list[Seen] = []

    def write(self, seen: Seen) -> None:
        self.kept.append(seen)

    def now(self) -> float:
        return 500.0


def line(alert: str, status: str = "firing", **labels: str) -> str:
    told = {
        "heard": 1.5, "status": status, "labels": {"alertname": alert, **labels},
        "annotations": {"summary": "s", "action": "a"}, "startsAt": "t0", "endsAt": "t1",
    }  # fmt: skip
    return json.dumps(told) + "\n"


def value_of(number: str) -> Output:
    """Prometheus' answer of one series."""
    return Output(0, json.dumps({"data": {"result": [{"metric": {}, "value": [1, number]}]}}), "")


@pytest.fixture
def home() -> Home:
    return Home()


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def watcher(home: Home, notes: Notes) -> Watcher:
    return Watcher(cast(Node, home), "prometheus", "recorder", cast(Evidence, notes))


def test_each_line_is_noted_once_and_other_words_are_not(
    home: Home, notes: Notes, watcher: Watcher
) -> None:
    home.log = "Traceback\n" + line("NodeDown", node="worker2", job="swarm")
    assert len(watcher.listen()) == 1
    home.log += line("NodeDown", "resolved", node="worker2")
    watcher.listen()
    assert [heard.data()["status"] for heard in notes.kept] == ["firing", "resolved"]
    assert {heard.kind for heard in notes.kept} == {"heard"}
    assert notes.kept[0].data()["labels"] == {"node": "worker2"}


def test_a_line_that_is_not_whole_yet_is_read_when_it_is(home: Home, watcher: Watcher) -> None:
    whole = line("NodeDown")
    home.log = whole[:20]
    assert watcher.listen() == []
    home.log = whole
    assert len(watcher.listen()) == 1


def test_an_alert_of_another_node_or_heard_before_is_not_the_one(
    home: Home, watcher: Watcher
) -> None:
    home.log = line("NodeDown", node="worker1")
    wanted = watcher.hears("NodeDown", "firing", {"node": "worker2"})
    assert isinstance(wanted(), Pending)
    home.log += line("NodeDown", node="worker2")
    assert isinstance(wanted(), Done)
    again = watcher.hears("NodeDown", "firing", {"node": "worker2"}, more_than=1)
    assert isinstance(again(), Pending)


def test_an_expression_that_is_not_true_or_has_no_answer_is_waited_for(
    home: Home, watcher: Watcher
) -> None:
    shown = watcher.shows("min(up) == 1")
    asked = len(home.asked)
    home.answer = Output(1, "", "connection refused")
    assert isinstance(shown(), Pending)
    home.answer = Output(0, json.dumps({"data": {"result": []}}), "")
    assert isinstance(shown(), Pending)
    home.answer = value_of("0")
    assert shown() == Pending("min(up) is 0")
    home.answer = value_of("1")
    assert isinstance(shown(), Done)
    assert home.asked[-1].endswith("/api/v1/query?query=min%28up%29")
    assert len(home.asked) == asked + 4, "each look asks once"
    below = watcher.shows("shop:errors:ratio5m < 0.001")
    home.answer = value_of("0.001")
    assert isinstance(below(), Pending)
    home.answer = value_of("0.0009")
    assert isinstance(below(), Done)
    home.answer = value_of("NaN")
    assert isinstance(below(), Pending)


def test_it_is_quiet_when_nothing_is_pending(home: Home, watcher: Watcher) -> None:
    alert = {"labels": {"alertname": "NodeDown"}, "state": "pending", "activeAt": "t"}
    home.answer = Output(0, json.dumps({"data": {"alerts": [alert]}}), "")
    assert watcher.quiet()() == Pending("NodeDown pending")
    home.answer = Output(0, json.dumps({"data": {"alerts": []}}), "")
    assert isinstance(watcher.quiet()(), Done)


def test_a_panel_s_data_are_told_by_the_run_s_own_clock_without_what_is_no_number(
    home: Home, notes: Notes, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        {"metric": {"node": "worker1"}, "values": [[1000, "0.5"], [1005, "NaN"], [1010, "1"]]},
        {"metric": {"node": "worker2"}, "values": [[1000, "NaN"]]},
    ]
    home.clock, home.answer = "1020.0", Output(0, json.dumps({"data": {"result": rows}}), "")
    query = dashboards.Query("nodes", "Load", "node_load1", "short", "on {{ node }}")
    monkeypatch.setattr(dashboards, "queries", lambda: iter([query]))
    dashboards.draw_all(watcher, of_s=600, evidence=watcher.evidence)
    curve = Curve("nodes", "Load", "short", "on worker1", (480.0, 490.0), (0.5, 1.0))
    assert notes.kept == [curve]


@pytest.mark.parametrize("data", [None, [], {}, {"alerts": None}, {"alerts": [{"labels": []}]}])
def test_an_answer_of_another_form_is_none(home: Home, watcher: Watcher, data: Any) -> None:
    home.answer = Output(0, json.dumps({"data": data}), "")
    assert isinstance(watcher.quiet()(), Pending)
    assert isinstance(watcher.shows("min(up) == 1")(), Pending)
    with pytest.raises(ProviderError, match="Prometheus' answer has another form than expected"):
        watcher.note_pending()


def test_a_line_of_json_that_is_no_alert_is_no_word_of_alertmanager_s(
    home: Home, notes: Notes, watcher: Watcher
) -> None:
    home.log = '7\nnull\n{"labels": []}\n' + line("NodeDown")
    assert len(watcher.listen()) == len(notes.kept) == 1


LABELS = {"alertname": "NodeDown", "node": "worker2", "job": "swarm"}
DATA = {
    "result": [{"metric": LABELS, "value": [1.0, "1"], "values": [[1, "0.5"], [2, "NaN"]]}],
    "alerts": [{"labels": LABELS, "state": "firing", "activeAt": "t"}],
    "groups": [{"rules": [{"name": "NodeDown", "duration": 30, "health": "ok"}]}],
}
HEARD = json.loads(line("NodeDown", node="worker2"))


@given(shapes({"data": DATA}).map(json.dumps) | SAID, shapes(HEARD).map(json.dumps) | SAID)
def test_whatever_prometheus_says_is_understood_or_no_answer(said: str, heard: str) -> None:
    home, notes = Home(), Notes()
    home.answer, home.log = Output(0, said, ""), f"{heard}\n"
    watcher = Watcher(cast(Node, home), "prometheus", "recorder", cast(Evidence, notes))
    wanted = watcher.hears("NodeDown", "firing", {"node": "worker2"})
    for condition in (wanted, watcher.shows("min(up) == 1"), watcher.quiet()):
        assert isinstance(condition(), Done | Pending)
    for note in (watcher.note_pending, watcher.note_rules, watcher.note_targets):
        with contextlib.suppress(ProviderError):
            note()
    with contextlib.suppress(ProviderError):
        dashboards.draw_all(watcher, of_s=60, evidence=watcher.evidence)
    for seen in notes.kept:
        json.dumps(seen.data())
