"""All backends, and the tasks in which they live.

Each backend has a task that opens its adapter, asks how it is, and closes the adapter when the backend is dismissed or
the fleet ends. So backends come and go one by one while everything runs.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Adapter
from imagegen_server.backend import Backend, Clock, Intervals, Member
from imagegen_server.errors import CannotStart, backend_not_found
from imagegen_server.tasks import task_group

OpenAdapter = Callable[[BackendConfig], AbstractAsyncContextManager[Adapter]]


class Fleet:
    """The backends that there are: those of the configuration in its order, then those that were added."""

    def __init__(self, backends: Sequence[Backend] = ()) -> None:
        # Replaced as a whole, so that whoever goes through it is not disturbed.
        self._by_name = {backend.name: backend for backend in backends}

    def __iter__(self) -> Iterator[Backend]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def get(self, name: str) -> Backend | None:
        return self._by_name.get(name)

    def find(self, name: str, *, field: str = "name") -> Backend:
        """Refused: BACKEND_NOT_FOUND, naming the request's `field`."""
        backend = self._by_name.get(name)
        if backend is None:
            raise backend_not_found(name, tuple(self._by_name), field)
        return backend

    def replace(self, backends: Sequence[Backend]) -> None:
        """From now on these are all that there are."""
        self._by_name = {backend.name: backend for backend in backends}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosting:
    """Lets backends live. Made by `open_hosting`."""

    tasks: asyncio.TaskGroup
    open_adapter: OpenAdapter
    clock: Clock
    on_change: Callable[[], None]
    intervals: Intervals
    via: str
    """Sent to all of them, so that one that is this server itself is found out."""
    _living: dict[Backend, asyncio.Task[None]] = field(default_factory=dict)

    async def host(self, member: Member) -> Backend:
        """A backend that is asked how it is from now on. Raises ValueError for what its adapter does not take."""
        opened: asyncio.Future[Backend] = asyncio.get_running_loop().create_future()
        task = self.tasks.create_task(self._live(member, opened))
        try:
            backend = await opened
        except asyncio.CancelledError:
            task.cancel()
            raise
        self._living[backend] = task
        return backend

    async def dismiss(self, backend: Backend) -> None:
        """Asks it no more, and closes its adapter."""
        task = self._living.pop(backend)
        task.cancel()
        await asyncio.wait([task])

    async def _live(self, member: Member, opened: asyncio.Future[Backend]) -> None:
        try:
            async with self.open_adapter(replace(member.config, via=self.via)) as adapter:
                if opened.cancelled():
                    return  # whoever wanted it is gone
                backend = Backend(member, adapter, clock=self.clock, on_change=self.on_change, intervals=self.intervals)
                opened.set_result(backend)
                await backend.keep_asking()
        except Exception as error:
            if not opened.done():
                opened.set_exception(error)
            elif not opened.cancelled():
                raise
        finally:
            opened.cancel()


@asynccontextmanager
async def open_hosting(
    *, open_adapter: OpenAdapter, clock: Clock, on_change: Callable[[], None], intervals: Intervals, via: str = ""
) -> AsyncIterator[Hosting]:
    """Where backends live; at the end of the block all are dismissed."""
    async with task_group() as tasks:
        yield Hosting(
            tasks=tasks, open_adapter=open_adapter, clock=clock, on_change=on_change, intervals=intervals, via=via
        )


async def open_fleet(hosting: Hosting, members: Sequence[Member]) -> Fleet:
    """The backends of the configuration. Does not wait for the first answers.

    Raises CannotStart for options that an adapter does not take.
    """
    try:
        return Fleet([await hosting.host(member) for member in members])
    except ValueError as error:
        raise CannotStart(str(error)) from error
