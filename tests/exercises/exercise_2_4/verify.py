"""What must be true of storage that follows its service, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import share, following, plugin, trouble  # isort: skip
from .declared import exercise

__all__ = ["exercise"]
