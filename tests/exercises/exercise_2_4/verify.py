"""What must be true of storage that follows its service, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from tests.exercises.exercise_2_4 import share  # isort: skip
from tests.exercises.exercise_2_4 import following  # isort: skip
from tests.exercises.exercise_2_4 import plugin  # isort: skip
from tests.exercises.exercise_2_4 import trouble  # isort: skip
from tests.exercises.exercise_2_4.declared import DISTRIBUTED, exercise

__all__ = ["DISTRIBUTED", "exercise", "following", "plugin", "share", "trouble"]
