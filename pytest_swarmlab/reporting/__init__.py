"""From a record to what people read: results.json, pictures, report.html, the terminal.

Everything here is made from events.jsonl alone, so that a run can be reported again when its
cluster is long gone.
"""

from pytest_swarmlab.reporting.attachment import attach

__all__ = ["attach"]
