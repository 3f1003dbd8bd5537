"""What must be true of configs, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import mounted  # isort: skip
from . import shared  # isort: skip
from . import refusals  # isort: skip
from . import proxy  # isort: skip
from . import versions  # isort: skip
from . import environments  # isort: skip
from .declared import exercise

__all__ = [
    "environments",
    "exercise",
    "mounted",
    "proxy",
    "refusals",
    "shared",
    "versions",
]
