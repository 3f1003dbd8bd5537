"""Stack files are deployed by the leader, and nothing of them is left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_swarmlab.errors import CommandError, ConfigError, NotConverged, ProviderError
from pytest_swarmlab.swarm import services as of_services
from pytest_swarmlab.swarm import stacks as of_stacks
from pytest_swarmlab.swarm.stacks import STACK_LABEL, Service, Services, Stacks, _Gone
from pytest_swarmlab.waiting.conditions import NoTaskOf
from pytest_swarmlab.waiting.waiter import Done, Pending
from tests.unit.fakes import Lab


@pytest.fixture
def stacks(lab: Lab, tmp_path: Path) -> Stacks:
    directory = tmp_path / "stacks"
    directory.mkdir()
    for name in ("web.yml", "mail.yml"):
        (directory / name).write_text(f"# {name}\n", encoding="utf-8")
    lab.settle(leader="manager2")
    return Stacks(lab.swarm, directory)


def deployed(lab: Lab) -> list[tuple[str, ...]]:
    """What was done on nodes, with PLACE for the directory of a deployment."""
    found = []
    for act in lab.commands():
        words = [re.sub(r"/run/swarmlab-[0-9a-f]{16}", "PLACE", word) for word in act]
        found.append(tuple(words))
    return found


def deploy_words(lab: Lab) -> tuple[str, ...]:
    """The latest `docker stack deploy`."""
    return [act for act in deployed(lab) if "deploy" in act][-1]


def test_a_stack_is_deployed_by_the_leader_in_a_directory_of_its_own_and_asks_no_registry(
    lab: Lab, stacks: Stacks
) -> None:
    stack = stacks.deploy("web.yml")
    assert deployed(lab) == [
        ("manager2", "mkdir", "--mode=0700", "--", "PLACE"),
        ("manager2", "put", "PLACE/1-web.yml", "# web.yml\n"),
        ("manager2", "docker", "stack", "deploy", "--resolve-image", "never",
         "-c", "PLACE/1-web.yml", "web"),
        ("manager2", "rm", "-rf", "--", "PLACE"),
    ]  # fmt: skip
    assert stack.service("front").name == "web_front"
    assert stack.service("front").converged(replicas=3).name == "web_front runs 3 tasks"


def test_each_deployment_has_a_directory_of_its_own(lab: Lab, stacks: Stacks) -> None:
    stacks.deploy("web.yml")
    stacks.deploy("mail.yml")
    assert len({act[-1] for act in lab.commands("mkdir")}) == 2


def test_a_stack_may_have_another_name_than_its_file(lab: Lab, stacks: Stacks) -> None:
    assert stacks.deploy("web.yml", name="shop").service("front").name == "shop_front"
    assert deploy_words(lab)[-1] == "shop"


@pytest.mark.parametrize(
    ("file", "name"),
    [("site.v2.yml", "site-v2"), ("my site.yaml", "my-site"), ("-a_b-.yml", "a_b")],
)
def test_a_file_s_name_becomes_one_that_swarm_takes(
    lab: Lab, stacks: Stacks, tmp_path: Path, file: str, name: str
) -> None:
    (tmp_path / file).write_text("# it\n", encoding="utf-8")
    assert stacks.deploy(tmp_path / file).name == name
    assert deploy_words(lab)[-1] == name


def test_a_file_whose_name_gives_none_is_told(lab: Lab, stacks: Stacks, tmp_path: Path) -> None:
    (tmp_path / "ü.yml").write_text("# it\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ü\.yml gives no name for a stack: give one with name="):
        stacks.deploy(tmp_path / "ü.yml")
    assert lab.did == []


def test_what_stands_for_a_variable_in_the_file_is_given_to_the_client(
    lab: Lab, stacks: Stacks
) -> None:
    stacks.deploy("web.yml", env={"CONFIG": "web-1f", "REPLICAS": "2"})
    words = deploy_words(lab)[:6]
    assert words == ("manager2", "env", "CONFIG=web-1f", "REPLICAS=2", "docker", "stack")


def test_a_stack_that_is_deployed_again_loses_the_services_that_its_file_no_longer_has(
    lab: Lab, stacks: Stacks
) -> None:
    stacks.deploy("web.yml")
    assert "--prune" not in deploy_words(lab)
    stacks.deploy("web.yml")
    assert "--prune" in deploy_words(lab)


def test_several_files_are_laid_one_over_the_other(lab: Lab, stacks: Stacks) -> None:
    assert stacks.deploy("web.yml", "mail.yml").name == "web"
    words = deploy_words(lab)
    assert words[6:] == ("-c", "PLACE/1-web.yml", "-c", "PLACE/2-mail.yml", "web")


def test_a_file_of_variables_that_the_client_never_reads_is_told(
    lab: Lab, stacks: Stacks, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("TAG=1\n", encoding="utf-8")
    (tmp_path / "app.yml").write_text("x: ${TAG}\n", encoding="utf-8")
    stacks.deploy(tmp_path / "app.yml", env={"TAG": "1"})
    assert lab.recorder.view().of("notice") == ()
    stacks.deploy(tmp_path / "app.yml")
    (notice,) = lab.recorder.view().of("notice")
    assert "app.yml: nothing gives a value to TAG." in notice.data["message"]


def test_a_service_is_rolled_back_without_waiting_for_it(lab: Lab, stacks: Stacks) -> None:
    stacks.deploy("web.yml").service("front").rollback()
    assert lab.did[-1] == ("manager2", "docker", "service", "rollback", "--detach", "web_front")


def test_a_service_is_scaled_without_waiting_for_it(lab: Lab, stacks: Stacks) -> None:
    stacks.deploy("web.yml").service("front").scale(5)
    assert lab.did[-1] == ("manager2", "docker", "service", "scale", "--detach", "web_front=5")


def volume(name: str, stack: str) -> dict[str, Any]:
    return {"Name": name, "Labels": {STACK_LABEL: stack}}


def removed(lab: Lab, what: str) -> list[tuple[str, ...]]:
    """On which node what was removed, with these words."""
    return [(act[0], *act[4:]) for act in lab.commands("docker") if act[2:4] == (what, "rm")]


def test_a_stack_s_volumes_are_removed_where_there_are_any(lab: Lab, stacks: Stacks) -> None:
    lab.volumes["worker1"] = [volume("web_data", "web"), volume("mail_data", "mail")]
    stacks.remove_volumes("web")
    assert removed(lab, "volume") == [("worker1", "--force", "web_data")]


def test_a_stack_that_is_to_keep_no_volumes_takes_them_along_when_it_is_gone(
    lab: Lab, stacks: Stacks
) -> None:
    lab.volumes["worker1"] = [volume("web_data", "web"), volume("mail_data", "mail")]
    stacks.deploy("web.yml", keep_volumes=False)
    stacks.deploy("mail.yml")
    stacks.remove_all()
    assert removed(lab, "volume") == [("worker1", "--force", "web_data")]
    assert lab.commands("docker")[-1][2:4] == ("volume", "rm")


def test_timers_remove_volumes_of_a_run_that_dies_on_somebody_s_nodes(
    lab: Lab, stacks: Stacks
) -> None:
    lab.machines.foreign = True
    stacks.deploy("web.yml", keep_volumes=False)
    stacks.remove_all()
    stacks.guard_volumes("mail")
    lab.volumes["worker2"] = [volume("mail_data", "mail")]
    stacks.remove_volumes("mail")
    for name in ("web", "mail"):
        listed = f"docker volume ls --quiet --filter label={STACK_LABEL}={name} | xargs"
        armed = {act[0]: act[2] for act in lab.commands("systemd-run") if listed in act[-1]}
        assert set(armed) == {node.name for node in lab.swarm.nodes}
        stopped = {(act[0], act[3]) for act in lab.commands("systemctl")}
        timers = {(node, unit.partition("=")[2] + ".timer") for node, unit in armed.items()}
        assert timers <= stopped
    assert removed(lab, "volume") == [("worker2", "--force", "mail_data")]


def test_somebody_s_volumes_of_such_a_stack_are_not_taken_along(lab: Lab, stacks: Stacks) -> None:
    lab.machines.foreign = True
    lab.volumes["worker2"] = [volume("web_data", "web")]
    with pytest.raises(ProviderError, match="worker2 has volumes of an earlier stack web"):
        stacks.guard_volumes("web")
    assert removed(lab, "volume") == []


def test_a_file_elsewhere_is_given_by_its_path(lab: Lab, stacks: Stacks, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("# bad\n", encoding="utf-8")
    assert stacks.deploy(tmp_path / "bad.yml").name == "bad"
    assert deployed(lab)[1] == ("manager2", "put", "PLACE/1-bad.yml", "# bad\n")


NAMING = """
configs:
  site: {file: ./web/site.conf}
  host: {file: /etc/hosts}
  made: {external: true}
secrets:
  key: {file: web/site.key, labels: {tier: front}}
"""


@pytest.fixture
def naming(tmp_path: Path) -> Path:
    """A stack file that names others."""
    (tmp_path / "web.yml").write_text(NAMING, encoding="utf-8")
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "site.conf").write_text("listen 80", encoding="utf-8")
    (tmp_path / "web" / "site.key").write_text("open sesame", encoding="utf-8")
    return tmp_path / "web.yml"


def test_nothing_is_written_on_a_node_but_in_the_directory_of_the_deployment(
    lab: Lab, stacks: Stacks, naming: Path
) -> None:
    stacks.deploy(naming)
    put = [act[2] for act in deployed(lab) if act[1] == "put"]
    assert put == ["PLACE/1-site.conf", "PLACE/2-hosts", "PLACE/3-web.yml",
                   "PLACE/swarmlab-secrets.json"]  # fmt: skip
    assert deployed(lab)[0] == ("manager2", "mkdir", "--mode=0700", "--", "PLACE")
    assert deployed(lab)[-1] == ("manager2", "rm", "-rf", "--", "PLACE")
    assert {act[1] for act in deployed(lab)} == {"mkdir", "put", "docker", "rm"}


def test_a_secret_of_a_stack_goes_from_memory_to_the_engine_and_is_hidden(
    lab: Lab, stacks: Stacks, naming: Path
) -> None:
    stacks.deploy(naming)
    (created,) = (act for act in lab.commands("docker") if act[2] == "secret")
    assert created[3:] == ("create", "--label", "tier=front", "--label", f"{STACK_LABEL}=web",
                           "web_key", "-")  # fmt: skip
    assert lab.fed == [b"open sesame"]
    assert not [act for act in lab.did if "sesame" in " ".join(act)]
    assert lab.swarm.recorder.redactor.text("it is open sesame") == "it is ‹secret web_key›"
    assert b"sesame" not in lab.recorder.path.read_bytes()


def test_a_secret_that_is_the_same_is_not_created_again_and_another_is(
    lab: Lab, stacks: Stacks, naming: Path
) -> None:
    stacks.deploy(naming)
    stacks.deploy(naming)
    assert len(lab.fed) == 1
    (naming.parent / "web" / "site.key").write_text("shut sesame", encoding="utf-8")
    lab.shell = lambda _, argv: (1, "", "already exists") if "secret" in argv else (0, "", "")
    with pytest.raises(CommandError, match="already exists"):
        stacks.deploy(naming)
    lab.shell = lambda *_: (0, "", "")
    stacks.remove_all()
    stacks.deploy(naming)
    assert lab.fed == [b"open sesame", b"shut sesame", b"shut sesame"]


@pytest.mark.parametrize("refuses", ["mkdir", "secret", "deploy"])
def test_the_directory_goes_and_the_first_error_is_told_whatever_is_refused(
    lab: Lab, stacks: Stacks, naming: Path, refuses: str
) -> None:
    lab.shell = lambda _, argv: (
        (1, "", f"no {refuses}") if refuses in argv else (1, "", "gone") if argv[0] == "rm"
        else (0, "", "")
    )  # fmt: skip
    with pytest.raises(CommandError, match=f"no {refuses}"):
        stacks.deploy(naming)
    assert [act[:2] for act in lab.commands("rm")] == [("manager2", "rm")]


def test_on_somebody_s_own_node_a_timer_removes_the_directory_if_nobody_else_does(
    lab: Lab, stacks: Stacks
) -> None:
    lab.machines.foreign = True
    stacks.deploy("web.yml")
    did = deployed(lab)
    assert [act[-1] for act in did[:2]] == ["docker stack rm web", "rm -rf -- PLACE"]
    assert {act[1] for act in did[:2]} == {"systemd-run"}
    assert did[2][1] == "mkdir"
    assert did[-2][1] == "rm"
    assert did[-1][1:3] == ("systemctl", "stop")


@pytest.mark.parametrize("what", ["services", "networks", "secrets", "configs"])
def test_a_stack_that_somebody_else_has_is_neither_changed_nor_removed(
    lab: Lab, stacks: Stacks, what: str
) -> None:
    lab.machines.foreign = True
    getattr(lab, what).append({})
    with pytest.raises(ProviderError, match=r"has a stack web already .*: give yours another name"):
        stacks.deploy("web.yml")
    stacks.remove_all()
    assert lab.did == []


def test_a_stack_file_that_names_a_file_that_is_not_there_is_not_deployed(
    lab: Lab, stacks: Stacks, tmp_path: Path
) -> None:
    (tmp_path / "web.yml").write_text(NAMING, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"web\.yml: config site names \./web/site\.conf, which"):
        stacks.deploy(tmp_path / "web.yml")
    assert lab.did == []


def test_a_file_that_is_not_there_is_named_with_those_that_are(
    lab: Lab, stacks: Stacks, tmp_path: Path
) -> None:
    (tmp_path / "stacks" / "compose.yaml").touch()
    with pytest.raises(ConfigError, match=r"wbe\.yml: there are compose.yaml, mail.yml, web.yml"):
        stacks.deploy("wbe.yml")
    assert lab.did == []


@pytest.mark.parametrize("kill", [True, False])
def test_only_what_is_not_kept_is_killed_when_it_is_removed(
    lab: Lab, stacks: Stacks, kill: bool
) -> None:
    stacks.deploy("web.yml")
    lab.containers = {"worker2": [{"Id": "c1"}, {"Id": "c2"}], "worker1": [{"Id": "c3"}]}

    def shell(node: str, argv: Sequence[str]) -> tuple[int, str, str]:
        if tuple(argv[:2]) == ("docker", "kill"):
            del lab.containers[node]
            # One of them had ended by itself.
            return 1, "", "cannot kill container c2: container c2 is not running"
        if not kill and tuple(argv[:3]) == ("docker", "stack", "rm"):
            lab.containers = {}
        return 0, "", ""

    lab.shell = shell
    stacks.remove("web", kill=kill)
    killed = [act for act in lab.commands("docker") if act[2] == "kill"]
    both = [("worker1", "docker", "kill", "c3"), ("worker2", "docker", "kill", "c1", "c2")]
    assert killed == (both if kill else [])


def test_all_that_was_deployed_is_removed_the_latest_first(lab: Lab, stacks: Stacks) -> None:
    stacks.deploy("web.yml")
    stacks.deploy("mail.yml")
    stacks.remove_all()
    stacks.remove_all()
    removed = [act[-1] for act in lab.commands("docker") if act[3] == "rm"]
    assert removed == ["mail", "web"]


def test_what_the_engine_refused_to_deploy_is_removed_all_the_same(
    lab: Lab, stacks: Stacks
) -> None:
    lab.shell = lambda _, argv: (
        (1, "", "services.web: port is bad") if "deploy" in argv else (0, "", "")
    )
    with pytest.raises(CommandError, match="port is bad"):
        stacks.deploy("web.yml")
    assert ("manager2", "docker", "stack", "rm", "web") in lab.did
    lab.did.clear()
    stacks.remove_all()
    assert lab.did == []


def test_a_stack_that_ran_is_left_when_its_new_file_is_refused(lab: Lab, stacks: Stacks) -> None:
    stacks.deploy("web.yml")
    lab.shell = lambda _, argv: (1, "", "port is bad") if "deploy" in argv else (0, "", "")
    with pytest.raises(CommandError, match="port is bad"):
        stacks.deploy("web.yml")
    assert not [act for act in lab.commands("docker") if act[3] == "rm"]
    stacks.remove_all()
    assert [act[-1] for act in lab.commands("docker") if act[3] == "rm"] == ["web"]


def at_the_first(*words: str, error: BaseException | None = None) -> Any:
    """A shell in which the first command with these words fails, or is interrupted."""
    failed: list[tuple[str, ...]] = []

    def shell(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if not failed and argv[: len(words)] == words:
            failed.append(argv)
            if error:
                raise error
            return 1, "", "no"
        return 0, "", ""

    return shell


@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_a_stack_whose_removal_failed_is_removed_at_the_end(
    lab: Lab, stacks: Stacks, error: BaseException | None
) -> None:
    stacks.deploy("web.yml")
    lab.shell = at_the_first("docker", "stack", "rm", error=error)
    with pytest.raises(type(error) if error else CommandError):
        stacks.remove("web")
    stacks.remove_all()
    assert removed(lab, "stack") == [("manager2", "web")] * 2
    stacks.remove_all()
    assert len(removed(lab, "stack")) == 2


@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_where_one_stack_can_not_be_removed_the_others_are(
    lab: Lab, stacks: Stacks, error: BaseException | None
) -> None:
    for name in ("web.yml", "mail.yml"):
        stacks.deploy(name, keep_volumes=False)
    lab.volumes = {"worker1": [volume("data", "web")]}
    lab.shell = at_the_first("docker", "stack", "rm", error=error)
    with pytest.raises(type(error) if error else ProviderError):
        stacks.remove_all()
    assert removed(lab, "stack") == [("manager2", "mail"), ("manager2", "web")]
    assert removed(lab, "volume") == [("worker1", "--force", "data")]
    stacks.remove_all()
    assert removed(lab, "stack")[2:] == [("manager2", "mail")]


def test_volumes_are_removed_on_every_node_though_one_refuses(lab: Lab, stacks: Stacks) -> None:
    lab.volumes = {n.name: [volume("data", "web")] for n in lab.swarm.nodes}
    lab.shell = at_the_first("docker", "volume", "rm")
    with pytest.raises(CommandError):
        stacks.remove_volumes("web")
    assert [node for node, *_ in removed(lab, "volume")] == [n.name for n in lab.swarm.nodes]


def test_volumes_are_removed_though_something_of_their_stack_is_left(
    lab: Lab, stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks.deploy("web.yml", keep_volumes=False)
    lab.volumes = {"worker1": [volume("data", "web")]}
    lab.services = [{"Spec": {"Name": "web_front"}}]
    monkeypatch.setattr(of_stacks, "GONE_S", 0.0)
    with pytest.raises(NotConverged, match="nothing is left of web"):
        stacks.remove("web")
    assert removed(lab, "volume") == [("worker1", "--force", "data")]


def test_a_container_that_is_still_ending_keeps_a_stack_from_being_gone(lab: Lab) -> None:
    lab.containers = {"worker2": [{"Id": "c"}]}
    outcome = _Gone(lab.swarm, {"label": f"{STACK_LABEL}=web"}, "web")()
    assert isinstance(outcome, Pending)
    assert "1 containers" in outcome.seen


def test_a_service_of_a_block_is_created_updated_and_removed_with_its_containers(
    lab: Lab,
) -> None:
    lab.settle()
    with Service.created(lab.swarm, "db", "--replicas", "2", "image", title="It") as service:
        service.update("--force")
    assert [act[2:] for act in lab.commands("docker")] == [
        ("service", "create", "--detach", "--no-resolve-image", "--name", "db",
         "--replicas", "2", "image"),
        ("service", "update", "--detach", "--no-resolve-image", "--force", "db"),
        ("service", "rm", "db"),
    ]  # fmt: skip
    assert lab.recorder.view().of("command", title="It")


def test_several_services_are_removed_by_one_command_the_latest_first(lab: Lab) -> None:
    lab.settle()
    with Services.removed(lab.swarm) as services:
        made = [services.create(name, "image") for name in ("one", "two")]
    assert [service.name for service in made] == ["one", "two"]
    removed = [act[4:] for act in lab.commands("docker") if act[3] == "rm"]
    assert removed == [("two", "one")]


def test_a_service_that_was_let_go_within_the_block_is_waited_for_at_its_end(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.settle()
    waited: list[str] = []
    gone = lab.swarm.no_task_of

    def waited_for(name: str) -> NoTaskOf:
        waited.append(name)
        return gone(name)

    monkeypatch.setattr(lab.swarm, "no_task_of", waited_for)
    with Services.removed(lab.swarm) as services:
        one, _ = (services.create(name, "image") for name in ("one", "two"))
        services.let_go(one)
        assert removed(lab, "service") == [("manager1", "one")]
        assert waited == []
    assert removed(lab, "service") == [("manager1", "one"), ("manager1", "two")]
    assert waited == ["two", "one"]


@pytest.mark.parametrize("there", [True, False])
def test_a_service_whose_making_was_interrupted_is_removed_if_it_is_there(
    lab: Lab, there: bool
) -> None:
    def shell(_: str, argv: tuple[str, ...]) -> tuple[int, str, str]:
        if "create" in argv and argv[-2] == "two":
            raise KeyboardInterrupt
        return (1, "", "service two not found") if "rm" in argv and not there else (0, "", "")

    lab.settle()
    lab.shell = shell
    with pytest.raises(KeyboardInterrupt), Services.removed(lab.swarm) as services:
        _ = [services.create(name, "image") for name in ("one", "two")]
    assert removed(lab, "service") == [("manager1", "two", "one")]


def test_a_service_that_could_not_be_let_go_is_removed_at_the_end(lab: Lab) -> None:
    lab.settle()
    lab.shell = at_the_first("docker", "service", "rm")
    with pytest.raises(CommandError), Services.removed(lab.swarm) as services:
        services.let_go(services.create("one", "image"))
    assert removed(lab, "service") == [("manager1", "one")] * 2


@pytest.mark.parametrize("error", [None, KeyboardInterrupt()])
def test_services_are_removed_though_a_node_is_away(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, error: BaseException | None
) -> None:
    """`error`: what ends the wait for it."""
    monkeypatch.setattr(of_services, "BACK_S", 0.0)
    lab.settle()

    def away(service: Service) -> None:
        lab.row("worker1")["Status"]["State"] = "down"
        if error:
            monkeypatch.setattr(service.swarm, "all_nodes_ready", at_the_first_look(error))

    with (
        pytest.raises(type(error) if error else NotConverged),
        Service.created(lab.swarm, "one", "image") as service,
    ):
        away(service)
    assert removed(lab, "service") == [("manager1", "one")]


def at_the_first_look(error: BaseException) -> Any:
    """A condition whose look ends with that error."""

    def look() -> None:
        raise error

    look.name, look.node = "every node ready", None  # type: ignore[attr-defined]
    return lambda: look


def test_where_no_service_could_be_created_none_is_removed(lab: Lab) -> None:
    lab.settle()
    lab.shell = lambda _, argv: (1, "", "no such image") if "create" in argv else (0, "", "")
    with (
        pytest.raises(CommandError, match="no such image"),
        Services.removed(lab.swarm) as services,
    ):
        services.create("one", "image")
    assert not [act for act in lab.commands("docker") if act[3] == "rm"]


def test_a_service_is_sent_to_a_node_by_a_constraint_that_takes_the_last_one_s_place(
    lab: Lab,
) -> None:
    lab.settle()
    service = Service(lab.swarm, "db")
    service.move(to=lab["worker1"])
    service.move(to=lab["worker2"], origin=lab["worker1"])
    assert [act[6:] for act in lab.commands("docker")] == [
        ("--constraint-add", "node.hostname==worker1", "db"),
        ("--constraint-rm", "node.hostname==worker1",
         "--constraint-add", "node.hostname==worker2", "db"),
    ]  # fmt: skip


def block(lab: Lab, error: BaseException) -> None:
    with Service.created(lab.swarm, "db", "image"):
        raise error


def test_a_service_is_removed_when_its_block_fails_and_left_to_a_cluster_that_goes_on_ctrl_c(
    lab: Lab,
) -> None:
    lab.settle()
    lab.swarm.goes_at_end = True
    with pytest.raises(ZeroDivisionError):
        block(lab, ZeroDivisionError())
    assert lab.commands("docker")[-1][2:] == ("service", "rm", "db")
    lab.did.clear()
    with pytest.raises(KeyboardInterrupt):
        block(lab, KeyboardInterrupt())
    assert not [act for act in lab.commands("docker") if act[3] == "rm"]


@pytest.mark.parametrize("foreign", [True, False])
def test_on_a_cluster_that_stays_it_is_removed_on_ctrl_c_too(lab: Lab, foreign: bool) -> None:
    lab.settle()
    lab.machines.foreign = foreign
    with pytest.raises(KeyboardInterrupt):
        block(lab, KeyboardInterrupt())
    assert lab.commands("docker")[-1][2:] == ("service", "rm", "db")


@pytest.mark.parametrize("what", ["services", "tasks", "networks"])
def test_a_stack_is_gone_when_none_of_its_parts_is_left(lab: Lab, what: str) -> None:
    gone = _Gone(lab.swarm, {"label": f"{STACK_LABEL}=web"}, "web")
    assert isinstance(gone(), Done)
    getattr(lab, what).append({})
    outcome = gone()
    assert isinstance(outcome, Pending)
    assert f"1 {what}" in outcome.seen


def test_a_stack_that_nobody_can_be_asked_about_is_not_gone(lab: Lab) -> None:
    lab.silent = {node.name: "i/o timeout" for node in lab.swarm.nodes}
    assert isinstance(_Gone(lab.swarm, {}, "web")(), Pending)


def test_a_config_that_somebody_else_has_is_not_made_the_stack_s(
    lab: Lab, stacks: Stacks, tmp_path: Path
) -> None:
    (tmp_path / "web.yml").write_text("configs: {c: {file: /etc/hosts, name: site_v1}}\n")
    lab.machines.foreign = True
    lab.configs = ["site_v1"]
    with pytest.raises(
        ProviderError, match=r"has a config site_v1 already that does not belong to the st"
    ):
        stacks.deploy(tmp_path / "web.yml")
    assert lab.did == []


def test_volumes_that_another_stack_has_left_are_not_removed_and_their_use_is_told(
    lab: Lab, stacks: Stacks
) -> None:
    lab.machines.foreign = True
    lab.volumes["worker2"] = [volume("web_data", "web")]
    with pytest.raises(ProviderError, match=r"worker2 has volumes of an earlier stack web, which"):
        stacks.deploy("web.yml", keep_volumes=False)
    stacks.remove_all()
    assert lab.did == []
    stacks.deploy("web.yml")
    (notice,) = lab.recorder.view().of("notice")
    assert notice.data["message"] == (
        "worker2 has volumes of an earlier stack web, which this one uses"
    )
