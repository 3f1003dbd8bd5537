"""Roles are found by what things are, never by what they are called, and nobody guesses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.marking import roles
from pytest_swarmlab.marking.roles import Cast, cast
from pytest_swarmlab.survey.machine import Attached
from pytest_swarmlab.survey.seen import Service, Survey, Variable
from tests.unit.records.surveys import (
    gone,
    good,
    recorded,
    seen,
    service,
    services,
    system,
    unseen,
)

FOUND = {
    "nfs-server": "manager1",
    "wordpress": "wp_wordpress",
    "wordpress-database": "wp_db",
    "secrets-app": "multitier_api",
    "tls-front": "multitier_web",
    "proxy": "proxy_nginx",
    "backup-timer": "swarm-backup.timer",
    "web": "health_web",
    "api": "health_api",
    "api-database": "health_database",
    "redis": "health_redis",
    "broker": "shop_rabbitmq",
    "shop-database": "shop_postgres",
    "shop-cache": "shop_redis",
}


def with_service(survey: Survey, *more: Service) -> Survey:
    return replace(survey, services=(*(survey.services or ()), *more))


def test_every_role_of_a_real_cluster_is_found() -> None:
    found = cast(recorded(good())).parts
    assert {role: part.name for role, part in found.items() if part.name} == FOUND
    assert [str(part) for part in found.values() if part.several] == []


def test_each_says_why() -> None:
    parts = Cast(seen())
    assert parts["wordpress-database"].why == (
        "WORDPRESS_DB_HOST of wp_wordpress names it",
        "its image is mysql:8.0",
        "both are in the network wp_backend",
    )
    assert str(parts["backup-timer"]).startswith("the timer that takes backups is swarm-backup")
    assert all(part.why for part in parts.parts.values() if part.name)


def test_names_decide_nothing() -> None:
    """With every service called otherwise the same things play the same roles."""
    new = {s.name: f"x{number}" for number, s in enumerate(good().services or ())}
    renamed = services(lambda s: replace(s, name=new[s.name]))(good())
    found = {role: part.name for role, part in Cast(renamed).parts.items() if part.name}
    expected = {role: new.get(name, name) for role, name in FOUND.items()}
    # WordPress names its database by the alias, which is another thing than the service's name.
    assert found == expected


def test_two_that_could_be_it_are_told_and_neither_is_taken() -> None:
    second = service("health_web", image="wordpress:6")(seen())
    part = Cast(second)["wordpress"]
    assert (part.name, part.several) == ("", True)
    assert str(part) == (
        "WordPress could be each of health_web, wp_wordpress: say which in swarmlab.yml, for"
        " example `roles: {wordpress: health_web}`"
    )


def test_a_line_decides() -> None:
    second = service("health_web", image="wordpress:6")(seen())
    part = cast(recorded(second, {"wordpress": "health_web"}))["wordpress"]
    assert (part.name, part.decided) == ("health_web", True)
    assert part.why[0] == "swarmlab.yml says so"


def test_a_line_decides_against_what_looks_like_it() -> None:
    part = Cast(seen(), {"wordpress-database": "multitier_db"})["wordpress-database"]
    assert part.name == "multitier_db"


def test_a_line_about_what_is_not_there_is_told() -> None:
    part = Cast(seen(), {"wordpress": "wp_wordpres"})["wordpress"]
    assert (part.name, part.several) == ("", False)
    assert "does not exist" in str(part)


def test_a_line_about_no_role_is_refused_in_one_sentence() -> None:
    with pytest.raises(ConfigError, match=r"there is no role 'wordpres': use test-service, "):
        Cast(seen(), {"wordpres": "wp"})
    roles.check({"wordpress": "wp"})


def test_a_forged_decision_is_no_decision() -> None:
    assert cast(recorded(seen(), {"nobody": "x"}))["wordpress"].name == "wp_wordpress"


def test_none_is_told() -> None:
    part = Cast(gone("wp_wordpress", "wp_db")(seen()))["wordpress"]
    assert (part.name, part.several) == ("", False)
    assert str(part) == "nothing looks like WordPress"


def test_of_an_unseen_cluster_nobody_plays_anything() -> None:
    parts = Cast(unseen("services")(seen())).parts
    assert {role for role, part in parts.items() if part.name} == {"nfs-server", "backup-timer"}
    assert not any(part.name for part in Cast(Survey()).parts.values())


def test_a_database_is_its_wordpresss_only_in_one_network_with_it() -> None:
    apart = service("wp_db", networks=("elsewhere",), variables=())(seen())
    assert Cast(apart)["wordpress-database"].name == ""


def test_without_a_wordpress_a_database_of_that_name_is_it() -> None:
    alone = gone("wp_wordpress")(seen())
    assert Cast(alone)["wordpress-database"].why == (
        "its image is mysql:8.0",
        "MYSQL_DATABASE is wordpress",
    )


@pytest.mark.parametrize(
    ("role", "other"),
    [
        ("test-service", Service("t", "t", image="nginx:alpine", wanted=5)),
        ("visualizer", Service("v", "v", image="dockersamples/visualizer:stable")),
        ("local-database", Service("l", "l", image="postgres:15-alpine",
                                   attached=(Attached("volume", "mydata", "/data"),))),
        ("nfs-database", Service("n", "n", image="postgres:15-alpine",
                                 attached=(Attached("bind", "/mnt/nfs/swarm-data/pg", "/d"),))),
    ],
)  # fmt: skip
def test_services_of_single_commands_are_found(role: str, other: Service) -> None:
    assert Cast(with_service(seen(), other))[role].name == other.name
    assert Cast(seen())[role].name == ""


def test_a_job_plays_no_role() -> None:
    job = Service("j", "j", image="wordpress:cli", mode="replicated-job")
    assert Cast(with_service(seen(), job))["wordpress"].name == "wp_wordpress"


def test_what_watches_a_database_or_the_shop_is_neither() -> None:
    """Prometheus and its exporters, in the networks of what they ask."""
    watched = {
        "prometheuscommunity/postgres-exporter:v0.17.1": ("shop_backend", "health_backend"),
        "oliver006/redis_exporter:v1.69.0-alpine": ("shop_backend", "monitoring"),
        "prom/prometheus:v2.53.3": ("shop_backend", "monitoring"),
        "prom/mysqld-exporter:v0.17.2": ("wp_backend",),
    }
    more = [
        Service(name, name, "monitoring", image=name, networks=networks)
        for name, networks in watched.items()
    ]
    found = Cast(with_service(good(), *more)).parts
    assert {role: part.name for role, part in found.items() if part.name} == FOUND
    # Beside the shop, as some deploy it.
    within = Cast(with_service(good(), *(replace(each, stack="shop") for each in more))).parts
    assert {role: part.name for role, part in within.items() if part.name} == FOUND


def test_a_machine_is_a_server_by_the_mounts_of_others_too() -> None:
    hidden = system("manager1", exports=())(seen())
    part = Cast(hidden)["nfs-server"]
    assert part.name == "manager1"
    assert part.why == ("mounted from it by manager2, manager3, worker1, worker2",)


def test_what_others_wrote_is_shown_as_text() -> None:
    hostile = Variable("WORDPRESS_DB_HOST", "\x1b[2J\u202edb")
    edited = service("wp_wordpress", variables=(hostile,))(seen())
    told = "\n".join(roles.told(Cast(edited)))
    assert "\x1b" not in told
    assert "\u202e" not in told


def test_of_what_the_labs_text_tries_out_beside_each_other_each_has_its_role() -> None:
    """Exercise 2.2's test-ha, 2.9's test-health, and the site of 2.9's stack file."""
    health = next(s.health for s in seen().services or () if s.name == "health_web")
    ha = Service("ha", "test-ha", image="nginx:alpine", wanted=5)
    tried = Service("h", "test-health", image="nginx:alpine", wanted=3, health=health)
    parts = Cast(with_service(seen(), ha, tried))
    assert (parts["test-service"].name, parts["web"].name) == ("test-ha", "health_web")
    alone = Cast(with_service(gone("health_web")(seen()), tried))
    assert (alone["test-service"].name, alone["web"].name) == ("test-health", "test-health")
    two = Cast(with_service(seen(), ha, replace(ha, id="ha2", name="another")))
    assert two["test-service"].several
