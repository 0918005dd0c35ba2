"""What was learned about how long things take. It outlives the process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from imagegen_server.scheduling.estimates import Estimator, Sample
from imagegen_server.stores.store import Store, StoreError
from imagegen_server.tasks import running

log = structlog.get_logger(__name__)

KEY: Final = "estimates"
SAVE_INTERVAL_S: Final = 60.0


class Experience:
    """Made by `open_experience`."""

    def __init__(self, store: Store, estimator: Estimator) -> None:
        self.estimator = estimator
        self._store = store
        self._has_news = False

    def learn(self, sample: Sample | None) -> None:
        """None: the run told nothing."""
        if sample is not None:
            self.estimator.learn(sample)
            self._has_news = True

    def forget(self, backend: str) -> None:
        """What was learned about it: it was taken away."""
        self.estimator.forget(backend)
        self._has_news = True

    async def keep_saving(self) -> None:
        """Saves what is new every minute, until it is cancelled."""
        while True:
            await asyncio.sleep(SAVE_INTERVAL_S)
            await self.save()

    async def save(self) -> None:
        """Saves what is new. A store that fails is logged: it costs estimates, no jobs."""
        if not self._has_news:
            return
        self._has_news = False
        try:
            await self._store.set_value(KEY, self.estimator.to_json().encode())
        except StoreError as error:
            self._has_news = True
            log.warning("estimates could not be saved", reason=str(error))


@asynccontextmanager
async def open_experience(store: Store) -> AsyncIterator[Experience]:
    """With what earlier processes have learned. Saved every minute, and when the block ends. Raises StoreError."""
    data = await store.get_value(KEY)
    experience = Experience(store, Estimator.from_json((data or b"").decode(errors="replace")))
    try:
        async with running(experience.keep_saving()):
            yield experience
    finally:
        await experience.save()
