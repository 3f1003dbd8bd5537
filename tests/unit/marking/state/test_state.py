"""Each state check passes a good cluster, fails one with its fault alone, and knows what it has
not seen.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_swarmlab.evidence.record import Record
from pytest_swarmlab.marking.state import exercise
from pytest_swarmlab.model import Verdict
from pytest_swarmlab.survey import events
from pytest_swarmlab.survey.machine import (
    Attached,
    Container,
    Job,
    Mount,
    Script,
    System,
    Unit,
    Volume,
)
from pytest_swarmlab.survey.seen import (
    Port,
    Restart,
    Service,
    Survey,
    TaskRow,
    Update,
    Variable,
    Words,
)
from tests.unit.records.surveys import (
    Edit,
    both,
    containers,
    gone,
    good,
    hidden,
    machine,
    machines,
    node,
    recorded,
    row,
    rows,
    service,
    services,
    system,
    systems,
    tasks,
    unseen,
)

NFS = {"type": "nfs", "o": "addr=192.168.56.10,rw,nfsvers=4.2,hard"}
EVERY = {check.id.removeprefix("state."): check for check in exercise.checks}


def verdicts(record: Record) -> dict[str, Verdict]:
    return {r.id.removeprefix("state."): r.verdict for r in exercise.judge(record)}


# -- one plausible mistake each -------------------------------------------------------------------


def health(name: str, *test: str, **data: Any) -> Edit:
    """That service's health check is another."""
    return service(name, health=lambda h: replace(h, test=Words(test or h.test.words), **data))


def options(o: str, *, device: str = "") -> Edit:
    """WordPress's volume for the database has these options, by definition and on machines."""

    def attach(every: tuple[Attached, ...]) -> tuple[Attached, ...]:
        place = device or every[0].options["device"]
        return (replace(every[0], options={**NFS, "o": o, "device": place}), *every[1:])

    def volume(each: Volume) -> Volume:
        if each.name != "wp_db-data":
            return each
        place = device or each.options["device"]
        return replace(each, options={**NFS, "o": o, "device": place})

    return both(
        service("wp_db", attached=attach),
        machines(lambda m: replace(m, volumes=tuple(volume(v) for v in m.volumes or ()))),
    )


def units(change: str, **data: str) -> Edit:
    return system(
        units=lambda every: (replace(u, **data) if u.name == change else u for u in every)
    )


def fstab(*words: str) -> Edit:
    """The options of NFS in fstab; without any, no such line."""

    def change(every: tuple[Mount, ...]) -> list[Mount]:
        found = [m for m in every if not m.nfs or words]
        return [replace(m, options=words) if m.nfs else m for m in found]

    return system("worker1", fstab=change)


def mounts(**data: Any) -> Edit:
    return system(
        "worker2", mounts=lambda every: (replace(m, **data) if m.nfs else m for m in every)
    )


def unmounted(every: tuple[Mount, ...]) -> list[Mount]:
    return [m for m in every if not m.target.startswith("/mnt")]


def itself(survey: Survey) -> Survey:
    """The NFS server has mounted its own share, by its address."""
    own = Mount("192.168.56.10:/srv/nfs/swarm-data", "/mnt/nfs/swarm-data", "nfs4", ("hard",))
    return system("manager1", mounts=lambda every: (*every, own))(survey)


def by_cron(name: str) -> Edit:
    """That machine has a script of its own, which cron runs."""
    path = "/usr/local/sbin/backup"
    ours = Script(path, True, True, True)
    jobs = (Job("/etc/cron.d/backup", "30 2 * * *", path),)
    return system(name, jobs=jobs, scripts=lambda every: (*every, ours))


def seen_on_workers_alone(survey: Survey) -> Survey:
    """A worker has the timer; of the managers nobody knows."""
    managers = ("manager1", "manager2", "manager3")
    timer = "swarm-backup.timer"
    has = next(m.system for m in survey.machines if m.system and m.system.unit(timer))
    edit = systems(
        lambda each: replace(each, units=None, lacks={"units": "it may not be read"}), *managers
    )
    return both(edit, system("worker1", units=has.units, scripts=has.scripts))(survey)


def on_local_volume(every: tuple[Attached, ...]) -> tuple[Attached, ...]:
    return tuple(replace(a, driver="", options={}, source="local") for a in every)


def local(name: str) -> Edit:
    return service(name, attached=on_local_volume)


def script(**data: bool) -> Edit:
    return system(scripts=lambda every: (replace(s, **data) for s in every))


def backup(**data: Any) -> Edit:
    return system("manager2", backups=lambda every: (replace(b, **data) for b in every))


def rabbit(name: str, **data: Any) -> Edit:
    return service(f"shop_{name}", **data)


def label_on(*names: str) -> Edit:
    return rows(lambda r: replace(r, labels={"storage": "nfs"} if r.name in names else {}))


def drained(*names: str) -> Edit:
    return rows(lambda r: replace(r, availability="drain") if r.name in names else r)


def role(name: str, role: str) -> Edit:
    reach = "reachable" if role == "manager" else ""
    return row(name, role=role, reachability=reach, leader=False)


def engine(name: str, **data: Any) -> Edit:
    return machines(
        lambda m: replace(m, engine=replace(m.engine, **data)) if m.name == name and m.engine else m
    )


def dead_row(survey: Survey) -> Survey:
    old = replace(node("worker2"), id="old", state="down", machine="", leftover=True)
    return replace(survey, nodes=(*(survey.nodes or ()), old))


def on_one_machine(survey: Survey) -> Survey:
    return tasks(lambda t: replace(t, node="worker1", node_id=node("worker1").id))(survey)


def exported_to(client: str) -> Edit:
    return system("manager1", exports=lambda every: (replace(e, client=client) for e in every))


def volume_elsewhere(survey: Survey) -> Survey:
    """A node has kept the volume of an earlier definition."""
    old = Volume("wp_db-data", "local", {**NFS, "device": ":/srv/nfs/swarm-data/old"})
    return machines(
        lambda m: replace(m, volumes=(*(m.volumes or ()), old)) if m.name == "worker2" else m
    )(survey)


def variable(name: str, value: str = "", digest: str = "") -> Edit:
    return service("wp_db", variables=lambda every: (*every, Variable(name, value, digest)))


def ill(survey: Survey) -> Survey:
    return containers(lambda c: replace(c, health="unhealthy") if c.service == "health_api" else c)(
        survey
    )


def looping(survey: Survey) -> Survey:
    """A task that has failed three times in the last minutes, beside the one that runs now."""
    (now, *_) = [t for t in survey.tasks or () if t.state == "running"]
    failed = [
        replace(now, id=f"f{n}", state="failed", desired="shutdown", age_s=60.0 * n)
        for n in (1, 2, 3)
    ]
    return replace(survey, tasks=(*(survey.tasks or ()), *failed))


def unwatched(survey: Survey) -> Survey:
    """No image has a health check of its own."""
    return containers(lambda c: replace(c, health=""))(survey)


def config(**data: Any) -> Edit:
    def edit(survey: Survey) -> Survey:
        found = survey.configs or ()
        changed = (replace(c, **data) if c.name == "nginx_config_v2" else c for c in found)
        return replace(survey, configs=tuple(changed))

    return edit


def renamed_config(name: str) -> Edit:
    """The proxy's config has that name."""
    return both(
        config(name=name),
        service("proxy_nginx", configs=lambda every: tuple(replace(g, name=name) for g in every)),
    )


def plain_network(survey: Survey) -> Survey:
    found = survey.networks or ()
    changed = (replace(n, encrypted=False) if n.name == "shop_backend" else n for n in found)
    return replace(survey, networks=tuple(changed))


def shop_of(*names: str) -> Edit:
    """Of the shop only these are deployed."""
    keep = {f"shop_{name}" for name in names}
    return services(lambda s: None if s.stack == "shop" and s.name not in keep else s)


def id_of(name: str) -> str:
    return next(s.id for s in good().services or () if s.name == name)


def without_secrets(each: Service) -> Service:
    kept = tuple(v for v in each.variables if not v.name.endswith("_FILE"))
    return replace(each, secrets=(), variables=kept)


fstab_nowhere = system(fstab=lambda every: [m for m in every if not m.nfs])

SOFT = "addr=192.168.56.10,rw,nfsvers=4.2,soft"

FAULTS: dict[str, list[tuple[Edit, set[str]]]] = {
    "cluster-ha.managers": [
        (role("manager3", "worker"), set()),
        (role("worker1", "manager"), {"cluster-ha.workers"}),
    ],
    "cluster-ha.reachable": [
        (row("manager3", reachability="unreachable"), set()),
        (row("manager1", leader=False), set()),
    ],
    "cluster-ha.one-swarm": [
        (engine("worker2", node_id="another"), set()),
        (engine("worker2", state="inactive"), set()),
        (engine("manager3", cluster="another"), set()),
    ],
    "cluster-ha.workers": [
        (both(role("worker1", "manager"), role("worker2", "manager")), set()),
        # One worker is left, and of the two nodes with a label one.
        (both(rows(lambda r: None if r.name == "worker1" else r),
              machine("worker1", membership="outside")), {"wordpress.label"}),
    ],
    "cluster-ha.no-dead-row": [(dead_row, set())],
    "cluster-ha.take-tasks": [
        (drained("manager1", "manager2", "manager3"), set()),
        (row("manager2", availability="pause"), set()),
    ],
    "failover.engine-comes-back": [
        (both(*(units(f"docker.{each}", enabled="disabled") for each in ("service", "socket"))),
         set()),
    ],
    "failover.spread": [(on_one_machine, set())],
    "storage.server": [
        (units("nfs-server.service", active="inactive"), set()),
    ],
    "storage.comes-back": [
        (units("nfs-server.service", enabled="disabled"), set()),
    ],
    "storage.export-limited": [
        (exported_to("*"), set()),
        (exported_to("0.0.0.0/0.0.0.0"), set()),
        (exported_to("::/0"), set()),
    ],
    "storage.client": [
        (system(mounts=unmounted), {"storage.mounted"}),
        (both(system(mounts=unmounted), itself), {"storage.mounted"}),
    ],
    "storage.mounted": [
        (system("worker2", mounts=unmounted), set()),
        # Of the machine's mounts none is kept: those of a container's own are left out.
        (system("worker2", mounts=()), set()),
    ],
    "storage.fstab": [(fstab(), set())],
    "storage.netdev": [(fstab("defaults"), set())],
    "storage.hard": [
        (mounts(options=("rw", "vers=4.2", "soft")), set()),
        (mounts(options=("rw", "vers=3", "hard")), set()),
    ],
    "storage.used": [
        (both(local("wp_db"), local("wp_wordpress")),
         {"wordpress.database-on-nfs", "wordpress.content-on-nfs"}),
    ],
    "storage.volume-options": [
        (options("addr=192.168.56.10,rw"), set()),
        (options("addr=192.168.56.10,rw,nfsvers=3,hard"), set()),
        (options(SOFT), set()),
    ],
    "storage.volume-as-defined": [(volume_elsewhere, set())],
    "storage.own-directory": [
        (options(NFS["o"], device=":/srv/nfs/swarm-data"), set()),
    ],
    "wordpress.deployed": [
        (gone("wp_wordpress"), {"wordpress.replicas"}),
        (tasks(lambda t: replace(t, state="failed")
               if t.service_id == id_of("wp_wordpress") else t), {"wordpress.replicas"}),
    ],
    "wordpress.replicas": [
        (service("wp_wordpress", wanted=2), set()),
        (service("wp_wordpress", wanted=5), set()),
    ],
    "wordpress.database": [
        (gone("wp_db"), {"wordpress.deployed"}),
        (tasks(lambda t: replace(t, state="failed") if t.service_id == id_of("wp_db") else t),
         {"wordpress.deployed"}),
    ],
    "wordpress.database-on-nfs": [
        (local("wp_db"), set()),
        (service("wp_db", attached=()), set()),
    ],
    "wordpress.content-on-nfs": [(local("wp_wordpress"), set())],
    "wordpress.constraint": [
        (service("wp_db", constraints=("node.role == worker",)), set()),
        (service("wp_db", constraints=()), set()),
    ],
    "wordpress.label": [(label_on("worker1"), set()), (label_on(), set())],
    "wordpress.one-writer": [
        (service("wp_db", update=Update(True, "start-first")), set()),
        (both(service("wp_db", wanted=2)), {"wordpress.database"}),
    ],
    "wordpress.salts": [
        (service("wp_wordpress", variables=lambda every: tuple(
            v for v in every if "SALT" not in v.name)), set()),
    ],
    "wordpress.database-private": [(service("wp_db", ports=(Port(3306, 3306),)), set())],
    "secrets-configs.variables": [(variable("MYSQL_PASSWORD", digest="8d1f"), set())],
    "secrets-configs.words": [
        (service("health_redis", command=Words(("redis-server",), 1)), set()),
        (service("health_redis", labels=Words(("a=b",), 1)), set()),
        (service("health_redis", health=lambda h: replace(h, test=replace(h.test, plain=1))),
         set()),
    ],
    "secrets-configs.configs-plain": [(config(plain=1), set())],
    "secrets-configs.used": [
        (services(without_secrets),
         {"secrets-configs.modes", "wordpress.salts"}),
    ],
    "secrets-configs.targets": [
        (variable("MYSQL_ONE_FILE", "/run/secrets/one"), set()),
        (service("wp_db", secrets=lambda every: tuple(
            replace(g, target=g.target + "_v2") for g in every)), set()),
    ],
    "secrets-configs.modes": [
        (service("multitier_api", secrets=lambda every: tuple(
            replace(g, mode=0o444) for g in every)), set()),
        (services(lambda s: s if s.name.startswith("wp") else replace(s, secrets=())),
         {"secrets-configs.targets"}),
    ],
    "secrets-configs.config-used": [
        (gone("proxy_nginx"), set()),
        (gone("proxy_backend"), set()),
        (service("proxy_backend", networks=("another",)), set()),
    ],
    "secrets-configs.config-versioned": [(renamed_config("nginx_config"), set())],
    "secrets-configs.without-gap": [
        (service("proxy_nginx", wanted=1, update=Update(True, "stop-first")), set()),
    ],
    "backup.script": [
        (system(scripts=()), {"backup.timer"}),
        (script(executable=False), set()),
    ],
    "backup.timer": [
        (units("swarm-backup.timer", active="inactive"), set()),
        (units("swarm-backup.timer", enabled="disabled"), set()),
        (units("swarm-backup.timer", load="not-found"), set()),
        (both(units("swarm-backup.timer", load="not-found"), by_cron("worker1")), set()),
    ],
    "backup.stops-engine": [(script(stops_engine=False), set())],
    "backup.restarts-engine": [
        (script(whatever_happens=False), set()),
        (script(starts_engine=False), set()),
    ],
    "backup.taken": [(system(backups=()), {"backup.recent"})],
    "backup.recent": [(backup(age_s=3 * 86_400.0), set())],
    "backup.complete": [(backup(holds=("docker-state.json", "raft/")), set())],
    "backup.key-elsewhere": [(backup(keys=("/var/backups/swarm/unlock.key",)), set())],
    "healthchecks.some": [
        (both(services(lambda s: replace(s, health=None)), unwatched),
         {"healthchecks.present", "production.health"}),
    ],
    "healthchecks.present": [(both(service("health_api", health=None), unwatched), set())],
    "healthchecks.can-fail": [
        (health("health_api", *test), set())
        for test in (
            ("CMD-SHELL", "true"),
            ("CMD-SHELL", "exit 0"),
            ("CMD", "/bin/true"),
            ("CMD-SHELL", "curl -f http://127.0.0.1/ || true"),
            ("CMD-SHELL", "curl http://127.0.0.1/; exit 0"),
            ("CMD", "sh", "-c", "curl -f http://127.0.0.1/ || exit 0"),
            ("CMD-SHELL", "echo fine"),
        )
    ],
    "healthchecks.loopback": [
        (health("health_api", "CMD", "curl", "-f", "http://localhost:8080/"), set()),
    ],
    "healthchecks.start-period": [(health("health_api", start_period_s=0.0), set())],
    "healthchecks.restart": [
        (service("health_web", restart=Restart("on-failure")), set()),
        (service("health_web", restart=Restart("any", attempts=3)), set()),
    ],
    "healthchecks.healthy": [(ill, set()), (looping, set())],
    "healthchecks.rollback": [(service("health_api", update=Update()), set())],
    "production.there": [
        (services(lambda s: None if s.stack == "shop" else s), {"production.stack"}),
    ],
    "production.stack": [
        (shop_of("frontend", "postgres", "redis", "rabbitmq"), set()),
        (gone("shop_redis"), set()),
    ],
    "production.converged": [(rabbit("orders-service", wanted=4), set())],
    "production.limits": [(rabbit("redis", memory_limit=0), set())],
    "production.pinned": [
        (rabbit("frontend", image="ecommerce/frontend:latest"), set()),
        (rabbit("frontend", image="ecommerce/frontend"), set()),
    ],
    "production.data-private": [(rabbit("postgres", ports=(Port(5432, 5432),)), set())],
    "production.encrypted": [(plain_network, set())],
    "production.updates": [
        (rabbit("frontend", update=Update()), set()),
        (rabbit("frontend", update=Update(True, "start-first", "pause")), set()),
    ],
    "production.health": [(rabbit("users-service", health=None), set())],
}  # fmt: skip
"""Check → what makes it fail, and which others fail for it then."""

AWAY: dict[str, list[Edit]] = {
    "cluster-ha": [unseen("nodes")],
    "failover.engine-comes-back": [hidden("units")],
    "failover.spread": [unseen("tasks"), unseen("services")],
    "storage.server": [both(hidden("exports", "units"))],
    "storage.comes-back": [hidden("exports"), hidden("units")],
    "storage.client": [hidden("mounts")],
    "storage.export-limited": [hidden("exports"), system(exports=())],
    "storage.mounted": [hidden("mounts")],
    "storage.fstab": [hidden("fstab")],
    "storage.netdev": [hidden("fstab"), fstab_nowhere],
    "storage.hard": [hidden("mounts")],
    "storage.used": [unseen("services")],
    "storage.volume-options": [unseen("services")],
    "storage.volume-as-defined": [unseen("services"), machines(lambda m: replace(m, volumes=()))],
    "storage.own-directory": [unseen("services"), hidden("exports")],
    "wordpress": [unseen("services")],
    "wordpress.deployed": [unseen("tasks")],
    "wordpress.replicas": [unseen("tasks")],
    "wordpress.database": [unseen("tasks")],
    "wordpress.label": [unseen("nodes")],
    "secrets-configs": [unseen("services")],
    "secrets-configs.configs-plain": [unseen("configs")],
    "secrets-configs.config-versioned": [unseen("configs")],
    "backup.script": [hidden("scripts"), unseen("nodes")],
    "backup.timer": [hidden("units"), seen_on_workers_alone],
    "backup.stops-engine": [hidden("scripts"), script(shell=False)],
    "backup.restarts-engine": [hidden("scripts"), script(shell=False), script(stops_engine=False)],
    "backup.taken": [hidden("backups")],
    "backup.recent": [hidden("backups")],
    "backup.complete": [hidden("backups"), backup(holds=None)],
    "backup.key-elsewhere": [hidden("backups")],
    "healthchecks": [unseen("services")],
    "healthchecks.healthy": [unseen("tasks"), machine("worker1", containers=None)],
    "production": [unseen("services")],
    "production.converged": [unseen("tasks")],
    "production.encrypted": [unseen("networks"), rabbit("postgres", networks=())],
}
"""Check, or all of a criterion → what takes its evidence away."""

NOT_ABOUT_SERVICES = {"secrets-configs.configs-plain", "healthchecks.healthy"}


def cases() -> list[Any]:
    return [
        pytest.param(check, edit, others, id=f"{check}-{number}")
        for check, edits in FAULTS.items()
        for number, (edit, others) in enumerate(edits, 1)
    ]


def takings() -> list[Any]:
    found = []
    for key, edits in AWAY.items():
        whole = "." not in key
        for check in EVERY:
            if check == key or (whole and check.startswith(f"{key}.")):
                if whole and check in NOT_ABOUT_SERVICES:
                    continue
                found += [
                    pytest.param(check, e, id=f"{check}-{key}-{n}") for n, e in enumerate(edits)
                ]
    return found


def test_a_cluster_as_the_lab_wants_it_passes_every_check() -> None:
    results = exercise.judge(recorded(good()))
    assert {r.id: r.observed for r in results if r.verdict is not Verdict.PASS} == {}


@pytest.mark.parametrize(("check", "edit", "others"), cases())
def test_a_mistake_fails_its_check_and_no_other(check: str, edit: Edit, others: set[str]) -> None:
    found = verdicts(recorded(edit(good())))
    assert {each for each, verdict in found.items() if verdict is Verdict.FAIL} == {check, *others}


@pytest.mark.parametrize(("check", "edit"), takings())
def test_what_nobody_saw_is_unknown(check: str, edit: Edit) -> None:
    assert verdicts(recorded(edit(good())))[check] is Verdict.UNKNOWN


def test_every_check_has_a_mistake_that_it_refuses_and_evidence_that_it_needs() -> None:
    assert set(FAULTS) == set(EVERY)
    assert {param.values[0] for param in takings()} == set(EVERY)


def test_a_backup_script_that_was_only_handed_in_is_not_installed() -> None:
    handed_in = "/opt/submission/scripts/backup.sh"

    def moved(every: tuple[Script, ...]) -> list[Script]:
        return [replace(s, path=handed_in) for s in every]

    def running(every: tuple[Unit, ...]) -> list[Unit]:
        return [replace(u, runs=handed_in) if "backup" in u.name else u for u in every]

    found = verdicts(recorded(system(scripts=moved)(good())))
    assert found["backup.script"] is Verdict.FAIL
    found = verdicts(recorded(system(scripts=moved, units=running)(good())))
    assert found["backup.script"] is found["backup.timer"] is Verdict.PASS


def test_a_health_check_of_the_image_counts() -> None:
    found = verdicts(recorded(service("health_api", health=None)(good())))
    assert found["healthchecks.present"] is Verdict.PASS


def twice(survey: Survey) -> Survey:
    """The site of exercise 2.9 is there twice, and in no stack."""
    web = next(s for s in survey.services or () if s.name == "health_web")
    other = replace(web, id="id-other", name="other")
    rest = (each for each in survey.services or () if each is not web)
    return replace(survey, services=(*rest, *(replace(s, stack="") for s in (web, other))))


def test_of_two_sites_nobody_need_decide_what_is_true_of_both() -> None:
    def present(*edits: Edit) -> Verdict:
        return verdicts(recorded(both(twice, unwatched, *edits)(good())))["healthchecks.present"]

    assert present() is Verdict.PASS
    assert present(service("wp_wordpress", health=None)) is Verdict.FAIL
    another = service("health_web", image="wordpress:6", variables=())
    assert present(another, service("wp_wordpress", health=None)) is Verdict.UNKNOWN


def test_a_task_that_has_just_begun_again_after_many_failures_does_not_run() -> None:
    def database(age_s: float) -> Verdict:
        ours = next(s.id for s in good().services or () if s.name == "wp_db")
        one = tasks(lambda t: replace(t, age_s=age_s) if t.service_id == ours else t)(good())
        now = next(t for t in one.tasks or () if t.service_id == ours and t.running)
        first = (now, *(t for t in one.tasks or () if t is not now))
        looped = looping(replace(one, tasks=first))
        return verdicts(recorded(looped))["wordpress.database"]

    assert (database(3.0), database(300.0)) == (Verdict.FAIL, Verdict.PASS)
    steady = tasks(lambda t: replace(t, age_s=3.0))(good())
    assert verdicts(recorded(steady))["wordpress.database"] is Verdict.PASS


def test_a_proxys_backend_may_be_a_container_of_no_service_or_one_that_nobody_saw() -> None:
    def used(*edits: Edit) -> Verdict:
        without = both(gone("proxy_backend"), *edits)
        return verdicts(recorded(without(good())))["secrets-configs.config-used"]

    alone = (Container("c1", "backend", "nginx", "running"),)
    assert used() is Verdict.FAIL
    assert used(machine("worker1", containers=alone)) is Verdict.PASS
    assert used(machine("worker1", containers=None)) is Verdict.UNKNOWN


def test_containers_that_nobody_saw_may_have_one() -> None:
    edit = both(service("health_api", health=None), unwatched, machine("worker1", containers=None))
    assert verdicts(recorded(edit(good())))["healthchecks.present"] is Verdict.UNKNOWN


def test_a_machine_that_could_not_be_asked_makes_unknown_not_wrong() -> None:
    edit = machine("worker2", engine=None, system=None, containers=None, volumes=None)
    found = verdicts(recorded(edit(good())))
    assert Verdict.FAIL not in found.values()
    assert {check for check, verdict in found.items() if verdict is Verdict.UNKNOWN} == {
        "cluster-ha.one-swarm", "failover.engine-comes-back", "storage.mounted", "storage.fstab",
        "storage.netdev", "storage.hard", "storage.volume-options", "storage.volume-as-defined",
        "healthchecks.healthy",
    }  # fmt: skip


def test_a_role_that_two_could_play_is_unknown_until_somebody_decides() -> None:
    second = service("health_web", image="wordpress:6", variables=())(good())
    found = verdicts(recorded(second))
    assert found["wordpress.deployed"] is Verdict.UNKNOWN
    decided = verdicts(recorded(second, {"wordpress": "wp_wordpress"}))
    assert decided["wordpress.deployed"] is Verdict.PASS


def test_of_two_brokers_the_one_that_is_meant_has_the_shop() -> None:
    second = service("health_web", image="rabbitmq:3", stack="")(good())
    assert verdicts(recorded(second))["production.stack"] is Verdict.UNKNOWN
    decided = verdicts(recorded(second, {"broker": "shop_rabbitmq"}))
    assert {v for check, v in decided.items() if check.startswith("production")} == {Verdict.PASS}


def test_another_file_system_of_the_network_is_left_to_the_teacher() -> None:
    """The lab takes NFS or what is like it: that is seen, and no point is lost to it unjudged."""

    def gluster(every: tuple[Mount, ...]) -> list[Mount]:
        return [replace(m, type="fuse.glusterfs") if m.nfs else m for m in every]

    bound = (Attached("bind", "/mnt/nfs/swarm-data/mysql", "/var/lib/mysql"),)
    edit = both(
        system(mounts=gluster, fstab=gluster, exports=()),
        service("wp_db", attached=bound),
        service("wp_wordpress", attached=(replace(bound[0], target="/var/www/html"),)),
    )
    found = verdicts(recorded(edit(good())))
    # What was the NFS server is a node like any other then, and has mounted nothing.
    failed = {check for check, verdict in found.items() if verdict is Verdict.FAIL}
    assert failed == {"storage.mounted", "storage.fstab"}
    assert found["storage.server"] is Verdict.UNKNOWN
    assert found["storage.used"] is found["wordpress.database-on-nfs"] is Verdict.PASS


def test_a_volume_of_a_plugin_is_found_by_every_node() -> None:
    plugin = (Attached("volume", "shared-data", "/var/lib/mysql", "rexray"),)
    found = verdicts(recorded(service("wp_db", attached=plugin)(good())))
    assert found["wordpress.database-on-nfs"] is Verdict.PASS


def test_without_a_look_nothing_is_known() -> None:
    assert set(verdicts(Record(())).values()) == {Verdict.UNKNOWN}


def test_with_the_events_of_one_machine_forged_nothing_of_it_is_taken_on_trust() -> None:
    record = recorded(good())
    forged = Record(
        tuple(
            replace(event, data={**event.data, "seen": {"mounts": "everything"}})
            if event.kind == "survey.system"
            else event
            for event in record
        )
    )
    assert verdicts(forged)["storage.mounted"] is Verdict.UNKNOWN


@pytest.mark.parametrize("part", [*events.OF_SWARM, *events.OF_MACHINE])
def test_a_part_that_nobody_looked_at_makes_nothing_wrong(part: str) -> None:
    record = recorded(good())
    blind = Record(tuple(e for e in record if e.kind != f"survey.{part}"))
    found = verdicts(blind)
    assert [check for check, verdict in found.items() if verdict is Verdict.FAIL] == []
    if part not in {"secrets", "settings"}:  # No check is about them alone.
        assert Verdict.UNKNOWN in found.values()


@pytest.mark.parametrize("part", events.OF_MACHINE)
@pytest.mark.parametrize("name", ["manager1", "manager2", "worker1"])
def test_a_machines_part_that_nobody_looked_at_makes_nothing_wrong(name: str, part: str) -> None:
    found = verdicts(recorded(machine(name, **{part: None})(good())))
    assert [check for check, verdict in found.items() if verdict is Verdict.FAIL] == []


def test_cron_of_a_manager_starts_the_backup_as_a_timer_does() -> None:
    instead = both(units("swarm-backup.timer", load="not-found"), by_cron("manager2"))
    assert verdicts(recorded(instead(good())))["backup.timer"] is Verdict.PASS


def test_a_part_of_a_machine_that_is_not_there_was_not_seen() -> None:
    """A record may be of before that part was looked at: nobody says why it lacks it then."""
    edit = systems(lambda each: replace(each, fstab=None, units=None, lacks={}), "worker1")
    found = verdicts(recorded(edit(good())))
    assert Verdict.FAIL not in found.values()
    assert found["storage.fstab"] is found["failover.engine-comes-back"] is Verdict.UNKNOWN


def test_a_backup_may_be_where_nobody_could_look() -> None:
    """A user without root's rights may not look into /root."""

    def edit(each: System) -> System:
        return replace(each, scripts=(), backups=(), lacks=dict.fromkeys(closed, "may not be read"))

    closed = ["scripts", "backups"]
    found = verdicts(recorded(systems(edit)(good())))
    of_backups = {check: found[f"backup.{check}"] for check in ("script", "timer", "taken")}
    assert set(of_backups.values()) == {Verdict.UNKNOWN}, of_backups
    assert Verdict.FAIL not in found.values()
    # Root's own crontab may start one that was only searched for in vain.
    closed = ["jobs"]
    assert verdicts(recorded(systems(edit)(good())))["backup.timer"] is Verdict.UNKNOWN


def test_a_site_on_every_node_that_takes_tasks_is_whole() -> None:
    """A global service has as many tasks as nodes fit: a node that is drained has none."""
    ours = id_of("wp_wordpress")
    there = next(t for t in good().tasks or () if t.service_id == ours and t.running)
    names = ("manager2", "manager3", "worker1", "worker2")
    everywhere = tuple(
        replace(there, id=f"t-{name}", slot=None, node=name, node_id=node(name).id)
        for name in names
    )

    def site(tasks: tuple[TaskRow, ...]) -> Verdict:
        others = tuple(t for t in good().tasks or () if t.service_id != ours)
        edit = both(
            service("wp_wordpress", mode="global", wanted=None),
            drained("manager1"),
            lambda survey: replace(survey, tasks=(*others, *tasks)),
        )
        return verdicts(recorded(edit(good())))["wordpress.replicas"]

    assert site(everywhere) is Verdict.PASS
    starting = replace(everywhere[0], state="starting")
    assert site((starting, *everywhere[1:])) is Verdict.FAIL
    assert site(everywhere[:2]) is Verdict.FAIL


def test_of_a_swarm_without_services_nothing_good_is_said_of_them() -> None:
    survey = replace(good(), services=(), tasks=(), configs=())
    bare = machines(lambda each: replace(each, containers=()))(survey)
    found = {check for check, verdict in verdicts(recorded(bare)).items() if verdict == "pass"}
    about_machines = {"cluster-ha", "failover", "storage", "backup"}
    assert {check for check in found if check.partition(".")[0] not in about_machines} == set()
