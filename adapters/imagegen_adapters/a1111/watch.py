"""Watches one POST until its answer comes: reports what polls tell, and pursues a cancel."""

import asyncio
from collections.abc import Callable
from typing import NoReturn

import structlog

from imagegen_adapters.a1111.attribution import Standing
from imagegen_adapters.a1111.client import Client, Timeouts
from imagegen_adapters.a1111.progress import Ask, Tracker
from imagegen_adapters.a1111.requests import Post
from imagegen_adapters.contract import Update
from imagegen_adapters.errors import AdapterError, Cancelled, Lost, Unreachable

log = structlog.get_logger()


class CancelWish:
    """Whether the caller wants the attempt to stop, and what was done about it."""

    def __init__(self) -> None:
        self.wanted = asyncio.Event()
        self.wanted_at = 0.0
        self.interrupted_at: float | None = None
        """When the first interrupt was sent that could hit us."""

    @property
    def is_wanted(self) -> bool:
        return self.wanted.is_set()

    def want(self) -> None:
        self.wanted_at = now()
        self.wanted.set()


class Watch:
    """One POST's polls. `on_updates` gets what they tell; `on_overdue` is called when a cancel takes too long."""

    def __init__(
        self,
        client: Client,
        post: Post,
        tracker: Tracker,
        wish: CancelWish,
        *,
        timeouts: Timeouts,
        on_updates: Callable[[list[Update]], None],
        on_overdue: Callable[[], None],
    ) -> None:
        self._client = client
        self._post = post
        self._tracker = tracker
        self._wish = wish
        self._timeouts = timeouts
        self._on_updates = on_updates
        self._on_overdue = on_overdue
        self._heard_at = now()

    async def run(self) -> NoReturn:
        """Until it is cancelled. Raises Lost, Unreachable or Cancelled when waiting has no sense any more."""
        while True:
            await self._hear()
            await self._pursue_cancel()
            self._give_up_if_hopeless()
            await self._pause(self._tracker.delay_s(now()))

    async def _hear(self) -> None:
        ask = self._tracker.next_ask(now(), is_cancelling=self._wish.is_wanted)
        try:
            updates = await self._poll(ask)
        except AdapterError as error:
            self._tracker.miss(ask, now())
            # A refused poll is not silence: a server that shuts down closes its port first and goes on working.
            # Anything else that is wrong with polls is no reason to give up the job either.
            if isinstance(error.__cause__, TimeoutError):
                return
            updates = []
        self._heard_at = now()
        self._on_updates(updates)

    async def _poll(self, ask: Ask) -> list[Update]:
        tracker, asked_at = self._tracker, now()
        match ask:
            case Ask.TASK | Ask.TASK_WITH_PREVIEW:
                with_preview = ask is Ask.TASK_WITH_PREVIEW
                task = await self._client.task_progress(
                    self._post.task_id, preview_id=tracker.preview_id, with_preview=with_preview
                )
                if task is None:
                    tracker.lose_task_ids()
                    return []
                return tracker.see_task(task, now(), with_preview=with_preview)
            case Ask.GLOBAL | Ask.GLOBAL_WITH_PREVIEW:
                with_preview = ask is Ask.GLOBAL_WITH_PREVIEW
                document = await self._client.global_progress(with_preview=with_preview)
                return tracker.see_global(document, now(), asked_at=asked_at, with_preview=with_preview)

    async def _pursue_cancel(self) -> None:
        """Interrupts our job, and no other, again and again: an interrupt before a job begins is lost."""
        wish = self._wish
        if not wish.is_wanted:
            return
        if self._tracker.standing is Standing.ACTIVE:
            # Noted before it is sent: the job may end, cut short, before the interrupt itself is answered.
            wish.interrupted_at = wish.interrupted_at or now()
            try:
                await self._client.interrupt()
            except AdapterError as error:
                log.debug("interrupt failed", task_id=self._post.task_id, error=str(error))
        if now() - wish.wanted_at >= self._timeouts.cancel_s:
            self._on_overdue()

    def _give_up_if_hopeless(self) -> None:
        limits, tracker, moment = self._timeouts, self._tracker, now()
        interrupted_at = self._wish.interrupted_at
        if interrupted_at is not None and moment - interrupted_at >= limits.cancel_s:
            raise Cancelled("the server ignores interrupts")
        if moment - self._heard_at >= limits.silence_s:
            raise Unreachable("the server has stopped answering; the job may still be running there")
        if tracker.standing is Standing.GONE and moment - tracker.changed_at >= limits.answer_s:
            raise Lost("the job is no longer running at the server, and its answer never came")
        if moment - tracker.changed_at >= limits.stall_s:
            raise Lost("nothing has happened at the server for too long; the job may still be waiting there")

    async def _pause(self, seconds: float) -> None:
        """A new wish to cancel ends it early."""
        if self._wish.is_wanted:
            await asyncio.sleep(seconds)
            return
        try:
            async with asyncio.timeout(seconds):
                await self._wish.wanted.wait()
        except TimeoutError:
            pass


def now() -> float:
    """The loop's clock."""
    return asyncio.get_running_loop().time()
