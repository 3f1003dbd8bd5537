"""What must be true of the shop, judged on the record alone.

The judges are beside this; reports show their checks in this order.
"""

from __future__ import annotations

from . import opened  # isort: skip
from . import visited  # isort: skip
from . import struck  # isort: skip
from . import nodes_lost  # isort: skip
from . import updated  # isort: skip
from . import availability  # isort: skip
from . import bookkeeping  # isort: skip
from . import guarded  # isort: skip
from . import knee  # isort: skip
from . import labs_file  # isort: skip
from .declared import exercise

__all__ = [
    "availability",
    "bookkeeping",
    "exercise",
    "guarded",
    "knee",
    "labs_file",
    "nodes_lost",
    "opened",
    "struck",
    "updated",
    "visited",
]
