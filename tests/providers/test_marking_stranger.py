"""The lab's text, typed word for word on the Vagrantfile's machines, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_swarmlab.evidence.record import Record
from tests.marking import stranger, stranger_cost
from tests.providers.conftest import inventory_of_process
from tests.providers.test_marking import SWARMLAB


@pytest.mark.long
def test_whoever_follows_the_text_to_the_letter_loses_what_its_errata_cost(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    directory = tmp_path_factory.mktemp("stranger")
    words = ["-m", stranger.__name__, str(directory)]
    with inventory_of_process(words, stranger.as_left(), directory) as inventory:
        done = subprocess.run(
            [sys.executable, "-c", SWARMLAB, "mark", "--inventory", str(inventory)],
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 1, done.stdout[-8000:] + done.stderr[-2000:]
    run = directory / "reports/latest"
    record = Record.load(run / "events.jsonl")
    assert record.of("change") == ()
    stranger_cost.keep(record)
    assert stranger_cost.lost(record) == stranger_cost.LOST.keys()
    told = "\n".join(stranger_cost.tables(stranger_cost.marked(record)))
    assert told in stranger_cost.PAGE.read_text("utf-8"), told
