"""Finds the earlier job that a new one can be answered with."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from imagegen_server.assets import AssetStore
from imagegen_server.errors import Refused
from imagegen_server.fleet import Fleet
from imagegen_server.jobs import Job, JobSpec, Output
from imagegen_server.reuse import key_of
from imagegen_server.running.eligibility import is_selected, resolved
from imagegen_server.stores.store import Store

ASKED: Final = 5
"""So many of the newest are looked at: the pictures of one may be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    store: Store
    assets: AssetStore
    fleet: Fleet

    @asynccontextmanager
    async def earlier(self, spec: JobSpec) -> AsyncIterator[Job | None]:
        """A job that has made exactly this. Until the end of the block its outputs are not deleted."""
        for job in await self.store.find_alike(await self._keys(spec), limit=ASKED):
            async with self.assets.holding([output.asset.digest for output in job.outputs]):
                if await self._are_there(job.outputs):
                    yield job
                    return
        yield None

    async def keep(self, outputs: Sequence[Output]) -> None:
        """Counts the age of the files anew, as if they had been made again."""
        for output in outputs:
            await self.store.put_asset(replace(output.asset, create_time=self.assets.now()))

    async def _keys(self, spec: JobSpec) -> list[bytes]:
        """One for each model that a backend would take now, where none was asked for."""
        specs = {resolved(spec, each).model: resolved(spec, each) for each in self.fleet if is_selected(each, spec)}
        return [await asyncio.to_thread(key_of, each) for each in specs.values()]

    async def _are_there(self, outputs: Sequence[Output]) -> bool:
        try:
            await asyncio.gather(*(self.assets.get(output.asset.digest) for output in outputs))
        except Refused:
            return False
        return True
