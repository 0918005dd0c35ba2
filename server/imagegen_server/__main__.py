"""`python -m imagegen_server`: the server as a process of its own."""

import asyncio
import gc
import signal
import sys
from contextlib import suppress
from tomllib import TOMLDecodeError

from pydantic import ValidationError
from pydantic_settings import SettingsError

from imagegen_server.app import serve
from imagegen_server.config import ServerSettings
from imagegen_server.errors import CannotStart
from imagegen_server.logs import configure_logs


def main() -> int:
    """Serves until SIGINT or SIGTERM. Exit status 2: the settings are wrong, or the server cannot start."""
    try:
        settings = ServerSettings()
    except (ValidationError, SettingsError, TOMLDecodeError) as error:
        print(f"imagegen server: {describe(error)}", file=sys.stderr)  # noqa: T201  # logs are not set up yet
        return 2
    configure_logs(settings.log_level, settings.log_format)
    try:
        _run(settings)
    except CannotStart as error:
        print(f"imagegen server: {error}", file=sys.stderr)  # noqa: T201  # for a person, whatever the log's format
        return 2
    return 0


def describe(error: ValidationError | SettingsError | TOMLDecodeError) -> str:
    """What is wrong with the settings, one line each. Values are left out: they may hold passwords."""
    if not isinstance(error, ValidationError):
        return f"the settings cannot be read: {error}"
    lines = []
    for each in error.errors(include_input=False, include_url=False):
        name = ".".join(str(part) for part in each["loc"])
        message = each["msg"].removeprefix("Value error, ")
        lines.append(f"{name}: {message}" if name else message)
    return "\n".join(lines)


def _run(settings: ServerSettings) -> None:
    # What was imported stays: to walk through it again and again would hold up the loop for 40 ms each time.
    gc.freeze()
    if sys.platform == "win32":
        asyncio.run(_serve(settings))
    else:
        import uvloop

        uvloop.run(_serve(settings))


async def _serve(settings: ServerSettings) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        # Windows has none; there Ctrl-C ends the loop by KeyboardInterrupt.
        with suppress(NotImplementedError):
            loop.add_signal_handler(signal_number, stopped.set)
    async with serve(settings):
        await stopped.wait()


if __name__ == "__main__":
    sys.exit(main())
