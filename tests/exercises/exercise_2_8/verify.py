"""What must be true of backups and what is restored of them, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import refusals, trouble, restored, update, forced, autolock, hot  # isort: skip
from .declared import exercise

__all__ = ["exercise"]
