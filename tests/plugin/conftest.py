from __future__ import annotations

from tests.plugin.pretended import suite

__all__ = ["suite"]
