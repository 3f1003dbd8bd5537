"""The result of a command that may be refused."""

from collections.abc import Callable

from pytest_swarmlab.errors import CommandError


def answer(act: Callable[[], object]) -> tuple[int, str]:
    """The exit code of that command and its words on standard error; 0 and none if it is done."""
    try:
        act()
    except CommandError as error:
        return error.code, error.stderr
    return 0, ""
