"""What must be true of the site after each loss, judged on the record alone.

The judges are beside this, by drill; reports show their checks in this order.
"""

from . import installation, losses, node_lost, replicas, salts, refusals  # isort: skip
from .declared import exercise

__all__ = ["exercise"]
