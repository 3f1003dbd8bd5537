"""The lab's exercises and stack files. A wheel carries them in this package.

In the repository they lie in ``tests/exercises`` and ``stacks``. There this package leads on to
them, so that `pytest_swarmlab.lab.exercises` and `STACKS` are the same in both.
"""

from pathlib import Path

_here = Path(__file__).parent
_repository = _here.parents[1]
_in_wheel = (_here / "stacks").is_dir()

STACKS = (_here if _in_wheel else _repository) / "stacks"

EXERCISES = (_here if _in_wheel else _repository / "tests") / "exercises"
"""Each exercise has a directory in it, such as ``exercise_2_3``."""

if not _in_wheel:
    __path__.append(str(EXERCISES.parent))
