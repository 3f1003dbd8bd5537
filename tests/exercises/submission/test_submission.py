"""What was handed in: is it there, is it as the lab wants it, does it survive what the lab does?"""

from collections.abc import Callable, Iterator, Mapping

import pytest

from pytest_swarmlab.clients.ledger import NewLedger
from pytest_swarmlab.clients.probe import Probe
from pytest_swarmlab.evidence.observer import Observe
from pytest_swarmlab.faults import Faults
from pytest_swarmlab.judging.exercise import Exercise
from pytest_swarmlab.judging.live import Evidence
from pytest_swarmlab.marking.state import exercise as state
from pytest_swarmlab.marking.state.basis import PHASE as SURVEY
from pytest_swarmlab.submitted import steps
from pytest_swarmlab.submitted.work import Work
from pytest_swarmlab.swarm.cluster import Swarm
from pytest_swarmlab.swarm.configs import Configs
from pytest_swarmlab.swarm.stacks import Service, Stacks
from pytest_swarmlab.waiting.waiter import Waiter

from ..exercise_2_1 import drill as quorum
from ..exercise_2_1.verify import exercise as exercise_2_1
from ..exercise_2_2 import drill as failover
from ..exercise_2_2.seen import ROLE as SERVICE_ROLE
from ..exercise_2_2.verify import exercise as exercise_2_2
from ..exercise_2_4.verify import exercise as exercise_2_4
from ..exercise_2_5 import drill as wordpress
from ..exercise_2_5.events import NotInstalled
from ..exercise_2_5.site import Site
from ..exercise_2_5.verify import exercise as exercise_2_5
from ..exercise_2_6.verify import exercise as exercise_2_6
from ..exercise_2_7.verify import exercise as exercise_2_7
from ..exercise_2_8.verify import exercise as exercise_2_8
from ..exercise_2_9 import drill as healing
from ..exercise_2_9.verify import exercise as exercise_2_9
from . import elsewhere, guest, restored, rotated, stored, switched, theirs
from .elsewhere import ThrowAway

pytestmark = pytest.mark.submission

MANAGERS = 3

SURVIVED = ("db-recreated", "scaled", "node-lost")
"""Phases of exercise 2.5."""

Drill = Callable[[], None]


def each_judged(evidence: Evidence, exercise: Exercise, drills: Mapping[str, Drill]) -> None:
    """Perform and judge each drill, by phase, also those after one of which a check failed.

    What was lost in one way says nothing of the other, nor does what can't be proven here.
    """
    failed, skipped = [], []
    for phase, drill in drills.items():
        try:
            with evidence.judged(exercise, phase):
                drill()
        except pytest.fail.Exception as failure:
            failed.append(str(failure))
        except pytest.skip.Exception as why:
            skipped.append(str(why))
    if failed:
        pytest.fail("\n".join(failed), pytrace=False)
    if skipped:
        pytest.skip("\n".join(skipped))
    evidence.say_unproven()


@pytest.mark.exercise(steps.exercise)
def test_it_is_brought_onto_a_cluster(submitted: Work, evidence: Evidence) -> None:
    """Each step that swarmlab.yml names is done."""
    if submitted.submission is None:
        pytest.skip("nothing was handed in: the cluster is marked as it is")
    evidence.judge(steps.exercise, steps.PHASE)


@pytest.mark.exercise(state)
def test_it_is_as_the_lab_wants_it(submitted: Work, evidence: Evidence) -> None:
    """One look at all of it, judged by the lab's criteria."""
    del submitted  # It was looked at when it was there.
    evidence.judge(state, SURVEY)


@pytest.fixture
def author(submitted: Work, swarm: Swarm) -> Iterator[Site]:
    """Who installs their WordPress, and writes there."""
    site = guest.new_author(swarm, theirs.port(submitted, "wordpress"))
    yield site
    site.close()


@pytest.mark.exercise_2_5
@pytest.mark.exercise(exercise_2_5, phases=SURVIVED)
def test_what_was_written_survives(
    submitted: Work,
    author: Site,
    swarm: Swarm,
    stack: Stacks,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    ledger: NewLedger,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """A post is written; their database is removed and made again; its machine is lost."""
    site = theirs.wordpress(submitted, wait)
    theirs.without_leave(submitted, exercise_2_5, SURVIVED, evidence)
    blog = wordpress.Drill(
        swarm, author, stack, faults, wait, probe, ledger, observe, evidence, site
    )
    with guest.gone_at_the_end(blog, wait) as begin:
        refused = theirs.installed(submitted, blog, begin)

        def survived(drill: Drill) -> None:
            theirs.note_wordpress(submitted, evidence)
            if refused:
                evidence.write(NotInstalled(refused))
            else:
                with theirs.read_at_the_end(blog):
                    drill()

        each_judged(
            evidence,
            exercise_2_5,
            {
                "db-recreated": lambda: survived(blog.recreate_the_database),
                "scaled": lambda: survived(lambda: theirs.scaled(blog)),
                "node-lost": lambda: survived(lambda: theirs.lose_the_node(submitted, blog)),
            },
        )


@pytest.mark.exercise_2_4
@pytest.mark.exercise(exercise_2_4, phases=())  # By how their data are kept, one of two.
def test_their_data_follow_their_database(
    submitted: Work,
    swarm: Swarm,
    faults: Faults,
    wait: Waiter,
    ledger: NewLedger,
    evidence: Evidence,
) -> None:
    """Its NFS server is lost under writes; it is sent to another machine, and all is there."""
    del swarm  # It is the one on which their work is.
    moved = stored.database_on_nfs(submitted)
    with evidence.judged(exercise_2_4, moved.phase):
        stored.follow_the_database(
            moved, faults=faults, wait=wait, ledger=ledger, evidence=evidence
        )


@pytest.mark.exercise_2_6
@pytest.mark.exercise(exercise_2_6, phases=(rotated.PHASE,))
def test_their_secret_is_rotated_by_their_procedure(
    submitted: Work,
    swarm: Swarm,
    wait: Waiter,
    probe: Probe,
    evidence: Evidence,
    throw_away: ThrowAway,
) -> None:
    """Their script replaces it while clients ask: on a swarm of ours, if theirs is to stay."""
    del swarm  # It is the one on which their work is.
    theirs.without_leave(submitted, exercise_2_6, (rotated.PHASE,), evidence)
    mine = rotated.used(submitted)
    if elsewhere.is_meant(submitted):
        rotated.rotate_on_new_machines(mine, throw_away, wait=wait, probe=probe, evidence=evidence)
        return
    with evidence.judged(exercise_2_6, rotated.PHASE):
        rotated.rotate(mine, wait=wait, probe=probe, evidence=evidence)


@pytest.mark.exercise_2_6
@pytest.mark.exercise(exercise_2_6, phases=("plaintext",))
def test_their_secret_is_nowhere_in_plain(
    submitted: Work, swarm: Swarm, wait: Waiter, evidence: Evidence
) -> None:
    """What it is now is looked for everywhere."""
    del swarm
    mine = rotated.used(submitted)
    with evidence.judged(exercise_2_6, "plaintext"):
        rotated.search(mine, wait=wait, evidence=evidence)


@pytest.mark.exercise_2_7
@pytest.mark.exercise(exercise_2_7, phases=("switch",))
def test_their_proxy_is_given_another_configuration(
    submitted: Work,
    swarm: Swarm,
    configs: Configs,
    wait: Waiter,
    probe: Probe,
    observe: Observe,
    evidence: Evidence,
) -> None:
    """Its own with a mark, by its own way of updating, and no visitor is turned away."""
    del swarm  # It is the one on which their work is.
    proxy = switched.proxy(submitted)
    with evidence.judged(exercise_2_7, "switch"):
        theirs.note_player(submitted, "proxy", evidence)
        switched.switch(
            proxy, configs=configs, wait=wait, probe=probe, observe=observe, evidence=evidence
        )


@pytest.mark.exercise_2_9
@pytest.mark.exercise(exercise_2_9, phases=("heal",))
def test_an_ill_task_of_theirs_is_replaced(
    submitted: Work, swarm: Swarm, wait: Waiter, probe: Probe, evidence: Evidence
) -> None:
    """A task's page goes, its check finds it, another takes its slot: once for each replica."""
    healed = theirs.healed(submitted, "web")
    service = Service(swarm, theirs.player_of(submitted, "web").name)
    drill = healing.Drill(swarm, wait, probe, evidence, healed)
    with evidence.judged(exercise_2_9, "heal"):
        theirs.note_player(submitted, "web", evidence)
        with theirs.renewed_if_in_vain(service, drill):
            drill.heal(service)


@pytest.mark.exercise_2_9
@pytest.mark.exercise(exercise_2_9, phases=("bad-update",))
def test_a_bad_update_of_theirs_takes_itself_back(
    submitted: Work, swarm: Swarm, wait: Waiter, probe: Probe, evidence: Evidence
) -> None:
    """An update to a check that can't succeed, in the order that their definition says."""
    theirs.port(submitted, "web")
    healed = theirs.healed(submitted, "web")
    service = Service(swarm, theirs.player_of(submitted, "web").name)
    with evidence.judged(exercise_2_9, "bad-update"):
        theirs.note_player(submitted, "web", evidence)
        with theirs.taken_back_if_in_vain(service):
            drill = healing.Drill(swarm, wait, probe, evidence, healed)
            drill.see_bad_update_rolled_back(service, theirs.ill_update)


@pytest.fixture(scope="class")
def at_the_leader(submitted: Work, wait: Waiter) -> Iterator[Callable[[], theirs.Published]]:
    """Called, it has a replica of the service that clients ask run where the leader is."""
    with theirs.spread(theirs.asked(submitted), wait) as there:
        yield there


@pytest.mark.exercise_2_2
@pytest.mark.exercise(exercise_2_2, phases=tuple(failover.HOW))
class TestLeaderLoss:
    """The same service in all of them, spread once."""

    @pytest.mark.parametrize("how", failover.HOW)
    def test_their_service_survives_leader_loss(
        self,
        how: str,
        at_the_leader: Callable[[], theirs.Published],
        swarm: Swarm,
        faults: Faults,
        wait: Waiter,
        probe: Probe,
        observe: Observe,
        evidence: Evidence,
    ) -> None:
        """The leader is lost and comes back, while clients ask a service of theirs."""
        mine = at_the_leader()
        with evidence.judged(exercise_2_2, how), evidence.identities_of(swarm):
            theirs.note_plays(SERVICE_ROLE, mine.service.name, mine.replicas, evidence)
            failover.lose_the_leader_of(
                mine.service, mine.replicas, mine.port, how,
                faults=faults, wait=wait, probe=probe, observe=observe, evidence=evidence,
                path=mine.path,
            )  # fmt: skip


@pytest.mark.exercise_2_1
@pytest.mark.exercise(exercise_2_1, phases=("three-managers",))
def test_their_managers_bear_one_loss_and_not_two(
    submitted: Work,
    swarm: Swarm,
    faults: Faults,
    wait: Waiter,
    probe: Probe,
    evidence: Evidence,
) -> None:
    """Two of three managers are stopped, one after the other, while clients ask.

    After the drills that wait until every task runs again: what their engines' stop has ended may
    come back while the next one goes on, which needs the managers alone.
    """
    published = theirs.asked(submitted)
    if len(swarm.managers()) != MANAGERS:
        pytest.skip(f"there are {len(swarm.managers())} managers, and the drill is about three")
    with evidence.judged(exercise_2_1, "three-managers"), evidence.identities_of(swarm):
        evidence.state(swarm)
        quorum.lose_quorum_and_regain_it(
            swarm,
            faults=faults,
            wait=wait,
            probe=probe,
            evidence=evidence,
            port=published.port,
            path=published.path,
        )


@pytest.mark.exercise_2_8
@pytest.mark.exercise(exercise_2_8, phases=("disaster",))
def test_their_backup_brings_everything_back(
    submitted: Work,
    swarm: Swarm,
    faults: Faults,
    wait: Waiter,
    evidence: Evidence,
    throw_away: ThrowAway,
) -> None:
    """The last: nothing of the cluster is left but what their backup has.

    Somebody's own cluster runs on; new machines of ours stand for its own.
    """
    del swarm  # It is the one on which their work is.
    if elsewhere.is_meant(submitted):
        elsewhere.restore_on_new_machines(submitted, throw_away, wait=wait, evidence=evidence)
        return
    restored.procedure(submitted)
    with evidence.judged(exercise_2_8, "disaster"):
        restored.lose_everything_and_restore(submitted, faults=faults, wait=wait, evidence=evidence)
