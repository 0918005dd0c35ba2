"""One attempt on an A1111 server: its POSTs one after another, each followed by polls, and its cancel."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import structlog

from imagegen_adapters.a1111.attribution import Attribution
from imagegen_adapters.a1111.catalog import Names, ServerCatalog, find_style_violations, find_violations, resolve_names
from imagegen_adapters.a1111.client import Client, Timeouts
from imagegen_adapters.a1111.knowledge import Knowledge
from imagegen_adapters.a1111.orphan import Orphan, settle, unanswered
from imagegen_adapters.a1111.progress import Tracker
from imagegen_adapters.a1111.protocol import Answer, GlobalProgress
from imagegen_adapters.a1111.reporting import Reporter
from imagegen_adapters.a1111.requests import (
    PREVIEW_OPTION,
    Post,
    answer_limit_bytes,
    build_body,
    count_steps,
    find_option_violations,
    find_request_violations,
    override_settings,
    path_for,
    plan_posts,
    task_id,
)
from imagegen_adapters.a1111.verdict import find_replacements, read_images
from imagegen_adapters.a1111.watch import CancelWish, Watch, now
from imagegen_adapters.contract import (
    Accepted,
    Handle,
    ImageParameters,
    Phase,
    Planned,
    Task,
    Update,
    Warned,
)
from imagegen_adapters.errors import (
    AdapterError,
    Cancelled,
    Interrupted,
    Lost,
    NoOutput,
    Rejected,
    Uncertain,
    Unintelligible,
    Unreachable,
    Violation,
)
from imagegen_adapters.updates import UpdateBuffer

log = structlog.get_logger()


class A1111Run:
    """Implements `contract.Run`.

    `start` begins the work, in a task that belongs to the adapter and may outlive the run's block: a queued job cannot
    be taken out of the server's queue, so a cancelled one is followed until it can be interrupted.
    """

    def __init__(
        self,
        task: Task,
        request: ImageParameters,
        *,
        client: Client,
        knowledge: Knowledge,
        timeouts: Timeouts,
        preview_every_n_steps: int | None,
    ) -> None:
        self._task = task
        self._request = request
        self._client = client
        self._knowledge = knowledge
        self._timeouts = timeouts
        self._preview_every_n_steps = preview_every_n_steps
        self._buffer = UpdateBuffer()
        self._reporter = Reporter(model=request.model, preview=task.preview)
        self._wish = CancelWish()
        self._warnings: list[Warned] = []
        self._is_accepted = False
        self._is_posted = False
        """A POST is out, or its answer is being taken in."""
        self._driver: asyncio.Task[None] | None = None
        self.is_detached = False

    # --- contract.Run ---

    def __aiter__(self) -> AsyncIterator[Update]:
        return self._buffer

    async def cancel(self) -> None:
        if self._wish.is_wanted:
            return
        self._wish.want()
        if not self._is_posted:
            self._buffer.fail(Cancelled("cancelled before the server had it"))
            if self._driver is not None:
                self._driver.cancel()

    def detach(self) -> None:
        self.is_detached = True

    # --- the work ---

    def start(self, job_lock: asyncio.Lock) -> asyncio.Task[None]:
        """Begins the work. The task ends by itself, never with an error."""
        self._driver = asyncio.create_task(self._drive(job_lock), name=f"a1111 {self._task.attempt_id}")
        return self._driver

    async def _drive(self, job_lock: asyncio.Lock) -> None:
        try:
            # Held for the whole attempt: the server would queue a second job, and nobody could take it out again.
            async with job_lock:
                await self._make_images()
        except AdapterError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._buffer.fail(Cancelled("no longer followed"))
            raise
        except Exception as error:
            log.exception("attempt failed unexpectedly", attempt_id=self._task.attempt_id)
            self._buffer.fail(error)
        else:
            self._buffer.close()

    def _fail(self, error: AdapterError) -> None:
        if not self._wish.is_wanted or isinstance(error, Cancelled):
            self._buffer.fail(error)
            return
        if isinstance(error, Lost | Uncertain | Unreachable | Unintelligible):
            self._warn_of_unconfirmed_cancel(str(error))
        self._buffer.fail(Cancelled("cancelled"))

    async def _make_images(self) -> None:
        self._put(*self._reporter.enter(Phase.PREPARING))
        await self._knowledge.notice_restart()
        options = await self._knowledge.read_options()
        _check_image_format(options)
        catalog = await self._check_request(options)
        names = resolve_names(self._request, catalog)
        settings = override_settings(
            self._task,
            names,
            vae_option=catalog.vae_option,
            current=options,
            preview_every_n_steps=self._preview_every_n_steps,
        )
        await self._knowledge.pin(set(settings), options)
        self._warn_of_missing_previews(options | settings)
        for post in plan_posts(self._task.attempt_id, self._request):
            if self._wish.is_wanted:
                raise Cancelled("cancelled between two images")
            answer = await self._make(post, names, settings)
            self._knowledge.learn(replace(answer, images=()))
            await self._deliver(post, answer, names, catalog)
            self._is_posted = False
            # All images of an attempt come from one model, also where the request leaves open which.
            names = replace(names, checkpoint=names.checkpoint or answer.model)

    async def _check_request(self, options: dict[str, Any]) -> ServerCatalog:
        """Asks for the catalogue anew before it refuses a name: it may have been added since."""
        violations = [*find_request_violations(self._request), *find_option_violations(self._task.options, options)]
        is_fresh = self._knowledge.catalog is None
        catalog = self._knowledge.catalog or await self._knowledge.fetch_catalog()
        if self._find_unknown_names(catalog) and not is_fresh:
            catalog = await self._knowledge.fetch_catalog()
        violations += self._find_unknown_names(catalog)
        if violations:
            raise Rejected("; ".join(f"{v.field}: {v.description}" for v in violations[:3]), violations)
        inputs = {self._request.init_image, self._request.mask} - {""}
        if not inputs <= self._task.files.keys():
            raise Rejected("the bytes of an input image were not handed over")
        return catalog

    def _find_unknown_names(self, catalog: ServerCatalog) -> list[Violation]:
        styles = self._task.options.get("styles", [])
        return [*find_violations(self._request, catalog), *find_style_violations(styles, catalog)]

    # --- one POST ---

    async def _make(self, post: Post, names: Names, settings: dict[str, Any]) -> Answer:
        body = await asyncio.to_thread(build_body, self._task, self._request, post, names, settings)
        tracker = await self._track(post, names)
        instance = self._knowledge.instance or ""
        self._is_posted = True
        job = asyncio.create_task(
            self._client.post_job(
                path_for(self._request), body, max_bytes=answer_limit_bytes(self._request, post)
            )
        )  # fmt: skip
        watch = asyncio.create_task(self._watch(post, tracker).run())
        try:
            await asyncio.wait({job, watch}, return_when=asyncio.FIRST_COMPLETED)
            answer = await (job if job.done() else watch)
        except Lost as error:
            await _end(job, watch)
            raise await self._settle(post, tracker, instance) from error
        except Unreachable as error:
            if job.done():
                raise  # it was not sent
            raise unanswered(str(error), has_task_ids=tracker.has_task_ids) from error
        finally:
            await _end(job, watch)
            self._knowledge.has_task_ids = tracker.has_task_ids
        self._accept()
        if self._wish.interrupted_at is not None:
            raise Cancelled("stopped at the server")
        await self._check_for_strangers_interrupt(post, answer, was_stopped=tracker.was_stopped)
        return answer

    async def _settle(self, post: Post, tracker: Tracker, instance: str) -> AdapterError:
        """What the attempt ends in, of which no answer will come."""
        orphan = Orphan(
            task_ids=[post.task_id],
            instance=instance,
            was_at_work=tracker.was_at_work,
            has_task_ids=tracker.has_task_ids,
        )
        error = await settle(self._client, orphan, self._timeouts)
        return Cancelled("stopped at the server") if isinstance(error, Lost) and self._wish.is_wanted else error

    def _watch(self, post: Post, tracker: Tracker) -> Watch:
        def report(updates: list[Update]) -> None:
            if tracker.is_accepted:
                self._accept()
            self._put(*updates)

        return Watch(
            self._client,
            post,
            tracker,
            self._wish,
            timeouts=self._timeouts,
            on_updates=report,
            on_overdue=self._end_unconfirmed,
        )

    async def _track(self, post: Post, names: Names) -> Tracker:
        attribution = Attribution(job="scripts_img2img" if self._request.init_image else "scripts_txt2img")
        asked_at = now()
        if not self._knowledge.has_task_ids and (before := await self._glance()) is not None:
            attribution.note_before(before, asked_at=asked_at, now=now())
        last = self._knowledge.last_answer
        return Tracker(
            post,
            self._reporter,
            attribution,
            has_task_ids=self._knowledge.has_task_ids,
            encodes_image=bool(self._request.init_image) and last is not None and names.checkpoint in ("", last.model),
            now=now(),
            pace=self._timeouts.pace,
        )

    async def _deliver(self, post: Post, answer: Answer, names: Names, catalog: ServerCatalog) -> None:
        for warning in find_replacements(answer, names, catalog):
            if warning not in self._warnings:
                self._warnings.append(warning)
                self._put(warning)
        self._put(*self._reporter.enter(Phase.SAVING))
        self._put(*await asyncio.to_thread(lambda: list(read_images(self._request, post, answer))))
        self._put(*self._reporter.finish(post))

    async def _check_for_strangers_interrupt(self, post: Post, answer: Answer, *, was_stopped: bool) -> None:
        """A stopped job is answered like a finished one, with an unfinished picture. Only the global document keeps a
        mark of it, until the next job begins.
        """
        after = await self._glance()
        is_marked = after is not None and after.is_idle and after.is_stopped and after.timestamp == answer.timestamp
        if was_stopped or is_marked or 0 < len(answer.images) < post.images:
            raise Interrupted("somebody else interrupted the job at the server")
        if not answer.images:
            raise NoOutput("the server answered without any image")

    async def _glance(self) -> GlobalProgress | None:
        """The global document, where there is one to be had."""
        try:
            return await self._client.global_progress()
        except AdapterError:
            return None

    # --- what the consumer sees ---

    def _put(self, *updates: Update) -> None:
        for update in updates:
            self._buffer.put(update)

    def _accept(self) -> None:
        if not self._is_accepted:
            self._is_accepted = True
            self._put(
                Accepted(handle=Handle(remote_id=task_id(self._task.attempt_id, 0))),
                Planned(images=self._request.count),
            )

    def _end_unconfirmed(self) -> None:
        """The caller has waited long enough for a cancel; the job is pursued all the same."""
        self._warn_of_unconfirmed_cancel("the server has not stopped the job yet")
        self._buffer.fail(Cancelled("cancelled, but not confirmed by the server"))

    def _warn_of_unconfirmed_cancel(self, reason: str) -> None:
        self._put(Warned(code="CANCEL_NOT_CONFIRMED", message=f"the job may still run at the server: {reason}"))

    def _warn_of_missing_previews(self, options: dict[str, Any]) -> None:
        every = options.get(PREVIEW_OPTION)
        if not self._task.preview.enabled:
            return
        if options.get("live_previews_enable") is False:
            reason = 'live previews are switched off in the server\'s settings ("live_previews_enable")'
        elif isinstance(every, int | float) and not 0 <= every < max(count_steps(self._request)):
            reason = (
                f"the server makes one every {int(every)} steps (-1: none); "
                'set the backend\'s option "preview_every_n_steps" to 1 for more'
            )
        else:
            return
        self._put(Warned(code="PREVIEWS_UNAVAILABLE", message=f"there will be no previews: {reason}"))


def _check_image_format(options: dict[str, Any]) -> None:
    """The server notices only after the work is done, and an override of this setting has no effect."""
    name = options.get("samples_format", "png")
    if name not in ("png", "jpg", "jpeg", "webp"):
        raise Unintelligible(
            f'the server cannot send images as {name!r}: set "samples_format" to "png" in its settings'
        )


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """Cancels what still runs and waits for it; an outcome that was not asked for is dropped."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
