"""The page that an operator reads: what is there, and what is odd."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from pytest_swarmlab.survey import page
from pytest_swarmlab.survey.events import OF_MACHINE, OF_SWARM, read
from pytest_swarmlab.survey.machine import Attached, Certificate, Disk
from pytest_swarmlab.survey.odd import Oddity, Weight, oddities
from pytest_swarmlab.survey.seen import Port, Settings, Survey, Variable, Words
from tests.unit.records.surveys import (
    Edit,
    both,
    containers,
    good,
    machine,
    recorded,
    row,
    rows,
    seen,
    service,
    services,
    system,
    systems,
    unseen,
)


def shown(survey: Survey) -> str:
    out = io.StringIO()
    page.write(survey, out)
    return out.getvalue()


def told(found: Iterable[Oddity], weight: Weight | None = None) -> list[str]:
    return [each.what for each in found if weight in (None, each.weight)]


def settings(**data: Any) -> Edit:
    return lambda survey: replace(survey, settings=replace(survey.settings or Settings(), **data))


def certificate(left_s: float) -> Edit:
    return systems(lambda s: replace(s, certificate=Certificate(left_s=left_s)), "worker2")


def test_a_real_cluster_is_shown_on_one_page() -> None:
    text = shown(seen())
    for words in ("machines (5)", "manager, leads", "exports /srv/nfs/swarm-data", "services (11)",
                  "wp_wordpress", "3/3", "8080→80", "(share)", "autolock off"):  # fmt: skip
        assert words in text
    assert max(len(line) for line in text.splitlines()) <= page.WIDTH


def test_of_a_good_cluster_only_notes_are_left() -> None:
    assert {each.weight for each in oddities(seen())} == {Weight.NOTE}


ODD: list[tuple[Edit, str, Weight]] = [
    (row("worker1", role="manager", reachability="reachable"),
     "4 managers tolerate no more failures (1) than 3", Weight.RISK),
    (row("manager1", leader=False), "there is no leader", Weight.BROKEN),
    (row("manager3", reachability="unreachable"), "the manager manager3 is unreachable",
     Weight.BROKEN),
    (row("worker2", state="down", machine=""), "is of a machine that has left or joined again",
     Weight.RISK),
    (row("worker2", state="down"), "worker2 is down", Weight.BROKEN),
    (row("manager2", availability="drain"), "manager2 is set to drain", Weight.NOTE),
    (system("worker2", mounts=lambda every: [m for m in every if not m.nfs]),
     "is mounted on others, not on worker2", Weight.RISK),
    (service("health_web", wanted=5), "health_web: 3 of 5 replicas run", Weight.BROKEN),
    (service("health_web", update_state="paused"), "the update of health_web has paused half-way",
     Weight.BROKEN),
    (containers(lambda c: replace(c, health="unhealthy") if c.service == "wp_db" else c),
     "wp_db on worker1 is unhealthy", Weight.BROKEN),
    (system("worker1", disks=lambda _: [Disk("/", 100, 95)]), "/ of worker1 is 95% full",
     Weight.RISK),
    (certificate(86_400.0), "the certificate of worker2 ends in 1.0 days and was not renewed",
     Weight.RISK),
    (certificate(-1.0), "the certificate of worker2 has ended", Weight.BROKEN),
    (service("wp_db", variables=(Variable("MYSQL_PASSWORD", digest="ab"),)),
     "the definition of wp_db shows a secret: MYSQL_PASSWORD", Weight.RISK),
    (service("wp_db", command=Words(("x",), 1)),
     "wp_db shows a secret in its command, health check or labels", Weight.RISK),
    (service("wp_db", ports=(Port(3306, 3306),)), "wp_db publishes its port 3306", Weight.RISK),
    (service("wp_db", attached=(Attached("volume", "here", "/var/lib/mysql"),)),
     "wp_db keeps its data in the volume here, which stays on its node", Weight.RISK),
    (service("wp_db", attached=()), "wp_db keeps its data only in the container", Weight.RISK),
    (settings(root_rotation=True), "root certificate is being rotated", Weight.NOTE),
    (settings(autolock=False), "autolock is off", Weight.NOTE),
    (systems(lambda s: replace(s, lacks={"certificate": "permission denied"}), "worker1"),
     "the certificate of worker1 could not be read: permission denied", Weight.RISK),
    (machine("worker1", volumes=None, errors={"volumes": "timed out"}),
     "the volumes of worker1 could not be read: timed out", Weight.BROKEN),
    (both(unseen("secrets"), lambda s: replace(s, errors={"secrets": "no leader"})),
     "no manager could list the secrets: no leader", Weight.BROKEN),
]  # fmt: skip


@pytest.mark.parametrize(("edit", "words", "weight"), ODD, ids=[words for _, words, _ in ODD])
def test_an_oddity_is_told_once(edit: Edit, words: str, weight: Weight) -> None:
    found = told(oddities(edit(seen())), weight)
    assert len([each for each in found if words in each]) == 1


def test_a_loop_is_told_with_its_error() -> None:
    survey = seen()
    now = next(t for t in survey.tasks or () if t.running)
    failed = tuple(
        replace(now, id=f"f{n}", state="failed", error="task: non-zero exit (1)", age_s=10.0 * n)
        for n in (1, 2, 3)
    )
    found = told(oddities(replace(survey, tasks=(*(survey.tasks or ()), *failed))), Weight.BROKEN)
    assert found[0].endswith("fails repeatedly: task: non-zero exit (1)")


def test_the_worst_comes_first() -> None:
    edit = both(row("manager2", availability="drain"), row("worker2", state="down"))
    weights = [each.weight for each in oddities(edit(seen()))]
    assert weights == sorted(weights)


def test_nothing_but_the_page_is_shown_where_no_manager_could_tell() -> None:
    nothing: dict[str, Any] = dict.fromkeys(OF_SWARM)
    lost = replace(seen(), **nothing, errors=dict.fromkeys(OF_SWARM, "no leader"))
    text = shown(lost)
    assert "no manager could list the swarm: no leader" in text
    assert "services (" not in text


def test_a_machine_that_was_away_is_on_the_page() -> None:
    nothing: dict[str, Any] = dict.fromkeys(OF_MACHINE)
    away = machine("worker1", **nothing, errors=dict.fromkeys(OF_MACHINE, "refused"))
    assert "worker1 could not be asked: refused" in shown(away(seen()))


def test_what_others_wrote_is_text_and_nothing_more() -> None:
    bad = "\x1b[2J[bold]\u202eevil[/bold]" + "x" * 500
    edit = both(
        services(lambda s: replace(s, name=bad, image=bad) if s.name == "wp_db" else s),
        rows(lambda r: replace(r, message=bad, state="down") if r.name == "worker1" else r),
        machine("worker2", errors={"volumes": bad}),
    )
    text = shown(edit(seen()))
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold]evil" in text
    assert "x" * 400 not in text


def test_of_thousands_so_many_are_shown_as_anybody_reads() -> None:
    survey = seen()
    (one, *_) = survey.services or ()
    many = tuple(replace(one, id=f"s{n}", name=f"s{n}") for n in range(1000))
    text = shown(replace(survey, services=many, more={"services": 5}))
    assert "and 905 more services" in text
    assert len(text.splitlines()) < 1000


def test_a_page_of_the_record_alone_is_the_same() -> None:
    survey = replace(good(), at="", seconds=1.0)
    assert shown(read(recorded(survey))) == shown(survey)
