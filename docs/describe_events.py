"""Writes what docs/record.md and the JSON Schema say of each kind of event that has a type.

.venv/bin/python docs/describe_events.py       # make architecture
"""

from __future__ import annotations

import json
from pathlib import Path

from pytest_swarmlab.evidence.events import description

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "record.md"
SCHEMA = ROOT / "pytest_swarmlab" / "evidence" / "events" / "events.schema.json"
BEGIN, END = "<!-- made from pytest_swarmlab/evidence/events -->\n", "<!-- end -->\n"


def page(text: str) -> str:
    """The page with today's table in it."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}{description.table()}{END}{rest.partition(END)[2]}"


def schema() -> str:
    """Today's schema as a file."""
    return json.dumps(description.schema(), indent=2, ensure_ascii=False) + "\n"


def main() -> None:
    """Write both."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
