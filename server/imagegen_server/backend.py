"""One backend: who it is, how it is, what it has.

One task asks it for its status every few seconds, sooner while it is in trouble, and for its catalogue at the start,
after it restarted or came back, and every minute. Nobody else asks, so a backend is never asked twice at a time. What
it said last stays known while it is away.

A backend in trouble gets no new jobs until it has answered well again, and for a while longer where `trust` says so.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Adapter, BackendStatus, Catalog, ImageParameters, RawGraph
from imagegen_adapters.errors import AdapterError, Rejected, Unreachable, Violation
from imagegen_server.loading import Loads
from imagegen_server.logs import without_credentials
from imagegen_server.trust import Trust

log = structlog.get_logger(__name__)

Clock = Callable[[], float]

_STATUS_TIMEOUT_S: Final = 6.0
_TIMEOUT_S: Final = 20.0
"""For the catalogue, and for freeing memory. Adapters bound all of these themselves; this is for one that does not."""
_FIRST_RETRY_S: Final = 1.0
"""A backend in trouble is asked again after so long, then after twice that, until it is the usual interval."""
_catalog_versions = itertools.count(1)
"""For all backends, so that one that takes the name of another never has a catalogue of the same version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """How often a backend is asked when all is well."""

    status_s: float = 5.0
    catalog_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known about a backend."""

    is_healthy: bool | None = None
    """None: not asked yet."""
    reason: str = ""
    """Why it is not healthy."""
    status: BackendStatus = field(default_factory=BackendStatus)
    """As it last answered."""
    last_seen: float | None = None
    catalog: Catalog | None = None
    """As it last answered; None: never."""
    catalog_time: float | None = None
    catalog_version: int = 0
    """Another with every catalogue that may be another: what the adapter's `validate` says may change with it. No two
    backends have the same; 0: there is no catalogue yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A backend as it is configured, or was added."""

    config: BackendConfig
    """What its adapter is told."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """What jobs can ask for."""
    max_concurrent_jobs: int = 0
    """0: as many as suit its kind."""
    is_added: bool = False
    """Whether it was added while the server ran, and can be taken away."""


class Backend:
    """One backend. Its `health` is replaced as a whole, never changed."""

    def __init__(
        self,
        member: Member,
        adapter: Adapter,
        *,
        clock: Clock,
        on_change: Callable[[], None],
        intervals: Intervals | None = None,
    ) -> None:
        """`on_change` is called after every answer or lack of one, and after a drain or its end."""
        self.name = member.config.name
        self.url = without_credentials(member.config.url)
        self.labels = dict(member.labels)
        self.is_added = member.is_added
        self.slots = member.max_concurrent_jobs or adapter.capabilities.max_concurrent_runs
        """How many jobs it is handed at a time."""
        self.adapter = adapter
        self.health = Health()
        self.is_drained = False
        """Whether somebody wants it to get no new jobs."""
        self._intervals = intervals or Intervals()
        self._clock = clock
        self._on_change = on_change
        self._trust = Trust()
        self._failures = 0
        """So often in a row it was asked without being taken back."""
        self._suspicions = 0
        self._wants_rescan = False
        self._wants_memory_freed = False
        self._wake = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._was_asked = asyncio.Event()
        self._is_left = False
        """Whether nobody will ask it any more."""
        self._log = log.bind(backend=self.name)
        self._loads = Loads(self._load, self._log)

    @property
    def is_healthy(self) -> bool:
        return self.health.is_healthy is True

    @property
    def is_open(self) -> bool:
        """Whether it may be handed new jobs."""
        return self.is_healthy and not self.is_drained

    def set_drained(self, is_drained: bool) -> None:
        self.is_drained = is_drained
        self._on_change()

    async def validate(self, source: ImageParameters | RawGraph) -> Sequence[Violation]:
        """What the adapter finds wrong with it, asked without blocking the loop."""
        if isinstance(source, RawGraph):
            # One of 4 MB takes most of a second, and so does a small one of many misspelt names.
            return await asyncio.to_thread(self.adapter.validate, source)
        return self.adapter.validate(source)

    async def refresh(self, *, with_catalog: bool = False) -> None:
        """Has the backend asked now and waits for the answer, which may be none: see `health`.

        With the catalogue, it is to look through its folders first.
        """
        if self._is_left:
            return
        answered = asyncio.get_running_loop().create_future()
        self._waiting.append(answered)
        self._wants_rescan |= with_catalog
        self._wake.set()
        await answered

    async def was_asked(self) -> None:
        """Waits until it was asked for the first time."""
        await self._was_asked.wait()

    async def load_model(self, name: str) -> None:
        """Has it load a model and waits until it has, and this is known. Raises AdapterError.

        It is loaded to its end although nobody waits any more, and once where several ask for it.
        """
        if not self.adapter.capabilities.model_loading:
            raise Rejected("this kind of backend loads models only for jobs")
        await self._loads.load(name)

    async def free_memory(self) -> None:
        """Has it give its memory back and waits until this is known. Raises AdapterError."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self.adapter.free_memory()
        except TimeoutError as error:
            raise Unreachable("did not answer in time") from error
        await self.refresh()

    def suspect(self, reason: str, *, hold_s: float = 0.0, free_memory: bool = False) -> None:
        """An attempt found the backend at fault: nothing new goes there until it has answered well again.

        For `hold_s` it is not trusted even if it answers, unless it restarted: a broken GPU does not show in a status.
        With `free_memory` it is asked to give its memory back before it is trusted.
        """
        self._suspicions += 1
        self._wants_memory_freed |= free_memory
        self._trust = self._trust.after_device_failure(self._clock(), hold_s)
        # Where memory is short, the jobs are to blame as much as the backend.
        self._set_unhealthy(reason, is_relapse=not free_memory)
        self._wake.set()

    async def keep_asking(self) -> None:
        """Asks until it is cancelled."""
        try:
            while True:
                waiting, self._waiting = self._waiting, []
                self._wake.clear()
                try:
                    await self._ask()
                finally:
                    self._tell(waiting)
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._pause_s()):
                        await self._wake.wait()
        finally:
            self._is_left = True
            self._tell(self._waiting)
            await self._loads.cancel()

    def _tell(self, waiting: Sequence[asyncio.Future[None]]) -> None:
        self._was_asked.set()
        for answered in waiting:
            # One that has given up waiting is done already.
            if not answered.done():
                answered.set_result(None)

    async def _load(self, name: str) -> None:
        await self.adapter.load_model(name)
        await self.refresh()

    def _pause_s(self) -> float:
        """Until it is asked again: so that its return is noticed soon, and the end of a hold at once."""
        usual_s = self._intervals.status_s
        if self.is_healthy:
            return usual_s
        pause_s = min(usual_s, _FIRST_RETRY_S * 2.0 ** (min(self._failures, 10) - 1))
        hold_s = self._trust.hold_left_s(self._clock())
        return min(pause_s, hold_s) if hold_s else pause_s

    async def _ask(self) -> None:
        suspicions = self._suspicions
        self._failures += 1
        try:
            await self._free_memory_if_wanted()
            await self._hear()
        except AdapterError as error:
            if error.backend_died:
                self._trust = self._trust.after_restart()
            # One that is late with an answer does no harm by it, however often.
            self._set_unhealthy(str(error), is_relapse=error.backend_died)
        except TimeoutError:
            self._set_unhealthy("did not answer in time")
        except Exception:  # noqa: BLE001  # the edge of this task: one adapter's fault must not stop the server
            self._log.exception("adapter failed unexpectedly")
            self._set_unhealthy("its adapter failed unexpectedly; the log has more")
        else:
            # What an attempt found out meanwhile is newer than the answer.
            if suspicions == self._suspicions and not self._trust.hold_left_s(self._clock()):
                self._set_healthy()

    async def _free_memory_if_wanted(self) -> None:
        if not self._wants_memory_freed:
            return
        self._wants_memory_freed = False
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self.adapter.free_memory()
        except (Unreachable, TimeoutError):
            self._wants_memory_freed = True
            raise
        except AdapterError as error:
            self._log.warning("memory not freed", reason=str(error))

    async def _hear(self) -> None:
        """Takes in how the backend is, and what it has if that may be another than before."""
        async with asyncio.timeout(_STATUS_TIMEOUT_S):
            status = await self.adapter.status()
        has_restarted = status.instance != self.health.status.instance
        if has_restarted:
            self._trust = self._trust.after_restart()
        is_returning = not self.is_healthy and not self._trust.hold_left_s(self._clock())
        if has_restarted or is_returning or self._is_catalog_due():
            async with asyncio.timeout(_TIMEOUT_S):
                await self._ask_catalog()
        self.health = replace(self.health, status=status, last_seen=self._clock())

    def _is_catalog_due(self) -> bool:
        asked = self.health.catalog_time
        return self._wants_rescan or asked is None or self._clock() - asked >= self._intervals.catalog_s

    async def _ask_catalog(self) -> None:
        if self._wants_rescan:
            self._wants_rescan = False
            await self._rescan()
        known, catalog = self.health.catalog, await self.adapter.catalog()
        # Graphs are checked against more than the catalogue shows.
        is_known = catalog is known or (catalog == known and not self.adapter.capabilities.graphs)
        version = self.health.catalog_version if is_known else next(_catalog_versions)
        self.health = replace(self.health, catalog=catalog, catalog_time=self._clock(), catalog_version=version)

    async def _rescan(self) -> None:
        try:
            await self.adapter.rescan()
        except AdapterError as error:
            self._log.warning("backend did not look for new files", reason=str(error))

    def _set_healthy(self) -> None:
        if not self.is_healthy:
            self._log.info("backend is healthy", version=self.health.status.version)
        if self.health.is_healthy is False:
            self._trust = self._trust.after_return(self._clock())
        self._failures = 0
        self.health = replace(self.health, is_healthy=True, reason="")
        self._on_change()

    def _set_unhealthy(self, reason: str, *, is_relapse: bool = False) -> None:
        """`is_relapse`: it counts against the backend if it happens again and again."""
        if is_relapse and self.is_healthy:
            self._trust = self._trust.after_failure(self._clock(), first_hold_s=self._intervals.status_s)
        hold_s = self._trust.hold_left_s(self._clock())
        if hold_s:
            reason = f"{reason}; taken back after {hold_s:.0f} s at the earliest"
        if self.health.is_healthy is not False:
            self._log.warning("backend is not healthy", reason=reason)
        self.health = replace(self.health, is_healthy=False, reason=reason)
        self._on_change()
