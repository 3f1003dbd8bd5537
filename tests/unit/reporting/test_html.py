"""Our part of report.html: everything is in it, and nothing hostile gets through."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.reporting.html import anchor, page, unit_apart
from pytest_swarmlab.reporting.pictures import failover
from pytest_swarmlab.reporting.results import build_results
from tests.unit.records.editing import changed
from tests.unit.records.synthetic import THREE_DRILLS, Drill, record

DRILL = THREE_DRILLS[0]
HOSTILE = "<script>alert(1)</script>\"' onload=x \x1b[31m\x00</pre></div>"


def shown(part: Record) -> str:
    return page(part, build_results(part, []))


class Tags(HTMLParser):
    """Collects tags with their attributes, and checks that they close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(text)
    return parser.seen


def test_it_holds_verdicts_pictures_chronology_and_screenshots() -> None:
    text = shown(record(*THREE_DRILLS))
    assert text.count("<svg") == 4
    assert "stand-in built from Debian packages, not the official image" in text
    assert "12 of 12 checks passed" in text
    assert "manager3 is leader instead of manager1, 12.5 s after the fault" in text
    assert "docker node ls" in text
    assert "AVAILABILITY" in text
    assert "Clients asked" in text


def test_what_images_are_made_of_is_folded_and_that_they_are_stand_ins_is_not() -> None:
    text = shown(record(DRILL))
    told, made = text.index("1 image</b>, stand-in built"), text.index("What each is made of")
    assert told < text.index("<details><summary>What each") < made
    assert "nginx" in text[told:made]


def test_a_measurement_is_told_in_words_with_its_unit() -> None:
    assert unit_apart("ready_s") == "ready, s"
    assert unit_apart("memory_mib") == "memory, MiB"
    assert unit_apart("pages_failed") == "pages failed"
    assert unit_apart("s") == "s"


def test_what_one_of_several_phases_has_measured_is_no_row_of_dashes() -> None:
    events = record(*THREE_DRILLS)
    found = build_results(events, [])
    found["exercises"][0]["measurements"] = {
        "kill-9": {"elected_s": 9.0, "seen_once_s": 4.25},
        "power-off": {"elected_s": 10.0},
    }
    text = page(events, found)
    assert "<tr><td>kill-9</td><td>seen once, s</td><td>4.2</td></tr>" in text
    assert '<td>elected, s</td><td class="number">9.0</td><td class="number">10.0</td>' in text


def test_it_refers_to_nothing_outside() -> None:
    for tag, attributes in tags(shown(record(DRILL))):
        assert tag not in {"script", "link", "iframe", "object", "base"}
        for name, value in attributes.items():
            if name in {"src", "href", "xlink:href", "action"}:
                assert (value or "").startswith(("#", "data:")), (tag, name)
    assert not re.search(r"@import|url\((?!#)", shown(record(DRILL)))


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("command", {"stdout": HOSTILE, "title": HOSTILE, "node": HOSTILE, "argv": [HOSTILE]}),
        ("check", {"observed": HOSTILE}),
        ("exercise.selected", {"title": HOSTILE}),
        ("run.started", {"provider": HOSTILE, "run_id": HOSTILE}),
        ("request", {"node": HOSTILE, "error": HOSTILE, "status": None}),
        ("nodes", {"seen_from": HOSTILE}),
        ("cluster.ready", {"kernel": HOSTILE, "engine_version": HOSTILE}),
    ],
)
def test_hostile_text_stays_text(kind: str, data: dict[str, Any]) -> None:
    part = changed(record(DRILL), lambda e: e.kind == kind, **data)
    text = shown(part)
    assert "script" not in {tag for tag, _ in tags(text)}
    assert not any("onload" in attributes for _, attributes in tags(text))
    assert "\x1b" not in text
    assert "\x00" not in text


def test_a_megabyte_of_output_is_cut_and_said_so() -> None:
    part = changed(record(DRILL), lambda e: e.kind == "command", stdout="x" * 1_000_000)
    text = shown(part)
    assert len(text) < 600_000
    assert "more characters" in text


@pytest.mark.parametrize("verdict", ["unknown", "not_provable"])
def test_what_is_no_pass_is_loud_and_not_green(verdict: str) -> None:
    part = changed(record(DRILL), lambda e: e.kind == "check", verdict=verdict)
    text = shown(part)
    # The card, the drill's row, four checks, and those of the list on top that were not judged.
    listed = 4 if verdict == "unknown" else 0
    assert text.count(f'class="badge {verdict}"') == 6 + listed
    assert 'class="badge pass"' not in text
    assert "Look at the engine" in text


def test_a_run_without_a_cluster_says_so() -> None:
    text = shown(record(Drill("2.2/kill"), error="<b>no</b> room"))
    assert "No cluster stood in this run" in text
    assert "The lab itself failed" in text
    assert "&lt;b&gt;no&lt;/b&gt; room" in text


def test_a_picture_less_costs_no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> str:
        raise RuntimeError("no <font>")

    monkeypatch.setattr(failover, "svg", broken)
    text = shown(record(DRILL))
    assert "The picture could not be drawn: no &lt;font&gt;" in text
    assert "Chronology" in text


@pytest.mark.parametrize("number", ["1", "9.1", "4.2.1"])
def test_checks_of_any_exercise_number_are_shown(number: str) -> None:
    part = changed(
        record(DRILL),
        lambda e: e.kind == "exercise.selected",
        id=number,
        checks=[{"id": f"{number}.drill.claim", "title": "A CLAIM", "expected": "", "hint": ""}],
    )
    assert "A CLAIM" in shown(part)


def test_a_measurement_s_name_is_text_whatever_alert_it_is_called_after() -> None:
    assert unit_apart("\ud800\x1b[2J_told_s") == "\ufffd told, s"


def test_what_did_not_pass_is_on_top_and_leads_to_its_evidence() -> None:
    part = changed(record(DRILL), lambda e: e.kind == "check", verdict="fail")
    text = shown(part)
    listed = text[text.index("What did not pass") : text.index("What was broken")]
    places = {attributes.get("id") for _, attributes in tags(text)}
    links = [str(a["href"]) for tag, a in tags(listed) if tag == "a"]
    assert len(links) == 4
    assert all(link.removeprefix("#") in places for link in links)
    assert "Look at the engine" in listed


def test_what_is_not_provable_is_counted_on_top() -> None:
    part = changed(record(DRILL), lambda e: e.kind == "check", verdict="not_provable")
    assert "4 checks not provable on these machines: each says why" in shown(part)


def test_with_all_passed_nothing_stands_between_the_cards_and_the_outcomes() -> None:
    text = shown(record(*THREE_DRILLS))
    assert "What did not pass" not in text
    assert text.index('class="cards"') < text.index("What was broken") < text.index("Provider <b>")
    assert "manager1 → manager3 after 12.5\N{NO-BREAK SPACE}s" in text


def test_every_link_of_the_page_leads_somewhere_in_it() -> None:
    found = tags(shown(record(*THREE_DRILLS)))
    places = {attributes.get("id") for _, attributes in found}
    links = {str(a["href"]) for tag, a in found if tag == "a"}
    assert len(links) >= 1 + len(THREE_DRILLS)
    assert {link for link in links if link.removeprefix("#") not in places} == set()


def test_a_place_has_no_blank_whatever_an_exercise_is_called() -> None:
    assert anchor("a b\n%20") == "a%20b%20%2520"


def test_a_picture_has_words_for_those_who_do_not_see_it() -> None:
    pictures = [a for tag, a in tags(shown(record(DRILL))) if a.get("role") == "img"]
    assert pictures
    assert all(attributes["aria-label"] for attributes in pictures)


def test_all_sizes_of_the_run_s_clusters_are_told() -> None:
    events = list(record(DRILL))
    ready = next(event for event in events if event.kind == "cluster.ready")
    larger = replace(ready, data={**ready.data, "topology": {"managers": 5, "workers": 2}})
    text = shown(Record((*events, larger)))
    assert "3 managers and 2 workers; 5 managers and 2 workers" in text
