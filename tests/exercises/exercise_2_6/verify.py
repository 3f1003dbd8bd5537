"""What must be true of secrets, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import created  # isort: skip
from . import mounted  # isort: skip
from . import plaintext  # isort: skip
from . import refusals  # isort: skip
from . import tiers  # isort: skip
from . import rotation  # isort: skip
from . import rollback  # isort: skip
from .declared import exercise

__all__ = [
    "created",
    "exercise",
    "mounted",
    "plaintext",
    "refusals",
    "rollback",
    "rotation",
    "tiers",
]
