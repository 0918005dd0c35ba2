"""`python -m imagegen_gateway`: the gateway alone, configured by environment and imagegen.toml."""

import asyncio
import gc
import signal
import sys

import structlog
from pydantic import ValidationError
from structlog.tracebacks import ExceptionDictTransformer

from imagegen_gateway.app import run
from imagegen_gateway.config import GatewaySettings


def configure_logs() -> None:
    """Lines for a person at a terminal, JSON elsewhere."""
    # Tracebacks without local variables: they hold prompts.
    for_people = [structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)]
    for_machines = [
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            *(for_people if sys.stderr.isatty() else for_machines),
        ],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


async def serve(settings: GatewaySettings) -> None:
    """Serves until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, stop)


def main() -> int:
    """The exit status: 0 after a signal, 1 when the port is taken, 2 for settings that make no sense."""
    configure_logs()
    try:
        settings = GatewaySettings()
    except ValidationError as exc:
        for error in exc.errors():
            name = "_".join(["IMAGEGEN", *(str(part).upper() for part in error["loc"])]) if error["loc"] else "settings"
            print(f"{name}: {error['msg'].removeprefix('Value error, ')}", file=sys.stderr)  # noqa: T201  # before any log
        return 2
    # What was imported stays: to walk through it again and again would hold up the loop for tens of milliseconds.
    gc.freeze()
    try:
        if sys.platform == "win32":
            asyncio.run(serve(settings))
        else:
            import uvloop

            uvloop.run(serve(settings))
    except OSError as exc:
        print(f"cannot listen on {settings.http}: {exc.strerror}", file=sys.stderr)  # noqa: T201  # for a person
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
