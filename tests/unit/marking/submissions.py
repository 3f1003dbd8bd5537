"""A submission that has everything, to be broken by tests."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

from pytest_swarmlab.marking import new_submission
from pytest_swarmlab.marking.asked import deliverables, questions

RIGHT = {
    "failures-tolerated": "une panne",
    "algorithm": "Raft",
    "quorum-of-five": "3",
    "tolerance-of-five": "deux",
    "old-leader": "Non, il reste follower.",
    "data-stay": "oui",
    "data-survive": "Oui",
    "secret-changed": "non",
    "secret-limit": "500 Ko",
    "config-limit": "1 024 000 octets",
    "config-shared": "oui",
    "start-period": "non",
}
STACK = "services:\n  web:\n    image: nginx:1.27-alpine\n"
SCRIPT = """\
#!/bin/bash
set -e
trap 'systemctl start docker' EXIT
systemctl stop docker
tar -c x
sync
"""


def png() -> bytes:
    """A picture of a kilobyte and more."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    rows = b"".join(b"\0" + bytes((x * y * 37) % 251 for x in range(64)) for y in range(64))
    header = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows, 0))
        + chunk(b"IEND", b"")
    )


def complete(root: Path) -> Path:
    """Everything that the lab asks for."""
    new_submission.write(root)
    (root / "swarmlab.yml").write_text(
        "lab: lab-02\nstudents: [Ada Lovelace]\nroles: {}\n", "utf-8"
    )
    for asked in deliverables():
        if asked.kind == "document":
            words = " ".join(f"mot{n}" for n in range(asked.words))
            (root / f"{asked.place}.md").write_text(f"# {asked.text}\n\n{words}\n", "utf-8")
        elif asked.kind == "picture":
            (root / f"{asked.place}.png").write_bytes(png())
        else:
            (root / asked.place).write_text(STACK if asked.kind == "stack" else SCRIPT, "utf-8")
    answers(root)
    return root


def answers(root: Path, **changed: str) -> None:
    """Write all answers, the right ones where there are such."""
    lines, section = [], ""
    for question in questions():
        if question.section != section:
            section = question.section
            lines.append(f'"{section}":')
        text = changed.get(question.name, RIGHT.get(question.name, "Parce que c'est ainsi."))
        lines.append(
            f"  {question.name}: {text!r}" if "'" not in text else f'  {question.name}: "{text}"'
        )
    (root / "answers.yml").write_text("\n".join(lines) + "\n", "utf-8")
