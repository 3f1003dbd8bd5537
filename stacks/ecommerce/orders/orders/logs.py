"""Lines of JSON on standard output."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime


class Lines(logging.Formatter):
    """One line for each record. What `extra={"fields": …}` holds is chosen field by field."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; of an exception its class alone, for its message may hold values."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": record.name.split(".")[0],
            "msg": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__
        return json.dumps(line)


CONFIGURATION = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"lines": {"()": "orders.logs.Lines"}},
    "handlers": {
        "stdout": {"class": "logging.StreamHandler", "stream": sys.stdout, "formatter": "lines"}
    },
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {
        # Each lost connection is told by whoever needed it.
        "pika": {"level": "CRITICAL"},
        "psycopg.pool": {"level": "ERROR"},
    },
}
