"""Ctrl-C: once to be asked politely, twice to leave at once."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from imagegen_client.client import Client
from imagegen_client.commands.session import Interrupted
from imagegen_client.commands.views import View
from imagegen_client.errors import ImagegenError


@asynccontextmanager
async def interruptions() -> AsyncIterator[asyncio.Event]:
    """The event is set by the first Ctrl-C; the second raises Interrupted out of the block."""
    loop, block, first = asyncio.get_running_loop(), asyncio.current_task(), asyncio.Event()
    assert block is not None
    leaves = False

    def on_interrupt() -> None:
        nonlocal leaves
        if first.is_set():
            leaves = True
            block.cancel()
        first.set()

    with suppress(NotImplementedError):  # Windows: Ctrl-C is a KeyboardInterrupt there, and leaves at once
        loop.add_signal_handler(signal.SIGINT, on_interrupt)
    try:
        yield first
    except asyncio.CancelledError:
        if not leaves:
            raise
        block.uncancel()
        raise Interrupted from None
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@asynccontextmanager
async def cancelling(client: Client, job_id: str, view: View, *, when: asyncio.Event) -> AsyncIterator[None]:
    """Cancels the job when the event is set, and says so, while the block goes on to see what becomes of it."""

    async def cancel() -> None:
        await when.wait()
        view.say(f"cancelling job {job_id}; press Ctrl-C again to leave at once")
        try:
            await client.cancel(job_id)
        except ImagegenError as error:
            view.say(f"imagegen: the job could not be cancelled: {error.message}")

    task = asyncio.create_task(cancel())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
