"""Pictures of a record stand in the page and beside it, and nothing else does."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path

from pytest_swarmlab.evidence.attachments import attachment
from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.reporting import bitmaps
from pytest_swarmlab.reporting.html import page
from pytest_swarmlab.reporting.results import build_results
from tests.unit.evidence.test_attachments import JPEG
from tests.unit.records.synthetic import THREE_DRILLS, record

HOSTILE = '"><script>alert(1)</script>../../etc/passwd\x1b[31m'


def with_picture(title: str, **changed: str) -> Record:
    """A drill's record with a picture before the drill's last event."""
    run = record(THREE_DRILLS[0])
    at = next(n for n, e in enumerate(run.events) if e.kind == "phase.finished")
    data = {**attachment(title, JPEG).data(), **changed}
    picture = replace(run.events[at], kind="attachment", data=data)
    return Record((*run.events[:at], picture, *run.events[at:]))


def test_a_picture_is_in_its_phase_of_the_page() -> None:
    run = with_picture("Through manager1: the shop")
    text = page(run, build_results(run, []))
    source = f"data:image/jpeg;base64,{base64.b64encode(JPEG).decode()}"
    assert f'<img src="{source}" alt="Through manager1: the shop">' in text
    assert "into the run · Through manager1: the shop" in text


def test_what_is_none_is_told_and_not_shown() -> None:
    run = with_picture("the shop", media="image/svg+xml")
    text = page(run, build_results(run, []))
    assert "This is no picture that can be shown." in text
    assert "<img" not in text


def test_a_title_is_text(tmp_path: Path) -> None:
    run = with_picture(HOSTILE)
    text = page(run, build_results(run, []))
    assert "<script" not in text
    assert "\x1b" not in text
    bitmaps.write(tmp_path, run)
    (file,) = (tmp_path / "attachments").iterdir()
    assert file.name == "001-script-alert-1-script-etc-passwd.jpg"
    assert file.read_bytes() == JPEG


def test_a_run_without_a_picture_has_no_directory_for_them(tmp_path: Path) -> None:
    bitmaps.write(tmp_path, record(THREE_DRILLS[0]))
    bitmaps.write(tmp_path, with_picture("x", content="none"))
    assert not list(tmp_path.iterdir())
