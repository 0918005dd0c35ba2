"""Keeps the data folder as small as the policy says, a little at a time.

Each step reads what is oldest, lets `retention` decide, and writes a bounded part; between two steps others write.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Final

import structlog

from imagegen_server.assets import AssetStore
from imagegen_server.ledger import Ledger
from imagegen_server.retention import Policy, assets_to_delete, is_surplus, jobs_to_compact, jobs_to_delete
from imagegen_server.stores.store import KeptAsset, Store, StoreError

FIRST_ROUND_S: Final = 60.0
"""When a server starts there is more urgent work, and the clock of a machine that boots may still be wrong."""
ROUND_S: Final = 600.0
JOBS_AT_ONCE: Final = 50
"""A job has about ten events, so that a write takes some hundred rows."""
ASSETS_AT_ONCE: Final = 100

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tidied:
    """What a round has removed."""

    jobs: int = 0
    events: int = 0
    """Of jobs that are kept."""
    assets: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Janitor:
    """One for a data folder. `clock` gives seconds since the Unix epoch."""

    policy: Callable[[], Policy]
    """Gives what counts now."""
    store: Store
    assets: AssetStore
    ledger: Ledger
    clock: Callable[[], float]
    woken: asyncio.Event = field(default_factory=asyncio.Event)
    """To be set when the policy has changed: the next round begins at once."""

    async def work(self, *, first_s: float = FIRST_ROUND_S, every_s: float = ROUND_S) -> None:
        """Goes round until it is cancelled. What fails is logged, and tried again at the next round."""
        await asyncio.sleep(first_s)
        await _logging_faults(self._sweep())
        while True:
            self.woken.clear()
            await _logging_faults(self._round())
            await self._rest(every_s)

    async def tidy(self) -> Tidied:
        """One round. Raises StoreError."""
        jobs = await self._delete_jobs()
        events = await self._compact_jobs()
        gone = await self._delete_assets()
        return Tidied(jobs=jobs, events=events, assets=len(gone), bytes=sum(asset.size_bytes for asset in gone))

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.woken.wait()

    async def _sweep(self) -> None:
        removed = await self.assets.sweep()
        if removed:
            log.info("files without a description removed", files=removed)

    async def _round(self) -> None:
        tidied = await self.tidy()
        if tidied != Tidied():
            log.info("tidied up", **asdict(tidied))

    async def _delete_jobs(self) -> int:
        deleted = 0
        while True:
            count = await self.store.count_ended()
            oldest = await self.store.oldest_ended(limit=JOBS_AT_ONCE)
            going = jobs_to_delete(self.policy(), self.clock(), oldest, count=count)
            if not going:
                return deleted
            deleted += await self.ledger.forget([job.job_id for job in going])

    async def _compact_jobs(self) -> int:
        events = 0
        while True:
            oldest = await self.store.oldest_uncompacted(limit=JOBS_AT_ONCE)
            going = jobs_to_compact(self.policy(), self.clock(), oldest)
            if not going:
                return events
            events += await self.store.compact(going)

    async def _delete_assets(self) -> list[KeptAsset]:
        gone: list[KeptAsset] = []
        total_bytes = await self.store.total_asset_bytes()
        for pages in (self.store.deleted_assets, self.store.oldest_assets):
            page = await pages(limit=ASSETS_AT_ONCE)
            while page and is_surplus(self.policy(), self.clock(), page[0], total_bytes=total_bytes):
                going = assets_to_delete(
                    self.policy(), self.clock(), page, total_bytes=total_bytes, needed=self._needed()
                )
                retired = await self.assets.retire(going)
                gone += retired
                total_bytes -= sum(asset.size_bytes for asset in retired)
                page = await pages(limit=ASSETS_AT_ONCE, after=page[-1])
        return gone

    def _needed(self) -> set[str]:
        """What jobs that have not ended have made so far, and what requests name that are being checked.

        What is the input of such a job the store knows.
        """
        made = {output.asset.digest for job in self.ledger.unfinished() for output in job.outputs}
        return made | self.assets.held


async def _logging_faults(step: Awaitable[None]) -> None:
    try:
        await step
    except StoreError as error:
        log.warning("could not tidy up", error=str(error))
    except Exception:
        log.exception("could not tidy up")
