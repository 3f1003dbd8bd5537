"""What must be true of healthchecks and healing, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import starting, ill_tasks, bad_update, exit_zero  # isort: skip
from . import endings, slow_start, frozen, cascade  # isort: skip
from .declared import exercise

__all__ = ["exercise"]
