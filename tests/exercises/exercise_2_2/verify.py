"""What must be true of a leader's loss, judged on the record alone.

The judges are beside this, by what is lost; reports show their checks in this order.
"""

from . import lost, served, followed  # isort: skip
from .declared import exercise

__all__ = ["exercise"]
