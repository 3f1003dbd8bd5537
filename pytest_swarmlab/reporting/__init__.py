"""From a record to what people read: results.json, pictures, report.html, the terminal.

All of it is made from events.jsonl alone, so that a run can be reported again long after its
cluster is gone.
"""

from pytest_swarmlab.reporting.attachment import attach

__all__ = ["attach"]
