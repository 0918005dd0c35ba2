"""How this process logs: structlog, as JSON lines or for a terminal. No prompts above debug, no secrets at all."""

import logging
import sys
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import structlog
from structlog.tracebacks import ExceptionDictTransformer

# Without local variables, on both ways out: they hold prompts and addresses with passwords.
_TRACEBACKS = structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))


def configure_logs(level: str = "info", format_name: Literal["auto", "console", "json"] = "auto") -> None:
    """Sets up logging for the whole process. "auto": for people on a terminal, JSON elsewhere."""
    for_people = format_name == "console" or (format_name == "auto" and sys.stderr.isatty())
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if for_people
        else structlog.processors.JSONRenderer()
    )
    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if not for_people:
        processors.append(_TRACEBACKS)
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )


def without_credentials(url: str) -> str:
    """The URL fit to be shown: user, password, query and fragment are left out."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
