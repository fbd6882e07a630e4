"""What the server writes to standard error: a line for each request, and one for each thing that happens, or fails."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from clew.server.access_log import LOGGER as ACCESS
from clew.server.access_log import Line, rfc3339

LogFormat = Literal["text", "json"]

_LOGGERS = ("clew", "uvicorn")


def start(form: LogFormat, *, requests: bool) -> None:
    """Write to standard error from now on; `requests` says whether a line for each request is wanted."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text())
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.propagate = False
        logger.setLevel(logging.INFO)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # clew says itself where it listens and that it ends
    logging.getLogger(ACCESS).setLevel(logging.INFO if requests else logging.CRITICAL)


class _Text(logging.Formatter):
    """A time, a level, and what there is to say; a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        text = f"{_time(record)} {record.levelname.lower()} {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _Json(logging.Formatter):
    """A JSON object a line, tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        line = getattr(record, "request", None)
        said: Any
        if isinstance(line, Line):
            said = {"logger": record.name, "level": record.levelname.lower(), **msgspec.structs.asdict(line)}
        else:
            said = {
                "logger": record.name,
                "level": record.levelname.lower(),
                "time": _time(record),
                "message": record.getMessage(),
            }
            if record.exc_info:
                said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said)  # in ASCII: to some readers a line also ends at U+2028


def _time(record: logging.LogRecord) -> str:
    return rfc3339(datetime.fromtimestamp(record.created, UTC))
