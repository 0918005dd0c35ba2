"""Backends that are added and taken away while everything runs.

They last: what was added is stored before it counts, and restored at the next start. Nothing runs at a backend before
it is stored, and it is taken away only where nothing of ours runs, so the process may end between any two steps.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog

from imagegen_server.backend import Backend, Member
from imagegen_server.config import MAX_BACKENDS, BackendSettings, free_name
from imagegen_server.errors import Refused, backend_busy, backend_exists, bad_field
from imagegen_server.fleet import Fleet, Hosting
from imagegen_server.logs import without_credentials
from imagegen_server.running.experience import Experience
from imagegen_server.running.runner import Runner
from imagegen_server.stores.store import Store, StoredBackend, StoreError
from imagegen_server.tasks import to_its_end

log = structlog.get_logger(__name__)

ToMember = Callable[[BackendSettings], Member]
"""Of one that was added."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Membership:
    """Changes come one after the other, and go on when their callers go away."""

    tasks: asyncio.TaskGroup
    """In which they go on."""
    store: Store
    fleet: Fleet
    hosting: Hosting
    runner: Runner
    experience: Experience
    to_member: ToMember
    on_change: Callable[[], None]
    """Called after each."""
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def trying(self, wanted: BackendSettings) -> AsyncIterator[Backend]:
        """A backend that gets no jobs, for as long as the block is open. Refused as `add`."""
        # Not with the id that one of this name has: ComfyUI would send that one's frames here.
        backend = await self._hosted(Member(config=self._named(wanted).to_config(), labels=wanted.labels))
        try:
            yield backend
        finally:
            await self.hosting.dismiss(backend)

    async def add(self, wanted: BackendSettings) -> Backend:
        """Adds a backend, under a free name if it has none, without waiting for its first answer.

        Refused: BACKEND_EXISTS, QUOTA_EXCEEDED, INVALID_REQUEST. Raises StoreError.
        """
        return await to_its_end(self.tasks, self._add(wanted))

    async def remove(self, name: str) -> None:
        """Takes away a backend that was added. Refused: BACKEND_NOT_FOUND, BACKENDS_ARE_FIXED, BACKEND_BUSY.

        Raises StoreError.
        """
        await to_its_end(self.tasks, self._remove(name))

    async def _add(self, wanted: BackendSettings) -> Backend:
        # Held across the write, so that no name is given twice.
        async with self._changing:
            named = self._named(wanted)
            backend = await self._hosted(self.to_member(named))
            try:
                # An earlier one of this name may have been drained.
                await self.runner.control.undrain(named.name)
                await self.store.put_backend(_stored(named))
            except StoreError:
                await self.hosting.dismiss(backend)
                raise
            self.fleet.replace([*self.fleet, backend])
        log.info("backend added", backend=backend.name, kind=named.kind, url=backend.url)
        self.on_change()
        return backend

    async def _remove(self, name: str) -> None:
        async with self._changing:
            before, backend = list(self.fleet), self.fleet.find(name)
            if not backend.is_added:
                raise Refused("BACKENDS_ARE_FIXED", f"backend {name!r} is of the configuration: take it away there")
            if self.runner.is_busy(name):
                raise backend_busy(name)
            # In the same moment, so that nothing is begun there while it is written.
            self.fleet.replace([each for each in before if each is not backend])
            try:
                await self.store.delete_backend(name)
            except StoreError:
                self.fleet.replace(before)
                raise
            finally:
                self.on_change()
            self.experience.forget(name)
            await self.hosting.dismiss(backend)
        log.info("backend taken away", backend=name)

    def _named(self, wanted: BackendSettings) -> BackendSettings:
        """With the name that it will have. Refused: BACKEND_EXISTS, QUOTA_EXCEEDED."""
        names = {backend.name for backend in self.fleet}
        if wanted.name in names:
            raise backend_exists(wanted.name, f"a backend is called {wanted.name!r} already; choose another name")
        place = _place(without_credentials(wanted.url))
        there = next((backend for backend in self.fleet if place and _place(backend.url) == place), None)
        if there is not None:
            raise backend_exists(there.name, f"backend {there.name!r} has this address already")
        if len(names) >= MAX_BACKENDS:
            raise Refused("QUOTA_EXCEEDED", f"there are {len(names)} backends, the most that are driven; take one away")
        return wanted.model_copy(update={"name": wanted.name or free_name(wanted.kind, names)})

    async def _hosted(self, member: Member) -> Backend:
        try:
            return await self.hosting.host(member)
        except ValueError as error:
            # Not in its words: they may hold the password.
            raise bad_field("INVALID_REQUEST", "url", "is no address that can be used") from error


async def restore(store: Store, fleet: Fleet, hosting: Hosting, to_member: ToMember) -> None:
    """Gives the fleet what was added before. Raises StoreError.

    One that cannot be made is left out: a start must not fail for what a caller has added.
    """
    for stored in await store.backends():
        if fleet.get(stored.name) is not None:
            log.warning("backend of the configuration counts, not the added one of its name", backend=stored.name)
            continue
        try:
            member = to_member(_settings(stored))
            fleet.replace([*fleet, await hosting.host(member)])
        except ValueError as error:
            log.error("added backend left out", backend=stored.name, kind=stored.kind, error=type(error).__name__)  # noqa: TRY400  # the error may hold its password


def _stored(backend: BackendSettings) -> StoredBackend:
    return StoredBackend(
        name=backend.name,
        kind=backend.kind,
        url=backend.url,
        labels=backend.labels,
        max_concurrent_jobs=backend.max_concurrent_jobs,
    )


def _settings(stored: StoredBackend) -> BackendSettings:
    return BackendSettings(
        name=stored.name,
        kind=stored.kind,
        url=stored.url,
        labels=dict(stored.labels),
        max_concurrent_jobs=stored.max_concurrent_jobs,
    )


def _place(url: str) -> str:
    return url.rstrip("/").lower()
