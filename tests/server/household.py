"""A data folder with those who write to it, and a clock that leaps when a test says so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from imagegen_adapters.contract import ImageParameters
from imagegen_server.assets import AssetStore
from imagegen_server.happenings import AttemptSucceeded, OutputStored
from imagegen_server.hub import Hub
from imagegen_server.janitor import Janitor, Tidied
from imagegen_server.jobs import Asset, AssetOrigin, JobSpec
from imagegen_server.ledger import Ledger
from imagegen_server.retention import Policy
from imagegen_server.stores.store import AssetFilter, JobFilter, Store, open_store
from imagegen_server.tokens import TokenCodec
from tests.server.material import PickleCodec, a_job, began, encode_event
from tests.server.scripted import picture


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Household:
    """Made by `open_household`."""

    folder: Path
    store: Store
    hub: Hub
    ledger: Ledger
    assets: AssetStore
    clock: Clock
    shades: int = 0
    made: list[str] = field(default_factory=list)
    """The ids of all jobs."""

    async def tidy(self, **policy: float) -> Tidied:
        return await self.janitor(**policy).tidy()

    def janitor(self, **policy: float) -> Janitor:
        return Janitor(
            policy=lambda: Policy(**policy),  # type: ignore[arg-type]  # a table of keywords
            store=self.store,
            assets=self.assets,
            ledger=self.ledger,
            clock=self.clock,
        )

    async def upload(self, shade: int | None = None) -> Asset:
        return await self.assets.put(self._picture(shade), origin=AssetOrigin.UPLOAD)

    async def begin(self, init_image: str = "", count: int = 1) -> str:
        """A job that runs."""
        source = ImageParameters(prompt="a red fox", init_image=init_image, count=count)
        job = a_job(f"job-{len(self.made) + 1}", spec=JobSpec(source=source), create_time=self.clock.now)
        self.made.append(job.job_id)
        job, _ = await self.ledger.create(job)
        await self.ledger.apply(job.job_id, began(job))
        return job.job_id

    async def deliver(self, job_id: str, shade: int | None = None) -> Asset:
        asset = await self.assets.put(self._picture(shade), origin=AssetOrigin.OUTPUT, job_id=job_id)
        await self.ledger.apply(job_id, OutputStored(number=1, asset=asset))
        return asset

    async def end(self, job_id: str) -> None:
        await self.ledger.apply(job_id, AttemptSucceeded(number=1))

    async def run(self) -> str:
        """A job from its beginning to its end."""
        job_id = await self.begin()
        await self.deliver(job_id)
        await self.end(job_id)
        return job_id

    async def kept_jobs(self) -> list[str]:
        """Oldest first."""
        return [job.job_id for job in (await self.store.list_jobs(JobFilter(), limit=1000))[0]][::-1]

    async def kept_assets(self) -> set[str]:
        """The digests of those that are there. Each has its file, as deleted ones have; no other file is there."""
        there, deleted = [
            {entry.asset.digest for entry in (await self.store.list_assets(AssetFilter(deleted=each), limit=1000))[0]}
            for each in (False, True)
        ]
        files = {path.parent.name + path.name for path in (self.folder / "assets").glob("??/*")}
        assert files == there | deleted
        return there

    def _picture(self, shade: int | None) -> bytes:
        if shade is None:
            self.shades += 1
        return picture(self.shades if shade is None else 10_000 + shade, (1, 1))


@asynccontextmanager
async def open_household(folder: Path) -> AsyncIterator[Household]:
    clock = Clock()
    async with open_store(f"sqlite:///{folder}/imagegen.db", PickleCodec()) as store:
        tokens = TokenCodec(store.token_key, store.epoch)
        hub = Hub(tokens, position=store.last_position)
        ledger = await Ledger.open(store, hub, tokens=tokens, encode_event=encode_event, clock=clock)
        assets = AssetStore(folder / "assets", store, max_bytes=10_000, clock=clock)
        yield Household(folder, store, hub, ledger, assets, clock)
