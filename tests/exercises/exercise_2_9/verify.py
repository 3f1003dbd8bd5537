"""What must be true of healthchecks and healing, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import starting  # isort: skip
from . import ill_tasks  # isort: skip
from . import bad_update  # isort: skip
from . import exit_zero  # isort: skip
from . import endings  # isort: skip
from . import slow_start  # isort: skip
from . import frozen  # isort: skip
from . import cascade  # isort: skip
from .declared import exercise

__all__ = [
    "bad_update",
    "cascade",
    "endings",
    "exercise",
    "exit_zero",
    "frozen",
    "ill_tasks",
    "slow_start",
    "starting",
]
