"""What must be true of backups and what is restored of them, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import refusals  # isort: skip
from . import trouble  # isort: skip
from . import restored  # isort: skip
from . import update  # isort: skip
from . import forced  # isort: skip
from . import autolock  # isort: skip
from . import hot  # isort: skip
from .declared import exercise

__all__ = [
    "autolock",
    "exercise",
    "forced",
    "hot",
    "refusals",
    "restored",
    "trouble",
    "update",
]
