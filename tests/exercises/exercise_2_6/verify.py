"""What must be true of secrets, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import created, mounted, plaintext, refusals, tiers, rotation, rollback  # isort: skip
from .declared import exercise

__all__ = ["exercise"]
