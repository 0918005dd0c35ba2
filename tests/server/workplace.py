"""Store, hub and ledger as one process has them, over a real database."""

import itertools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from imagegen_server.history import Scope
from imagegen_server.hub import Hub
from imagegen_server.ledger import Ledger
from imagegen_server.stores.store import Store, open_store
from imagegen_server.tokens import TokenCodec
from imagegen_server.watching import HEARTBEAT_S, Item, parse_start, watch
from tests.server.material import PickleCodec, encode_event


class Ticks:
    """A clock that goes on by a second whenever it is looked at."""

    def __init__(self) -> None:
        self._ticks = itertools.count(2000)

    def __call__(self) -> float:
        return float(next(self._ticks))


@dataclass
class Workplace:
    store: Store
    hub: Hub
    tokens: TokenCodec
    clock: Ticks
    ledger: Ledger = field(init=False)

    def watch(
        self,
        *job_ids: str,
        token: str = "",
        owner: str = "",
        max_rate_hz: float = 0.0,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> AbstractAsyncContextManager[AsyncIterator[Item]]:
        """A stream of these jobs; none: of all."""
        return watch(
            Scope(job_ids=frozenset(job_ids) or None, owner=owner),
            parse_start(token, self.tokens),
            ledger=self.ledger,
            hub=self.hub,
            store=self.store,
            max_rate_hz=max_rate_hz,
            heartbeat_s=heartbeat_s,
        )


@asynccontextmanager
async def open_workplace(database: str) -> AsyncIterator[Workplace]:
    async with open_store(database, PickleCodec()) as store:
        tokens = TokenCodec(store.token_key, store.epoch)
        place = Workplace(store, Hub(tokens, position=store.last_position), tokens, Ticks())
        place.ledger = await Ledger.open(store, place.hub, tokens=tokens, encode_event=encode_event, clock=place.clock)
        yield place
