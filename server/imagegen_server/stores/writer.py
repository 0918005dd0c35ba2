"""One thread that writes: everything that waits goes into one transaction.

Group commit without linger: while one transaction is on its way to the disk, the next one gathers.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import structlog
from sqlalchemy import Connection, Engine

from imagegen_server.stores.model import JobWrite, StoreError

MAX_BATCH = 1000

Operation: TypeAlias = JobWrite | Callable[[Connection], Any]
OnDone: TypeAlias = Callable[[Any, StoreError | None], None]
"""(result of the operation, error): one of them is None."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class _Task:
    operation: Operation
    on_done: OnDone
    generation: int


class Writer:
    """Performs operations in order of submission. Belongs to the running event loop.

    When an operation fails, everything that was submitted until the loop hears of it fails with it, in order, because
    it was decided on top of what is not there. What is submitted afterwards is tried again.
    """

    def __init__(self, engine: Engine, write_jobs: Callable[[Connection, Sequence[JobWrite]], None]) -> None:
        """`write_jobs` performs neighbouring JobWrites together."""
        self._engine = engine
        self._write_jobs = write_jobs
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._outstanding: deque[_Task] = deque()
        self._generation = 0
        self._is_closed = False
        self._thread = threading.Thread(target=self._work, name="store-writer")

    def start(self) -> None:
        self._thread.start()

    async def close(self) -> None:
        """Performs what is queued, then ends."""
        self._is_closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(self, operation: Operation, on_done: OnDone) -> None:
        """Queues an operation. `on_done` is called in the loop, after the commit, in order; it must not raise."""
        if self._is_closed:
            raise StoreError("the store is closed")
        task = _Task(operation, on_done, self._generation)
        self._outstanding.append(task)
        self._queue.put(task)

    async def call(self, operation: Callable[[Connection], Any]) -> Any:
        """Submits an operation and waits for its result. Cancelling the wait does not stop it."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def settle(result: Any, error: StoreError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self.submit(operation, settle)
        return await future

    # --- in the thread ---

    def _work(self) -> None:
        failed_generation = -1
        while (batch := self._next_batch()) is not None:
            batch = [task for task in batch if task.generation > failed_generation]
            if not batch:
                continue
            try:
                results = self._commit(batch)
            except Exception as exc:  # noqa: BLE001 - the edge of this task; whoever waits gets it
                _log.error("write failed", error=str(exc), writes=len(batch))
                failed_generation = batch[-1].generation
                error = StoreError(f"could not write to the database: {type(exc).__name__}")
                error.__cause__ = exc
                self._loop.call_soon_threadsafe(self._fail, error)
            else:
                self._loop.call_soon_threadsafe(self._settle, results)

    def _next_batch(self) -> list[_Task] | None:
        """What waits, at least one; None: nothing comes any more."""
        first = self._queue.get()
        if first is None:
            return None
        batch = [first]
        while len(batch) < MAX_BATCH:
            try:
                task = self._queue.get_nowait()
            except queue.Empty:
                break
            if task is None:
                self._queue.put(None)
                break
            batch.append(task)
        return batch

    def _commit(self, batch: list[_Task]) -> list[Any]:
        results: list[Any] = []
        writes: list[JobWrite] = []
        with self._engine.begin() as connection:
            for task in batch:
                if isinstance(task.operation, JobWrite):
                    writes.append(task.operation)
                    results.append(None)
                    continue
                self._write_jobs(connection, writes)
                writes.clear()
                results.append(task.operation(connection))
            self._write_jobs(connection, writes)
        return results

    # --- in the loop ---

    def _settle(self, results: list[Any]) -> None:
        for result in results:
            self._outstanding.popleft().on_done(result, None)

    def _fail(self, error: StoreError) -> None:
        self._generation += 1
        failed = list(self._outstanding)
        self._outstanding.clear()
        for task in failed:
            task.on_done(None, error)
