"""What must be true of configs, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import mounted, shared, refusals, proxy, versions, environments  # isort: skip
from .declared import exercise

__all__ = ["exercise"]
