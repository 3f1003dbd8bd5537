"""What must be true of the site after each loss, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import installation  # isort: skip
from . import losses  # isort: skip
from . import node_lost  # isort: skip
from . import replicas  # isort: skip
from . import salts  # isort: skip
from . import refusals  # isort: skip
from .declared import exercise
from .refusals import LATER, REFUSED

__all__ = [
    "LATER",
    "REFUSED",
    "exercise",
    "installation",
    "losses",
    "node_lost",
    "refusals",
    "replicas",
    "salts",
]
