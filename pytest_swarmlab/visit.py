"""`swarmlab survey`: connects to an existing cluster, surveys it, records and prints the result."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pytest_swarmlab import __version__
from pytest_swarmlab.config import LabConfig, read
from pytest_swarmlab.errors import ConfigError, HostError, ProviderError, SwarmlabError
from pytest_swarmlab.evidence.events import Problem
from pytest_swarmlab.evidence.recorder import Recorder
from pytest_swarmlab.marking import roles
from pytest_swarmlab.marking.state import exercise
from pytest_swarmlab.marking.state.basis import PHASE
from pytest_swarmlab.providers.choice import make
from pytest_swarmlab.providers.inventory import InventoryProvider
from pytest_swarmlab.run.identity import Identity
from pytest_swarmlab.survey import page
from pytest_swarmlab.survey.look import look
from pytest_swarmlab.survey.seen import Survey
from pytest_swarmlab.swarm.cluster import Swarm

if TYPE_CHECKING:
    from pytest_swarmlab.providers.base import Provider

WHOLE, GAPS, CANNOT = 0, 1, 2
"""Exit codes: all was seen, something was not, nothing was."""

NOTHING = (
    "there is nothing to survey: name your cluster's file with --inventory, or a kept cluster with"
    " --reuse"
)


def visit(
    *, inventory: str | None, reuse: str | None, reports: str | None, cache: Path, out: TextIO
) -> int:
    """Look at that cluster; returns 0 when all of it was seen, 1 when something was not.

    Raises ConfigError, HostError or ProviderError, in one sentence, where nothing can be seen.
    """
    given = {
        "swarmlab_inventory": inventory,
        "swarmlab_reuse": reuse,
        "swarmlab_reports": reports,
        "swarmlab_cache": str(cache),
    }
    config = read(given.get, lambda _: None, rootdir=Path.cwd(), typed_in=Path.cwd())
    if reuse is not None:
        # What was typed outweighs the environment's inventory.
        config = replace(config, inventory=None)
    if config.inventory is None and config.reuse is None:
        raise ConfigError(NOTHING)
    provider = _provider(config)
    identity = Identity()
    directory = identity.directory(config)
    try:
        directory.mkdir(parents=True)
    except OSError as error:
        raise HostError(
            f"reports can't be written to {config.reports} ({error.strerror}):"
            " name another directory with --reports"
        ) from error
    with closing(Recorder(directory / "events.jsonl", started=identity.started)) as recorder:
        # As a run of pytest begins its record, so that it can be judged again.
        identity.begin(recorder, provider=provider.name, version=__version__)
        recorder.write(exercise.selected())
        code = CANNOT
        try:
            survey = _seen(provider, config, recorder, logs=directory / "nodes")
        except SwarmlabError as error:
            recorder.write(Problem("survey", str(error), infrastructure=True))
            raise
        else:
            code = WHOLE if whole(survey) else GAPS
        finally:
            identity.finish(recorder, exit_status=code)
    page.write(survey, out)
    if survey.services:
        out.write("\nroles of the lab\n")
        out.writelines(f"  {sentence}\n" for sentence in roles.told(roles.Cast(survey)))
    out.write(f"\nrecord: {directory} (judged by `swarmlab judge {directory}`)\n")
    return code


def whole(survey: Survey) -> bool:
    """Whether all of it was seen."""
    return not survey.errors and not any(
        machine.errors or (machine.system and machine.system.lacks) for machine in survey.machines
    )


def _seen(provider: Provider, config: LabConfig, recorder: Recorder, *, logs: Path) -> Survey:
    machines = provider.attach(config.reuse or "", logs=logs)
    away = provider.away if isinstance(provider, InventoryProvider) else {}
    try:
        swarm = Swarm(machines, recorder)
        with recorder.phase(PHASE):
            return look(swarm, away)
    finally:
        # It is not ours: only the connections end.
        machines.keep()


def _provider(config: LabConfig) -> Provider:
    if config.inventory is not None:
        return InventoryProvider(config.inventory, may_change=False, whole=False)
    return _keeper(config)


def _keeper(config: LabConfig) -> Provider:
    """The provider that has the kept cluster. Raises ProviderError where none has it, or several
    have one and none is named.
    """
    found: list[tuple[Provider, str]] = []
    for name in ("uml", "dind", "vagrant"):
        try:
            provider = make(replace(config, provider=name), sys.stderr)
            kept = [each.id for each in provider.find() if each.kept] if provider else []
        except HostError:
            continue  # There is no such thing as this provider's on this machine.
        found += [(provider, id_) for id_ in kept if provider and config.reuse in ("", id_)]
    if len(found) == 1:
        return found[0][0]
    ids = ", ".join(id_ for _, id_ in found)
    if found:
        raise ProviderError(f"{len(found)} clusters are kept ({ids}): name one with --reuse=ID")
    what = f"cluster {config.reuse!r}" if config.reuse else "cluster"
    raise ProviderError(f"no {what} is kept here: run pytest with --swarmlab-keep first")
