"""What must be true of storage that follows its service, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import share  # isort: skip
from . import following  # isort: skip
from . import plugin  # isort: skip
from . import trouble  # isort: skip
from .declared import DISTRIBUTED, exercise

__all__ = ["DISTRIBUTED", "exercise", "following", "plugin", "share", "trouble"]
