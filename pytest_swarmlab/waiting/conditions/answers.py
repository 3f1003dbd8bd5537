"""Errors of an engine that gives no good answer."""

from __future__ import annotations

import functools

from pytest_swarmlab.errors import ProviderError


@functools.cache
def no_answer() -> tuple[type[Exception], ...]:
    """The errors of asking an engine, or all managers, when there is no good answer."""
    import docker.errors
    import requests

    return (docker.errors.DockerException, requests.RequestException, OSError, ProviderError)


def brief(error: Exception) -> str:
    """An engine's error in one line: its own explanation where it gave one."""
    text = getattr(error, "explanation", None) or str(error) or type(error).__name__
    if "Read timed out" in str(text):
        return "no answer in time"
    return " ".join(str(text).split())[:300]
