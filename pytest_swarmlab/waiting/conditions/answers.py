"""Errors of an engine that gives no good answer."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_swarmlab.errors import ProviderError


@functools.cache
def no_answer() -> tuple[type[Exception], ...]:
    """The errors of asking an engine, or all managers, when there is no good answer."""
    import docker.errors
    import requests

    return (docker.errors.DockerException, requests.RequestException, OSError, ProviderError)


OF_FORM = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""Errors of reading a value that has another form than was expected."""


@contextmanager
def understood(answer: str) -> Iterator[None]:
    """Raise ProviderError where the block can't read an answer, such as "the engine's node list".

    What is misread could be taken for a proof, so it counts as no answer.
    """
    try:
        yield
    except OF_FORM as error:
        raise ProviderError(f"{answer} has another form than expected ({error!r:.100})") from error


def brief(error: Exception) -> str:
    """An engine's error in one line: its own explanation where it gave one."""
    text = getattr(error, "explanation", None) or str(error) or type(error).__name__
    if "Read timed out" in str(text):
        return "no answer in time"
    return " ".join(str(text).split())[:300]
