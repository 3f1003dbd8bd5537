"""What must be true of the shop, judged on the record alone.

The judges are beside this; reports show their checks in this order.
"""

from __future__ import annotations

from . import opened, visited, struck, nodes_lost, updated  # isort: skip
from . import availability, bookkeeping, filled, guarded, knee, labs_file  # isort: skip
from .declared import exercise

__all__ = ["exercise"]
