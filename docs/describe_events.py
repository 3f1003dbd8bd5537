"""Writes what docs/record.md and the JSON Schema say of each kind of event that has a type.

.venv/bin/python docs/describe_events.py       # make architecture
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path

from pytest_swarmlab.evidence.events import description

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "record.md"
SCHEMA = ROOT / "pytest_swarmlab" / "evidence" / "events" / "events.schema.json"
EXERCISES = ROOT / "tests" / "exercises"
BEGIN, END = "<!-- made from pytest_swarmlab/evidence/events -->\n", "<!-- end -->\n"
OF_EXERCISES = "<!-- made from the exercises' and findings' events.py -->\n"

# A kind is known when its module has been imported.
importlib.import_module("pytest_swarmlab.survey.events")
importlib.import_module("tests.findings.events")
for path in sorted(EXERCISES.glob("*/events*.py")):
    importlib.import_module(f"tests.exercises.{path.parent.name}.{path.stem}")


def page(text: str) -> str:
    """The page with today's tables in it."""
    text = _with(text, BEGIN, description.table())
    return _with(text, OF_EXERCISES, description.table_of_exercises())


def _with(text: str, begin: str, table: str) -> str:
    before, _, rest = text.partition(begin)
    return f"{before}{begin}{table}{END}{rest.partition(END)[2]}"


def schema() -> str:
    """Today's schema as a file, with a line for each kind and each form."""
    made = description.schema()
    rules, forms = made.pop("allOf"), made.pop("$defs")
    head = [f"{_one(key)}: {_one(value)}" for key, value in made.items()]
    each = ",\n".join(map(_one, rules))
    form = ",\n".join(f"{_one(name)}: {_one(what)}" for name, what in forms.items())
    parts = [*head, f'"allOf": [\n{each}\n]', f'"$defs": {{\n{form}\n}}']
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _one(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def main() -> None:
    """Write both."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SCHEMA.write_text(schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
