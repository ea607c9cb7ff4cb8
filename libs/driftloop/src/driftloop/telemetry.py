"""Logs with fields, one JSON object per line."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any


class Log:
    """``log.info("batch-stored", topic=…, rows=…)``: an event name and fields, no sentences."""

    def __init__(self, name: str) -> None:
        self._log = logging.getLogger(name)

    def debug(self, event: str, **fields: Any) -> None:
        self._log.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: Any) -> None:
        self._log.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Any) -> None:
        self._log.warning(event, extra={"fields": fields})

    def error(self, event: str, *, exc_info: bool = False, **fields: Any) -> None:
        self._log.error(event, extra={"fields": fields}, exc_info=exc_info)


def get_logger(name: str) -> Log:
    return Log(name)


class _JsonLines(logging.Formatter):
    def __init__(self, service: str, instance: str) -> None:
        super().__init__()
        self._about = {"service": service, "instance": instance}

    def format(self, record: logging.LogRecord) -> str:
        line = {"time": datetime.fromtimestamp(record.created, UTC).isoformat(), "level": record.levelname.lower(), **self._about}
        line |= {"logger": record.name, "event": record.getMessage(), **getattr(record, "fields", {})}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(service: str, instance: str, level: int = logging.INFO) -> None:
    """One JSON object per line on stderr, for this process."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(service, instance))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("kafka", "aiokafka", "faust", "mode", "urllib3", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
