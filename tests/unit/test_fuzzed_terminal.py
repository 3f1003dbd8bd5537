"""Whatever a cluster, a file or a student says, a terminal shows it as text."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import re
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_swarmlab import cli
from pytest_swarmlab.evidence.events import KINDS
from pytest_swarmlab.model import Event
from pytest_swarmlab.reporting import live
from pytest_swarmlab.reporting.terminal import Narration
from tests.unit.records.hostile import JSON, SAID, UNSEEN, WORDS, instances
from tests.unit.records.synthetic import THREE_DRILLS, run_events
from tests.unit.reporting.test_live import Terminal

MEGABYTE = "\x1b[31m" + "x" * 2**20


@st.composite
def told(draw: st.DrawFn) -> list[Event]:
    """Events of any kinds, as a record has them."""
    kinds = st.sampled_from(sorted(KINDS))
    events = []
    for number, name in enumerate(draw(st.lists(kinds, min_size=1, max_size=8))):
        data = json.loads(json.dumps(draw(instances(KINDS[name])).data()))
        if draw(st.booleans()) and data:
            data[draw(st.sampled_from(sorted(data)))] = draw(JSON)
        events.append(Event(number, float(number), "", KINDS[name].kind, "", data, draw(WORDS)))
    return events


def is_text(shown: str, *, longest: int = 5000) -> None:
    """Nothing but text, in lines of some length."""
    shown.encode()
    assert not UNSEEN & set(shown)
    assert "\r" not in shown
    assert max(map(len, shown.split("\n"))) <= longest


@given(told())
def test_events_that_say_anything_are_narrated_as_text(events: list[Event]) -> None:
    out = io.StringIO()
    narration = Narration(out)
    for event in events:
        narration.hear(event)
    is_text(out.getvalue())


@given(SAID)
@example(MEGABYTE)
def test_a_megabyte_and_any_word_take_a_line_that_can_be_read(word: str) -> None:
    out = io.StringIO()
    narration = Narration(out)
    for name, key in (("notice", "message"), ("stage.failed", "name"), ("node.up", "node")):
        narration.hear(Event(0, 1.0, "", name, "", {key: word}))
    is_text(out.getvalue(), longest=600)


OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[J|\x1b\[\d+[AG]|\n\r")
"""What lines that are renewed need: colours, and where the cursor goes."""


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines are renewed when a test says so."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(live, "PERIOD_S", 3600.0)
    monkeypatch.setattr(live, "HELD_S", 0.0)


@given(told())
def test_lines_that_are_renewed_hold_text_and_fit_the_terminal(events: list[Event]) -> None:
    terminal = Terminal()
    written: list[str] = []
    terminal.monitor.write = lambda text: written.append(text) or len(text)  # type: ignore[method-assign, func-returns-value]
    shown = live.Live(terminal, lambda: 5.0)
    for event in events:
        shown.hear(event)
        shown._draw()
    shown.stop()
    is_text(OWN.sub("\n", "".join(written)))


# -- commands ----------------------------------------------------------------------------------


def said_by(*argv: str) -> tuple[int, str]:
    """How the command ends, and all that it prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        code = cli.main(argv)
    return code, out.getvalue()


@functools.cache
def run() -> tuple[bytes, ...]:
    """The lines of a run's record."""
    return tuple(
        _line({**vars(event), "data": dict(event.data)}) for event in run_events(THREE_DRILLS[:1])
    )


def damaged(random: Random, raw: bytes, value: Any) -> bytes:
    """That record with lines cut, doubled, lost, of another form, or that are none."""
    lines = list(run())
    for _ in range(random.randint(1, 4)):
        at = random.randrange(len(lines))
        event = json.loads(random.choice(run()))
        lines[at : at + 1] = random.choice(
            (
                [],
                [lines[at][: random.randrange(200)]],
                [lines[at], random.choice(run())],
                [raw + b"\n"],
                [_line({**event, random.choice(sorted(event)): value})],
                [_line({**event, "data": {**event["data"], _key(random, event): value}})],
            )
        )
    return b"".join(lines)[: random.choice((None, random.randrange(5000)))]


def _key(random: Random, event: dict[str, Any]) -> str:
    keys: list[str] = sorted({*event["data"], "more"})
    return random.choice(keys)


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


@given(st.integers(0, 2**32), st.binary(max_size=60), JSON, st.lists(st.binary(max_size=80)))
def test_a_damaged_record_is_judged_or_refused_in_one_sentence(
    tmp_path_factory: pytest.TempPathFactory, seed: int, raw: bytes, value: Any, parts: list[bytes]
) -> None:
    directory = tmp_path_factory.mktemp("run")
    random = Random(seed)  # noqa: S311 - no secret depends on it
    (directory / "events.jsonl").write_bytes(damaged(random, raw, value))
    (directory / "workers").mkdir()
    for number, part in enumerate(parts[:2]):
        whole = random.choice((b"", *run()))
        (directory / "workers" / f"gw{number}.jsonl").write_bytes(whole + part)
    code, shown = said_by("judge", str(directory))
    is_text(shown)
    assert code in (0, 1, 2)
    assert (code == 2) is shown.startswith("swarmlab: ")
    assert code != 2 or shown.count("\n") == 1


RESULTS = st.fixed_dictionaries(
    {"provider": JSON, "kernel": JSON},
    optional={
        "exercises": JSON
        | st.lists(
            st.fixed_dictionaries(
                {
                    "id": JSON,
                    "checks": JSON
                    | st.lists(
                        st.fixed_dictionaries(
                            {"verdict": st.sampled_from(("pass", "fail", "not_provable")) | JSON},
                            optional={"observed": JSON},
                        ),
                        max_size=2,
                    ),
                }
            ),
            max_size=2,
        ),
    },
)


@given(RESULTS | JSON)
def test_results_of_any_values_make_a_table_or_are_refused(tmp_path: Path, results: Any) -> None:
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results), encoding="utf-8")
    code, shown = said_by("table", str(path))
    is_text(shown)
    assert code in (0, 2)
