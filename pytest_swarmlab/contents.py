"""Where the lab's exercises and stacks lie: in the wheel within this package, else beside it."""

from pathlib import Path

_here = Path(__file__).parent
_lab = _here / "lab"

IN_WHEEL = (_lab / "stacks").is_dir()

STACKS = (_lab if IN_WHEEL else _here.parent) / "stacks"
"""The lab's stack files, and the sources of its own images."""

EXERCISES = (_lab if IN_WHEEL else _here.parent / "tests") / "exercises"
"""Each exercise has a directory in it, such as ``exercise_2_3``."""

_PREFIX = "exercise_"


def exercises() -> dict[str, Path]:
    """Number of each exercise, such as 2.3, and its directory, in no order."""
    return {
        path.name.removeprefix(_PREFIX).replace("_", "."): path
        for path in EXERCISES.glob(f"{_PREFIX}*")
        if path.is_dir()
    }
