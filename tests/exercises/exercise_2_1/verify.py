"""What must be true of a swarm with one to five managers, judged on the record alone.

The judges are beside this, by subject; reports show their checks in this order.
"""

from . import members, levels, without_quorum, roles  # isort: skip
from .declared import exercise

__all__ = ["exercise"]
