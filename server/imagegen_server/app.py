"""Puts the server together: every part is entered into one stack, so that they close in reverse."""

import asyncio
import hmac
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace

import structlog
from sqlalchemy import URL

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.registry import open_adapter
from imagegen_server.assets import AssetStore
from imagegen_server.backend import Intervals, Member
from imagegen_server.changes import Changes, Topic
from imagegen_server.config import BackendSettings, ServerSettings
from imagegen_server.datadir import locked
from imagegen_server.fleet import OpenAdapter, open_fleet, open_hosting
from imagegen_server.hub import Hub
from imagegen_server.janitor import FIRST_ROUND_S, ROUND_S, Janitor
from imagegen_server.keys import open_keys
from imagegen_server.ledger import Ledger
from imagegen_server.listening import Server, listening
from imagegen_server.membership import Membership, restore
from imagegen_server.running.experience import open_experience
from imagegen_server.running.orphans import Orphans
from imagegen_server.running.retrying import Limits
from imagegen_server.running.runner import open_runner
from imagegen_server.running.surroundings import Patience, Surroundings
from imagegen_server.services.system import PAUSE_S
from imagegen_server.services.wiring import Parts, services
from imagegen_server.settings.layers import layer_of
from imagegen_server.settings.runtime import open_settings
from imagegen_server.stores.store import Store, open_store
from imagegen_server.tasks import running, task_group
from imagegen_server.tokens import TokenCodec, server_id_of
from imagegen_server.watching import HEARTBEAT_S
from imagegen_server.wire.events import encode_durable
from imagegen_server.wire.jobs import JobCodec
from imagegen_server.workflows.definitions import Definitions
from imagegen_server.workflows.library import Library

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """How often things happen by themselves, and how long to wait for others."""

    intervals: Intervals = field(default_factory=Intervals)
    patience: Patience = field(default_factory=Patience)
    heartbeat_s: float = HEARTBEAT_S
    system_pause_s: float = PAUSE_S
    first_tidying_s: float = FIRST_ROUND_S
    tidying_s: float = ROUND_S


@asynccontextmanager
async def serve(
    settings: ServerSettings, *, open_adapter: OpenAdapter = open_adapter, rhythm: Rhythm | None = None
) -> AsyncIterator[Server]:
    """A server while the block is open. Raises CannotStart.

    At the end watchers are told to resume later, calls get some seconds, attempts that can be found again are left at
    their backends, and everything that was accepted is on the disk.
    """
    rhythm = rhythm or Rhythm()
    async with AsyncExitStack() as stack:
        stack.enter_context(locked(settings.data_dir))
        store = await stack.enter_async_context(open_store(_database_url(settings), JobCodec()))
        tokens = TokenCodec(store.token_key, store.epoch)
        hub = Hub(tokens, position=store.last_position, max_watchers=settings.max_watchers)
        changes = Changes(max_watchers=settings.max_watchers)
        ledger = await Ledger.open(
            store, hub, tokens=tokens, encode_event=encode_durable, clock=time.time, changes=changes
        )
        assets = AssetStore(
            settings.data_dir / "assets",
            store,
            max_bytes=settings.max_asset_bytes,
            on_change=lambda digest: changes.tell(Topic.ASSETS, digest),
        )
        changed, policy_changed = asyncio.Event(), asyncio.Event()

        def note_backends() -> None:
            changed.set()
            changes.tell(Topic.BACKENDS)

        hosting = await stack.enter_async_context(
            open_hosting(
                open_adapter=open_adapter,
                clock=time.time,
                on_change=note_backends,
                intervals=rhythm.intervals,
                via=server_id_of(store.token_key),
            )
        )
        fleet = await open_fleet(hosting, [_member(each, store) for each in settings.backends])

        def to_added(backend: BackendSettings) -> Member:
            return replace(_member(backend, store), is_added=True)

        await restore(store, fleet, hosting, to_added)

        def take_effect() -> None:
            changed.set()
            policy_changed.set()
            changes.tell(Topic.SETTINGS)

        runtime = await stack.enter_async_context(
            open_settings(store, configured=layer_of(settings), clock=time.time, on_change=take_effect)
        )
        surroundings = Surroundings(
            ledger=ledger,
            hub=hub,
            assets=assets,
            orphans=await Orphans.open(store, clock=time.time),
            experience=await stack.enter_async_context(open_experience(store)),
            executor=stack.enter_context(_executor()),
            clock=time.time,
            limits=Limits(max_attempts=settings.max_attempts, max_takedowns=settings.max_takedowns),
            patience=rhythm.patience,
            changes=changes,
        )
        runner = await stack.enter_async_context(
            open_runner(
                surroundings,
                fleet,
                store=store,
                quotas=lambda: runtime.current.quotas,
                changed=changed,
                new_id=_new_id,
            )
        )
        membership = Membership(
            tasks=await stack.enter_async_context(task_group()),
            store=store,
            fleet=fleet,
            hosting=hosting,
            runner=runner,
            experience=surroundings.experience,
            to_member=to_added,
            on_change=note_backends,
        )
        janitor = Janitor(
            policy=lambda: runtime.current.retention,
            store=store,
            assets=assets,
            ledger=ledger,
            clock=time.time,
            woken=policy_changed,
        )
        await stack.enter_async_context(running(janitor.work(first_s=rhythm.first_tidying_s, every_s=rhythm.tidying_s)))
        parts = Parts(
            store=store,
            tokens=tokens,
            hub=hub,
            changes=changes,
            ledger=ledger,
            assets=assets,
            fleet=fleet,
            membership=membership,
            settings=runtime,
            runner=runner,
            keys=await stack.enter_async_context(open_keys(store, changes, clock=time.time)),
            library=Library(store, clock=time.time, changes=changes),
            definitions=Definitions(fleet),
            configured=settings,
            estimator=surroundings.experience.estimator,
            new_id=_new_id,
            heartbeat_s=rhythm.heartbeat_s,
            system_pause_s=rhythm.system_pause_s,
        )

        def drain() -> None:
            hub.drain()
            changes.close()

        server = await stack.enter_async_context(listening(settings.grpc, services(parts), on_drain=drain))
        log.info("server is ready", address=server.address, backends=[backend.name for backend in fleet])
        yield server
        log.info("server is going down")


@contextmanager
def _executor() -> Iterator[Executor]:
    """For previews: two threads keep up with several jobs, and leave the loop a core."""
    executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="previews")
    try:
        yield executor
    finally:
        executor.shutdown(wait=False, cancel_futures=True)


def _database_url(settings: ServerSettings) -> str:
    return URL.create("sqlite", database=str(settings.data_dir / "imagegen.db")).render_as_string(hide_password=False)


def _member(backend: BackendSettings, store: Store) -> Member:
    return Member(
        config=_with_client_id(backend.to_config(), store.token_key),
        labels=backend.labels,
        max_concurrent_jobs=backend.max_concurrent_jobs,
    )


def _with_client_id(config: BackendConfig, key: bytes) -> BackendConfig:
    """ComfyUI sends an attempt's frames only to the client id that queued it: ours outlives the process."""
    if config.kind != "comfyui":
        return config
    derived = hmac.digest(key, f"client id of {config.name}".encode(), "sha256")[:16]
    return replace(config, options={"client_id": derived.hex(), **config.options})


def _new_id() -> str:
    return str(uuid.uuid4())
