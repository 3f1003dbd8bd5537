"""Makes results.json, pictures, report.html and the terminal's output from a record.

events.jsonl is the only source, so a run can be reported again long after its cluster is gone.
"""

from pytest_swarmlab.reporting.attachment import attach

__all__ = ["attach"]
