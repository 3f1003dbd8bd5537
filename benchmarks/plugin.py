"""What the plugin costs a pytest session that uses no fixture of ours.

    .venv/bin/python -m benchmarks.plugin [PAIRS]

Sessions of one empty test, with the plugin and with ``-p no:swarmlab``, in turn.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def session(directory: Path, *options: str) -> float:
    """Seconds of one session."""
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "."],
        cwd=directory,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return time.monotonic() - began


def main(pairs: int) -> None:
    """Measure and print the medians and the median of the pairs' differences."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "test_nothing.py").write_text("def test_nothing():\n    pass\n")
        session(directory)
        seen = [(session(directory), session(directory, "-p", "no:swarmlab")) for _ in range(pairs)]
    with_it, without = (statistics.median(column) for column in zip(*seen, strict=True))
    more = statistics.median(a - b for a, b in seen)
    print(
        f"{pairs} pairs: {with_it * 1000:.0f} ms with the plugin, {without * 1000:.0f} without:"
        f" {more * 1000:.0f} ms more, ratio {with_it / without:.2f}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
