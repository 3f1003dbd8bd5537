"""A guest of somebody's own WordPress, and what becomes of all that he wrote there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_swarmlab.errors import NotConverged, ProviderError
from pytest_swarmlab.model import Capability
from pytest_swarmlab.swarm.services import Service
from pytest_swarmlab.waiting.conditions import Converged
from tests.exercises.exercise_2_5.events import Gone
from tests.exercises.exercise_2_5.site import Site
from tests.exercises.submission import guest
from tests.unit.fakes import Lab

HOME = "http://blog.example.org:8081"
INSTALLED = {"installed": True, "several": False, "home": HOME, "tables": 12}
EMPTY = {"installed": False, "several": False, "home": "", "tables": 0}

Said = dict[str, Any]


class Blog:
    """A drill on a WordPress whose program says these things; notes what was done, in order."""

    def __init__(self, lab: Lab, **said: Any) -> None:
        self.lab, self.swarm = lab, lab.swarm
        self.said = {"look": INSTALLED, "invite": {"user": 7}, "dismiss": {"left": 0},
                     "uninstall": {"left": 0}, **said}  # fmt: skip
        self.wordpress = Service(lab.swarm, "wp_wordpress")
        self.deployed = SimpleNamespace(replicas=3)
        self.site = Site(lab.swarm.nodes, lab.recorder, author="swarmlab-1a2b3c4d")
        self.written: list[Any] = []
        self.evidence = SimpleNamespace(write=self.written.append)
        self.did: list[str] = []
        self.gone = False
        lab.shell = self.shell

    def shell(self, node: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        del node
        words = " ".join(argv)
        if argv[0] == "systemd-run":
            self.did.append("timer")
        if argv[0] == "systemctl":
            self.did.append("no timer")
        if argv[0] == "sh":
            asked = re.search(r"-- (look|invite|dismiss|uninstall)", words)
            assert asked is not None
            self.did.append(asked[1])
            answer = self.said[asked[1]]
            return 0, answer if isinstance(answer, str) else f"noise\n{json.dumps(answer)}\n", ""
        return 0, "", ""

    def install(self, values: dict[str, bytes]) -> None:
        assert values == {}
        self.did.append("installed")

    def visit(self) -> None:
        self.did.append("visited")

    def __call__(self, condition: Any, *, within: float) -> Any:
        assert isinstance(condition, Converged)
        if self.gone:
            raise NotConverged(condition.name, node=None, elapsed=within, last="0/3 running")
        return [SimpleNamespace(node="worker2", container="c0ffee")]


def drilled(blog: Blog, within: str = "", *, stopped: bool = False) -> None:
    """A guest begins, and something happens."""
    drill: Any = blog
    with guest.gone_at_the_end(drill, drill) as begin:
        begin()
        blog.did.append("drilled")
        blog.gone = stopped
        if within:
            raise ValueError(within)


@pytest.fixture
def theirs(lab: Lab) -> Lab:
    """Somebody's own, and changes are permitted."""
    lab.machines.foreign = True
    return lab


TIMERS, STOPPED = ["timer"] * 5, ["no timer"] * 5


def test_an_editor_is_made_and_removed_where_the_owner_has_installed_it(theirs: Lab) -> None:
    blog = Blog(theirs)
    drilled(blog)
    assert blog.did == ["look", *TIMERS, "invite", "visited", "drilled", "dismiss", *STOPPED]
    assert (blog.site.guest, blog.site.host) == (7, "blog.example.org:8081")
    assert blog.written == [Gone("swarmlab-1a2b3c4d", 0)]


def test_what_is_not_installed_is_installed_and_that_is_removed(theirs: Lab) -> None:
    blog = Blog(theirs, look=EMPTY)
    drilled(blog)
    assert blog.did == ["look", *TIMERS, "installed", "drilled", "uninstall", *STOPPED]
    assert blog.site.guest is None


@pytest.mark.parametrize("seen", [INSTALLED, EMPTY])
def test_a_drill_that_fails_leaves_nothing_either(theirs: Lab, seen: Said) -> None:
    blog = Blog(theirs, look=seen)
    with pytest.raises(ValueError, match="no wait"):
        drilled(blog, within="no wait")
    assert blog.did[-6:] == ["dismiss" if seen is INSTALLED else "uninstall", *STOPPED]


@pytest.mark.parametrize(
    "said",
    [{"left": 3}, {"left": None}, {}, {"left": True}, "", "Fatal error", "[" * 3000, "[1]", "7",
     {"left": 2, "error": "somebody else has a user there by now"}],
)  # fmt: skip
def test_what_is_left_or_not_known_is_an_error_and_the_nodes_go_on_trying(
    theirs: Lab, said: Any
) -> None:
    blog = Blog(theirs, dismiss=said)
    with pytest.raises(ProviderError, match="swarmlab-1a2b3c4d wrote on wp_wordpress could not be"):
        drilled(blog)
    assert "no timer" not in blog.did
    (gone,) = blog.written
    assert gone.left in {None, 2, 3}


def test_where_no_replica_runs_any_more_the_nodes_remove_it(theirs: Lab) -> None:
    blog = Blog(theirs)
    with pytest.raises(ProviderError, match="a timer on each node does so in 4 h"):
        drilled(blog, stopped=True)
    assert "no timer" not in blog.did


def test_all_that_is_done_is_announced_before(theirs: Lab) -> None:
    drilled(Blog(theirs))
    changes = theirs.recorder.view().of("change")
    assert [e.data["what"].split()[0] for e in changes[:7]] == ["systemd-run"] * 5 + ["guest", "sh"]
    written = changes[5].data
    assert written["what"] == (
        "guest swarmlab-1a2b3c4d wp_wordpress 'posts, comments and a picture'"
    )
    assert written["undone"].startswith("removed with all that he wrote at the end of his block")


def test_nothing_is_done_where_changes_are_not_permitted(theirs: Lab) -> None:
    theirs.machines.controls -= {Capability.CHANGE}
    blog = Blog(theirs)
    with pytest.raises(ProviderError, match="permits more"):
        drilled(blog)
    assert blog.did == ["look"]


def test_on_the_marker_s_own_cluster_it_is_installed_and_stays(lab: Lab) -> None:
    blog = Blog(lab)
    drilled(blog)
    assert blog.did == ["installed", "drilled"]
    assert lab.recorder.view().of("change") == ()


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        ({**INSTALLED, "several": True}, "several sites in one"),
        ({**EMPTY, "tables": 4}, "not installed, but its database has tables"),
        ({**INSTALLED, "home": "https://blog.example.org"}, "is not http"),
        ({**INSTALLED, "home": "http://example.org/blog"}, "more than a host"),
        ({**INSTALLED, "home": "http://a\r\nX-Evil: 1"}, "more than a host"),
        ({**INSTALLED, "home": "http://me:secret@example.org"}, "more than a host"),
        ({**INSTALLED, "home": 7}, "is not http"),
    ],
)
def test_a_site_that_takes_no_guest_is_told_why_and_left_alone(
    theirs: Lab, seen: Said, why: str
) -> None:
    blog = Blog(theirs, look=seen)
    with pytest.raises(pytest.skip.Exception, match=f"wp_wordpress can't be written to: .*{why}"):
        drilled(blog)
    assert blog.did == ["look"]
    assert theirs.recorder.view().of("change") == ()


@pytest.mark.parametrize("said", ["", "bash: php: command not found", "[1, 2]", "{" * 9])
def test_a_site_that_says_nothing_of_itself_is_left_alone(theirs: Lab, said: str) -> None:
    blog = Blog(theirs, look=said)
    with pytest.raises(pytest.skip.Exception, match="says nothing of its WordPress"):
        drilled(blog)
    assert blog.did == ["look"]


@pytest.mark.parametrize("said", ["", {"error": "Sorry, that username already exists!"}, {}, "[]"])
def test_a_guest_who_is_not_taken_writes_nothing(theirs: Lab, said: Any) -> None:
    blog = Blog(theirs, invite=said)
    with pytest.raises(pytest.skip.Exception, match="wp_wordpress took no guest"):
        drilled(blog)
    assert blog.did == ["look", *TIMERS, "invite", "dismiss", *STOPPED]


def test_the_guest_s_password_is_in_no_command_and_in_no_record(theirs: Lab) -> None:
    blog = Blog(theirs)
    drilled(blog)
    assert theirs.fed[1] == blog.site.password.encode() + b"\n"
    assert not any(blog.site.password in " ".join(act) for act in theirs.commands())
    assert blog.site.password not in theirs.recorder.path.read_text(encoding="utf-8")


def test_a_site_has_bounds_of_time_and_of_what_it_says(theirs: Lab) -> None:
    drilled(Blog(theirs))
    asked = [act[3] for act in theirs.commands("sh")]
    assert len(asked) == 3
    for line in asked:
        assert line.startswith("timeout 60 docker exec --interactive --user www-data c0ffee php ")
        assert line.endswith(" 2>&1 | tail --bytes=4096")


def test_nobody_but_that_guest_is_named_to_the_timers(theirs: Lab) -> None:
    drilled(Blog(theirs))
    timers = theirs.commands("systemd-run")
    assert {act[0] for act in timers} == {node.name for node in theirs.swarm.nodes}
    for act in timers:
        assert act[-1].rstrip("'\"").endswith(" -- dismiss swarmlab-1a2b3c4d")
        assert "--on-active=14400" in act


def test_systemd_replaces_nothing_in_what_a_timer_is_given() -> None:
    # systemd.unit(5), specifiers; systemd.service(5), environment in command lines.
    assert "%" not in guest.PROGRAM
    assert not re.search(r"\$[{$]", guest.PROGRAM)


def test_the_program_gets_through_six_shells() -> None:
    words = guest.PROGRAM
    for _ in range(6):  # Three of a timer's own, ssh's on both sides, sudo's.
        words = shlex.quote(words)
    assert len(words) < 1 << 16, "execve(2) takes 128 KiB in one word"


DOCKER = """#!/bin/sh
if [ "$1" = ps ]; then printf '%s\\n' "$RUNNING"; exit; fi
for word; do printf '%s\\0' "$word"; done > "$SAID"
"""


@pytest.mark.parametrize("running", ["c0ffee\ndecade", "c0ffee", ""])
def test_a_timer_s_line_asks_one_replica_if_there_is_one(
    theirs: Lab, tmp_path: Path, running: str
) -> None:
    timers = guest._timers(
        theirs.swarm, Service(theirs.swarm, "wp_wordpress"), "uninstall", "swarmlab-1a2b3c4d"
    )
    shell, option, line = timers[0][1][0]
    docker, said = tmp_path / "docker", tmp_path / "said"
    docker.write_text(DOCKER, encoding="utf-8")
    docker.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "RUNNING": running, "SAID": str(said)}
    subprocess.run([shell, option, line], env=env, check=True)
    if not running:
        assert not said.exists()
        return
    assert said.read_text(encoding="utf-8").split("\0")[:-1] == [
        "exec", "--user", "www-data", "c0ffee", "php", "-r", guest.PROGRAM, "--", "uninstall",
        "swarmlab-1a2b3c4d",
    ]  # fmt: skip


def test_a_service_s_name_is_no_part_of_a_shell_s_line(theirs: Lab) -> None:
    name = "wp; rm -rf /"
    timers = guest._timers(theirs.swarm, Service(theirs.swarm, name), "dismiss", "x")
    listing = timers[0][1][0][-1].partition(" | ")[0]
    assert f"label=com.docker.swarm.service.name={name}" in shlex.split(listing)


def test_each_guest_has_a_name_of_his_own_and_the_lab_s_author_keeps_his(
    lab: Lab, theirs: Lab
) -> None:
    first, second = (guest.new_author(theirs.swarm, 8080) for _ in range(2))
    assert re.fullmatch(r"swarmlab-[0-9a-f]{8}", first.author)
    assert first.author != second.author
    lab.machines.foreign = False
    assert guest.new_author(lab.swarm, 8080).author == "author"
