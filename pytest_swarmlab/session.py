"""What a pytest session carries for us: configuration, run, provider, terminal."""

from __future__ import annotations

import io
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, TextIO

import pytest

from pytest_swarmlab.config import PROVIDERS, LabConfig
from pytest_swarmlab.errors import ConfigError

if TYPE_CHECKING:
    from pytest_swarmlab.providers.base import Provider
    from pytest_swarmlab.run import Run  # noqa: F401 - named in the stash key's type

CONFIG = pytest.StashKey[LabConfig]()
TERMINAL = pytest.StashKey[TextIO]()
CHECKED = pytest.StashKey[bool]()
RUN = pytest.StashKey["Run"]()

EXIT_INFRASTRUCTURE = 6
"""Exit code when only the lab itself failed: nothing was learned about the cluster under test."""


def terminal(pytest_config: pytest.Config) -> TextIO:
    """Where a person sees what happens, whatever pytest captures.

    While a test runs, pytest puts a file in the place of the terminal's descriptor; a
    duplicate made now still leads to the terminal.
    """
    if TERMINAL not in pytest_config.stash:
        reporter = pytest_config.pluginmanager.get_plugin("terminalreporter")
        out: TextIO = reporter._tw._file if reporter else sys.stderr
        try:
            duplicate = os.fdopen(os.dup(out.fileno()), "w", encoding="utf-8", errors="replace")
        except (OSError, io.UnsupportedOperation):
            pytest_config.stash[TERMINAL] = out
        else:
            pytest_config.add_cleanup(duplicate.close)
            pytest_config.stash[TERMINAL] = duplicate
    return pytest_config.stash[TERMINAL]


def make_provider(pytest_config: pytest.Config) -> Provider:
    """The provider that the configuration names or leaves open, from whichever plugin has it."""
    from pytest_swarmlab.providers.choice import choose

    run = pytest_config.stash[RUN]
    name, why = choose(pytest_config.stash[CONFIG], run.needs())
    if why:
        run.recorder.record("notice", message=why)
    lab = replace(pytest_config.stash[CONFIG], provider=name)
    provider: Provider | None = pytest_config.hook.pytest_swarmlab_make_provider(
        config=lab, out=terminal(pytest_config)
    )
    if provider is None:
        raise ConfigError(f"no plugin has a provider {name!r}: use {' or '.join(PROVIDERS)}")
    return provider
