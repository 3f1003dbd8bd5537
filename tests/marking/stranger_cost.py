"""What the lab's text costs whoever follows it to the letter: the stranger's cluster, marked."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.marking import combining, saved
from pytest_swarmlab.marking.mark import Mark
from pytest_swarmlab.marking.rubric import points
from pytest_swarmlab.marking.state import exercise as state
from pytest_swarmlab.model import Event, Verdict
from tests.marking.stranger import TYPED

SURVEY = TYPED / "survey.jsonl.xz"
"""What the latest run has seen of the cluster."""

PAGE = Path(__file__).parents[2] / "docs/marking.md"

LOST = {
    "state.cluster-ha.workers": "2.1 promotes worker1, and adds no other worker",
    "state.storage.netdev": "2.4's line of fstab has no `_netdev`",
    "state.storage.hard": "2.5's volumes have no version option, and the engine mounts version 3",
    "state.storage.volume-options": "the definitions of the same volumes",
    "state.storage.own-directory": "2.4's `db-nfs` has the root of the share as its data directory",
    "state.wordpress.deployed": "its database does not run, see `database`",
    "state.wordpress.replicas": "2.8 stops the engine: WordPress's task there exits with 0, and"
    " 2.5's `on-failure` never replaces it",
    "state.wordpress.database": "2.5's MySQL gets no lock on its files over NFS version 3; 2.4's"
    " `db-nfs` gives them to its own user at each start",
    "state.wordpress.label": "2.5 labels only worker1, so no other node can run the database",
    "state.wordpress.salts": "2.5's file has no keys and salts",
    "state.secrets-configs.modes": "2.6's application never runs: its file has no top-level"
    " `secrets:`, and its image does not exist",
    "state.secrets-configs.config-used": "2.7's proxy forwards to `backend`, a service that the"
    " text does not have",
    "state.secrets-configs.without-gap": "2.7's nginx has one replica and the order stop-first",
    "state.backup.timer": "2.8 has no timer for the script",
    "state.backup.restarts-engine": "2.8's script has no trap: a failed copy is not noticed",
    "state.healthchecks.present": "2.5's WordPress has no health check",
    "state.healthchecks.loopback": "2.9's checks ask `localhost`",
    "state.healthchecks.start-period": "2.9's database has no start period",
    "state.healthchecks.restart": "`on-failure` in 2.5 and 2.9, which does not replace a task that"
    " exits with 0",
    "state.healthchecks.healthy": "tasks fail repeatedly: databases without a password (2.3, 2.4),"
    " images that do not exist (2.9)",
    "state.production.there": "2.10's stack is refused: the text lacks its nginx files",
    "state.production.stack": "the same",
}
"""Check that fails by itself → which words of the text it is lost by."""


def keep(record: Record) -> None:
    """Keep what a run has seen."""
    with lzma.open(SURVEY, "wt", encoding="utf-8") as lines:
        for event in record.phase(saved.SURVEY):
            if event.kind.startswith("survey."):
                lines.write(json.dumps(asdict(event)) + "\n")


def surveyed() -> Record:
    """What the latest run has seen."""
    with lzma.open(SURVEY, "rt", encoding="utf-8") as lines:
        return Record(tuple(Event(**json.loads(line)) for line in lines))


def lost(record: Record) -> set[str]:
    """The checks that fail by themselves."""
    return {result.id for result in state.judge(record) if result.verdict is Verdict.FAIL}


def marked(record: Record) -> Mark:
    """Its mark, with nothing handed in and nothing drilled."""
    results = saved.of_record(record, [state], ())
    return saved.marked(combining.load(None), [state], results)


def tables(mark: Mark) -> Iterator[str]:
    """The lines of both tables of docs/marking.md."""
    yield from ("| Criterion | Earned | Of | Lost | Ungraded |", "|---|---|---|---|---|")
    for each in mark.criteria:
        yield _row(each.title, each.earned, each.of, each.ungraded)
    yield _row("All", mark.earned, mark.of, mark.ungraded)
    yield from ("", "| Lost check | Points | By |", "|---|---|---|")
    every = [check for each in mark.criteria for check in each.checks if check.lost]
    for check in every:
        if check.result.id in LOST:
            yield f"| `{check.result.id}` | {points(check.lost)} | {LOST[check.result.id]} |"
    rest = [check for check in every if check.result.id not in LOST]
    yield f"| {len(rest)} more | {points(sum(c.lost for c in rest))} | they need one of these |"


def _row(title: str, earned: int, of: int, ungraded: int) -> str:
    counted = (earned, of, of - earned - ungraded, ungraded)
    return "| " + " | ".join([title, *map(points, counted)]) + " |"
