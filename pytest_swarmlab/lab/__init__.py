"""The lab's exercises and stack files. A wheel carries them in this package.

In the repository they lie in ``tests/exercises`` and ``stacks``. There this package leads on to
them, so that `pytest_swarmlab.lab.exercises` and `STACKS` are the same in both.
"""

from pytest_swarmlab.contents import EXERCISES, IN_WHEEL, STACKS

__all__ = ["EXERCISES", "STACKS"]

if not IN_WHEEL:
    __path__.append(str(EXERCISES.parent))
