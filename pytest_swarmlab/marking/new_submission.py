"""Writes an empty submission, and overwrites nothing."""

from __future__ import annotations

from pathlib import Path

from pytest_swarmlab.errors import ConfigError
from pytest_swarmlab.marking import skeleton


def write(directory: Path) -> list[str]:
    """Write the skeleton into a new or empty directory; returns the paths in it.

    Raises ConfigError if the directory is not empty or can't be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise ConfigError(f"{directory} is not empty: name a new directory")
        for place, content in skeleton.files().items():
            path = directory / place
            path.parent.mkdir(exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(content)
            if place.endswith(".sh"):
                path.chmod(0o755)
    except OSError as error:
        raise ConfigError(f"{directory} can't be written: {error.strerror}") from error
    return list(skeleton.files())
