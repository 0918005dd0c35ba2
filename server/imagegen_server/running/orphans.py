"""Attempts that were given up because their backends were silent, and may still be running there.

Such an attempt is taken up again when its job comes back to that backend. If nobody needs it any more, the backend is
asked for it and has to stop it once it answers again, so that nothing runs there that nobody waits for. Where the
backend seemed to have died, that is done at once, and the job begins anew. All this must work after a restart too, so
the list is stored.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Final

from imagegen_adapters.contract import Handle, ImageParameters, RawGraph
from imagegen_server.jobs import Attempt
from imagegen_server.stores.store import Store

KEY: Final = "orphans"
MAX_ORPHANS: Final = 1000
"""Of more, the oldest is forgotten."""
MAX_AGE_S: Final = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """An attempt that was given up."""

    job_id: str
    number: int
    backend: str
    attempt_id: str
    remote_id: str
    client_id: str
    time: float
    """When it was given up."""
    has_died: bool
    """As far as could be seen, its backend has died; what seemed so may have been a broken line."""
    count: int
    """Images that it was to make; 0: it was a graph."""
    batch_size: int

    @property
    def source(self) -> ImageParameters | RawGraph:
        """As much of the request as it takes to stop it: the job may have been deleted."""
        if not self.count:
            return RawGraph(json="{}")
        return ImageParameters(prompt="", count=self.count, batch_size=self.batch_size)

    @property
    def handle(self) -> Handle:
        return Handle(remote_id=self.remote_id, client_id=self.client_id)


class Orphans:
    """Made by `open`."""

    def __init__(self, store: Store, orphans: list[Orphan], *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._orphans = {orphan.attempt_id: orphan for orphan in orphans}
        self._being_stopped: set[tuple[str, str]] = set()

    @classmethod
    async def open(cls, store: Store, *, clock: Callable[[], float]) -> "Orphans":
        """Those that are known from before. Raises StoreError."""
        data = await store.get_value(KEY)
        return cls(store, [Orphan(**each) for each in json.loads(data or b"[]")], clock=clock)

    def __iter__(self) -> Iterator[Orphan]:
        """A copy, oldest first."""
        oldest = self._clock() - MAX_AGE_S
        return iter([orphan for orphan in self._orphans.values() if orphan.time > oldest])

    def find(self, job_id: str, backend: str) -> Orphan | None:
        """What that backend is likely to be still making for the job."""
        wanted = (job_id, backend, False)
        return next((each for each in self if (each.job_id, each.backend, each.has_died) == wanted), None)

    def begin_stop(self, orphan: Orphan) -> None:
        """Until `end_stop` its job must not be begun again at its backend."""
        self._being_stopped.add((orphan.job_id, orphan.backend))

    def end_stop(self, orphan: Orphan) -> None:
        self._being_stopped.discard((orphan.job_id, orphan.backend))

    def is_being_stopped(self, job_id: str, backend: str) -> bool:
        return (job_id, backend) in self._being_stopped

    async def add(self, job_id: str, attempt: Attempt, source: ImageParameters | RawGraph, *, has_died: bool) -> None:
        """`source` is what its backend was given. Raises StoreError."""
        count, batch_size = (0, 1) if isinstance(source, RawGraph) else (source.count, source.batch_size)
        self._orphans[attempt.attempt_id] = Orphan(
            job_id=job_id,
            number=attempt.number,
            backend=attempt.backend,
            attempt_id=attempt.attempt_id,
            remote_id=attempt.handle.remote_id,
            client_id=attempt.handle.client_id,
            time=self._clock(),
            has_died=has_died,
            count=count,
            batch_size=batch_size,
        )
        await self._save()

    async def remove(self, attempt_id: str) -> None:
        """It is none any more. Raises StoreError."""
        if self._orphans.pop(attempt_id, None) is not None:
            await self._save()

    async def _save(self) -> None:
        kept = list(self)[-MAX_ORPHANS:]
        self._orphans = {orphan.attempt_id: orphan for orphan in kept}
        await self._store.set_value(KEY, json.dumps([asdict(orphan) for orphan in kept]).encode())
