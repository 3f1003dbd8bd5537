"""What is read of a submission before a cluster is started, and what is said of its services."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_swarmlab.errors import ConfigError, Unusable
from pytest_swarmlab.marking import new_submission
from pytest_swarmlab.submitted import work
from pytest_swarmlab.survey.machine import Attached
from pytest_swarmlab.survey.seen import Service, Survey


@pytest.mark.parametrize(
    ("kind", "source", "said"),
    [
        ("bind", "/var/run/docker.sock", "mounts the engine's socket of its machine"),
        ("bind", "/run/docker.sock", "mounts the engine's socket of its machine"),
        ("bind", "/", "mounts / of its machine"),
        ("bind", "/etc/", "mounts /etc/ of its machine"),
        ("bind", "/mnt/nfs/swarm-data", ""),
        ("volume", "/", ""),
    ],
)
def test_a_service_that_reaches_out_of_its_container_is_told(
    kind: str, source: str, said: str
) -> None:
    service = Service("s", "spy", attached=(Attached(kind, source, "/x"),))
    told = work.reaches_out(Survey("c", services=(service,)))
    assert [line for line in told if said in line] == told
    assert bool(told) is bool(said)


def test_what_was_handed_in_is_read_before_a_cluster_is_started(tmp_path: Path) -> None:
    new_submission.write(tmp_path / "mine")
    submission, said = work.read(tmp_path / "mine")
    assert len(said.steps) == 6
    assert "scripts/backup.sh" in submission.files


def test_where_nothing_could_be_brought_anywhere_one_sentence_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        work.read(tmp_path / "none")
    (tmp_path / "swarmlab.yml").write_text("lab: lab-02\n", "utf-8")
    with pytest.raises(Unusable, match="has none of the lab's files"):
        work.read(tmp_path)
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(2**31)
    (tmp_path / "swarmlab.yml").write_text("lab: lab-02\nsteps: [{run: huge}]\n", "utf-8")
    with pytest.raises(Unusable, match="more than 32 MiB"):
        work.read(tmp_path)
