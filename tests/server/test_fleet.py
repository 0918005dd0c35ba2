"""What is known of a backend, and when it may be handed jobs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import BackendStatus, NamedModel
from imagegen_adapters.errors import AdapterError, Unintelligible, Unreachable
from imagegen_adapters.registry import open_adapter
from imagegen_server.backend import Backend, Intervals, Member
from imagegen_server.errors import CannotStart
from imagegen_server.fleet import open_fleet, open_hosting
from imagegen_server.tasks import running
from imagegen_server.wire.backends import encode_backend
from tests.server.scripted import DEFAULT_CAPABILITIES, ScriptedAdapter

NEVER = Intervals(status_s=3600.0, catalog_s=3600.0)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class MoodyAdapter(ScriptedAdapter):
    """Answers as it is told, and keeps what it was asked, in order."""

    asked: list[str] = field(default_factory=list)
    status_error: AdapterError | None = None
    free_error: AdapterError | None = None
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.may_answer.set()

    async def status(self) -> BackendStatus:
        self.asked.append("status")
        await self.may_answer.wait()
        if self.status_error is not None:
            raise self.status_error
        return await super().status()

    async def free_memory(self) -> None:
        self.asked.append("free memory")
        if self.free_error is not None:
            raise self.free_error


@dataclass
class Changes:
    """Counts them, and waits for what they bring about."""

    count: int = 0
    _happened: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self) -> None:
        self.count += 1
        self._happened.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._happened.clear()
                await self._happened.wait()


@asynccontextmanager
async def backend_of(
    adapter: ScriptedAdapter,
    *,
    clock: Callable[[], float] | None = None,
    changes: Changes | None = None,
    intervals: Intervals = NEVER,
    **settings: object,
) -> AsyncIterator[Backend]:
    """One that was asked once, and is asked again only when told to."""
    member = Member(config=BackendConfig(name="one", kind="demo"), **settings)  # type: ignore[arg-type]  # its fields
    on_change = (changes or Changes()).tell
    backend = Backend(member, adapter, clock=clock or Clock(), on_change=on_change, intervals=intervals)
    async with running(backend.keep_asking()):
        await backend.refresh()
        yield backend


async def test_it_takes_as_many_jobs_as_its_settings_say_or_else_as_suit_its_kind() -> None:
    adapter = ScriptedAdapter(capabilities=replace(DEFAULT_CAPABILITIES, max_concurrent_runs=2))
    async with backend_of(adapter, labels={"gpu": "big"}) as backend:
        assert (backend.slots, backend.labels) == (2, {"gpu": "big"})
    async with backend_of(adapter, max_concurrent_jobs=5) as backend:
        assert backend.slots == 5


async def test_a_drained_one_is_healthy_and_not_open() -> None:
    changes = Changes()
    async with backend_of(ScriptedAdapter(), changes=changes) as backend:
        assert backend.is_open
        told = changes.count
        backend.set_drained(True)
        assert changes.count == told + 1
        assert (backend.is_healthy, backend.is_open) == (True, False)
        backend.set_drained(False)
        assert backend.is_open


async def test_it_is_told_as_it_is_configured_and_drained() -> None:
    async with backend_of(ScriptedAdapter(), labels={"gpu": "big"}, max_concurrent_jobs=3) as backend:
        backend.set_drained(True)
        told = encode_backend(backend, [])
    assert (told.drained, dict(told.labels), told.max_concurrent_jobs) == (True, {"gpu": "big"}, 3)


async def test_an_option_that_its_adapter_does_not_take_ends_the_start() -> None:
    member = Member(
        config=BackendConfig(name="one", kind="comfyui", url="http://127.0.0.1:1", options={"patience": "5"})
    )
    async with open_hosting(
        open_adapter=open_adapter, clock=Clock(), on_change=lambda: None, intervals=Intervals()
    ) as hosting:
        with pytest.raises(CannotStart, match="unknown option 'patience'; allowed: client_id, patience_s"):
            await open_fleet(hosting, [member])


async def test_one_in_trouble_is_asked_again_soon() -> None:
    adapter, changes = MoodyAdapter(status_error=Unreachable("it is silent")), Changes()
    async with backend_of(adapter, changes=changes) as backend:
        assert (backend.is_healthy, backend.health.reason) == (False, "it is silent")
        adapter.status_error = None
        await changes.until(lambda: backend.is_open)
        assert backend.health.reason == ""


async def test_what_an_attempt_found_out_is_seen_at_once_and_looked_into() -> None:
    changes = Changes()
    async with backend_of(ScriptedAdapter(), changes=changes) as backend:
        backend.suspect("it refused the connection")
        assert (backend.is_open, backend.health.reason) == (False, "it refused the connection")
        await changes.until(lambda: backend.is_open)


async def test_an_answer_that_is_older_than_a_suspicion_does_not_clear_it() -> None:
    adapter = MoodyAdapter()
    async with backend_of(adapter) as backend:
        adapter.may_answer.clear()
        asking = asyncio.create_task(backend.refresh())
        while adapter.asked.count("status") < 2:  # noqa: ASYNC110  # a turn of the loop or two
            await asyncio.sleep(0)
        backend.suspect("it died")
        adapter.may_answer.set()
        adapter.may_answer.clear()  # only who was asked before answers
        await asking
        assert (backend.is_open, backend.health.reason) == (False, "it died")
        adapter.may_answer.set()
        await backend.refresh()
        assert backend.is_open


async def test_one_with_a_broken_device_is_held_though_it_answers() -> None:
    clock = Clock()
    async with backend_of(ScriptedAdapter(), clock=clock) as backend:
        backend.suspect("GPU fault", hold_s=60.0)
        await backend.refresh()
        assert not backend.is_open
        assert backend.health.reason == "GPU fault; taken back after 60 s at the earliest"
        clock.now += 60
        await backend.refresh()
        assert backend.is_open


async def test_a_restart_ends_the_hold_for_a_device() -> None:
    adapter = MoodyAdapter()
    async with backend_of(adapter) as backend:
        backend.suspect("GPU fault", hold_s=60.0)
        adapter.current_status = BackendStatus(instance="another")
        await backend.refresh()
        assert backend.is_open


async def test_one_that_does_not_tell_its_instance_restarted_if_it_was_dead() -> None:
    adapter = MoodyAdapter()
    async with backend_of(adapter) as backend:
        backend.suspect("GPU fault", hold_s=60.0)
        adapter.status_error = Unreachable("it refused the connection", backend_died=True)
        await backend.refresh()
        adapter.status_error = None
        await backend.refresh()
        assert backend.is_open


async def test_memory_is_freed_before_it_is_asked_how_it_is() -> None:
    adapter, clock = MoodyAdapter(), Clock()
    async with backend_of(adapter, clock=clock) as backend:
        adapter.asked.clear()
        adapter.free_error = Unreachable("it is silent")
        backend.suspect("out of memory", hold_s=5.0, free_memory=True)
        await backend.refresh()
        assert set(adapter.asked) == {"free memory"}, "it is tried again until it is heard"
        adapter.free_error = None
        adapter.asked.clear()
        await backend.refresh()
        await backend.refresh()
        assert adapter.asked == ["free memory", "status", "status"]
        assert not backend.is_open
        clock.now += 5
        await backend.refresh()
        assert backend.is_open


async def test_one_that_cannot_free_memory_is_taken_back_all_the_same() -> None:
    adapter = MoodyAdapter(free_error=Unintelligible("404"))
    async with backend_of(adapter) as backend:
        backend.suspect("out of memory", free_memory=True)
        await backend.refresh()
        assert backend.is_open


async def test_one_that_is_late_again_and_again_is_trusted_as_soon_as_it_answers() -> None:
    adapter = MoodyAdapter()
    async with backend_of(adapter) as backend:
        for _ in range(3):
            adapter.status_error = Unreachable("it is silent")
            await backend.refresh()
            assert backend.health.reason == "it is silent"
            adapter.status_error = None
            await backend.refresh()
            assert backend.is_open


async def test_one_that_fails_again_and_again_is_held_longer_each_time() -> None:
    clock = Clock()
    async with backend_of(ScriptedAdapter(), clock=clock, intervals=replace(NEVER, status_s=5.0)) as backend:
        held = []
        for _ in range(3):
            backend.suspect("it died")
            held.append(backend.health.reason.removeprefix("it died"))
            clock.now += 20.0
            await backend.refresh()
            assert backend.is_open
        assert held == ["", *(f"; taken back after {hold_s} s at the earliest" for hold_s in (5, 10))]


@pytest.mark.parametrize("outcome", ["cancelled", "refused", "opened"])
async def test_who_goes_while_a_backend_is_opened_harms_no_other(outcome: str) -> None:
    opening = asyncio.Event()

    @asynccontextmanager
    async def open_one_slowly(config: BackendConfig) -> AsyncIterator[ScriptedAdapter]:
        try:
            if config.name == "one":
                opening.set()
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            match outcome:
                case "cancelled":
                    raise
                case "refused":
                    raise ValueError("too late") from None
        yield ScriptedAdapter()

    async with open_hosting(
        open_adapter=open_one_slowly, clock=Clock(), on_change=lambda: None, intervals=NEVER
    ) as hosting:
        hosted = asyncio.ensure_future(hosting.host(Member(config=BackendConfig(name="one", kind="demo"))))
        await opening.wait()
        hosted.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hosted
        other = await hosting.host(Member(config=BackendConfig(name="two", kind="demo")))
        await other.was_asked()
        assert other.is_healthy
        await hosting.dismiss(other)
        await other.refresh()  # at once: nobody asks it any more


async def test_what_is_as_before_is_no_new_catalogue() -> None:
    """What was judged by it stays judged, but for graphs, which are checked against more."""
    adapter = ScriptedAdapter()
    async with backend_of(adapter, intervals=Intervals(status_s=3600.0, catalog_s=0.0)) as backend:
        first = backend.health.catalog_version
        adapter.current_catalog = replace(adapter.current_catalog)
        await backend.refresh()
        assert backend.health.catalog_version == first
        adapter.current_catalog = replace(adapter.current_catalog, loras=(NamedModel(name="new"),))
        await backend.refresh()
        assert backend.health.catalog_version == first + 1
        adapter.capabilities = replace(adapter.capabilities, graphs=True)
        adapter.current_catalog = replace(adapter.current_catalog)
        await backend.refresh()
        assert backend.health.catalog_version == first + 2


async def test_loads_end_with_the_backend() -> None:
    adapter = ScriptedAdapter()
    adapter.may_load.clear()
    async with backend_of(adapter) as backend:
        load = asyncio.ensure_future(backend.load_model("first"))
        async with asyncio.timeout(5):
            while not adapter.loads:  # noqa: ASYNC110  # it has no event for this
                await asyncio.sleep(0)
    with pytest.raises(Unreachable):
        await load
    await backend.refresh()  # answers at once, as nobody is asked any more


async def test_who_waits_for_an_answer_is_let_go_when_the_backend_goes() -> None:
    adapter = MoodyAdapter()
    async with backend_of(adapter) as backend:
        adapter.may_answer.clear()
        waiting = asyncio.ensure_future(backend.refresh())
        async with asyncio.timeout(5):
            while len(adapter.asked) < 2:  # noqa: ASYNC110  # it has no event for this
                await asyncio.sleep(0)
    await waiting
    assert backend.is_healthy, "what it said last stays"
