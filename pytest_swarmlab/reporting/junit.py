"""A mark as JUnit's XML: a test suite per criterion, a test case per check."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

OUTCOMES = {"fail": "failure", "unknown": "error", "not_provable": "skipped"}
"""Verdict → element. `unknown` is an error and not a skip: a CI must not take it for a pass."""


def document(results: Mapping[str, Any]) -> ET.ElementTree[ET.Element]:
    """The mark in results.json's form as a document."""
    root = ET.Element("testsuites", name="swarmlab mark")
    for criterion in results["criteria"]:
        verdicts = [check["verdict"] for check in criterion["checks"]]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=criterion["id"],
            tests=str(len(verdicts)),
            failures=str(verdicts.count("fail")),
            errors=str(verdicts.count("unknown")),
            skipped=str(verdicts.count("not_provable")),
        )
        for check in criterion["checks"]:
            case = ET.SubElement(suite, "testcase", classname=criterion["id"], name=check["id"])
            if outcome := OUTCOMES.get(check["verdict"]):
                told = ET.SubElement(
                    case, outcome, message=f"{check['of']:g} points: {check['title']}"
                )
                told.text = _told(check)
    ET.indent(root)
    return ET.ElementTree(root)


def write(path: Path, results: Mapping[str, Any]) -> None:
    """Write it."""
    document(results).write(path, encoding="utf-8", xml_declaration=True)


def _told(check: Mapping[str, Any]) -> str:
    rows = (
        ("looked at", "looked_at"),
        ("expected", "expected"),
        ("seen", "observed"),
        ("to mend", "hint"),
    )
    return "\n".join(f"{name}: {check[key]}" for name, key in rows if check[key])
