"""Puts the server together: every part is entered into one stack, so that they close in reverse."""

import asyncio
import hmac
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Final

import grpc
import structlog
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from sqlalchemy import URL

from imagegen.v1 import (
    asset_pb2,
    backend_pb2,
    image_gen_pb2,
    key_pb2,
    model_pb2,
    queue_pb2,
    settings_pb2,
    system_pb2,
    workflow_pb2,
)
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.registry import open_adapter
from imagegen_server.assets import AssetStore
from imagegen_server.backend import Intervals, Member
from imagegen_server.changes import Changes, Topic
from imagegen_server.config import BackendSettings, ServerSettings, split_address
from imagegen_server.datadir import locked
from imagegen_server.errors import CannotStart
from imagegen_server.fleet import Fleet, OpenAdapter, open_fleet, open_hosting
from imagegen_server.hub import Hub
from imagegen_server.janitor import FIRST_ROUND_S, ROUND_S, Janitor
from imagegen_server.keys import Keys, open_keys
from imagegen_server.ledger import Ledger
from imagegen_server.membership import Membership, open_membership, restore
from imagegen_server.running.experience import open_experience
from imagegen_server.running.orphans import Orphans
from imagegen_server.running.retrying import Limits
from imagegen_server.running.runner import Runner, open_runner
from imagegen_server.running.surroundings import Patience, Surroundings
from imagegen_server.scheduling.estimates import Estimator
from imagegen_server.services.admission import Admission
from imagegen_server.services.assets import AssetService
from imagegen_server.services.backends import BackendService
from imagegen_server.services.image_gen import ImageGenService
from imagegen_server.services.keys import KeyService
from imagegen_server.services.metadata import GenerationMetadata
from imagegen_server.services.models import ModelService
from imagegen_server.services.present import Present
from imagegen_server.services.queue import QueueService
from imagegen_server.services.reusing import Reuse
from imagegen_server.services.rpc import bind
from imagegen_server.services.settings import SettingsService
from imagegen_server.services.streams import Streams
from imagegen_server.services.system import PAUSE_S, SystemService
from imagegen_server.services.verdicts import Judge
from imagegen_server.services.views import JobViews
from imagegen_server.services.workflows import WorkflowService
from imagegen_server.settings.layers import layer_of
from imagegen_server.settings.runtime import RuntimeSettings, open_settings
from imagegen_server.stores.store import Store, open_store
from imagegen_server.tasks import running
from imagegen_server.tokens import TokenCodec
from imagegen_server.validation import SpecChecker
from imagegen_server.watching import HEARTBEAT_S
from imagegen_server.wire.events import encode_durable
from imagegen_server.wire.jobs import JobCodec
from imagegen_server.workflows.definitions import Definitions
from imagegen_server.workflows.library import Library

log = structlog.get_logger(__name__)

MAX_REQUEST_BYTES: Final = 16 * 1024 * 1024
STOP_GRACE_S: Final = 5.0
"""Calls that are under way get so long to end before they are cancelled."""

_OPTIONS: Final = (
    # Two servers must not share a port without saying so.
    ("grpc.so_reuseport", 0),
    # The default of 1000 refuses part of a thousand watchers that come back at once.
    ("grpc.server.max_pending_requests", 20_000),
    ("grpc.server.max_pending_requests_hard_limit", 40_000),
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    # Finds out that a watcher's machine is gone.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that answers."""

    address: str
    """HOST:PORT, with the port that was taken."""


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
                open_adapter=open_adapter, clock=time.time, on_change=note_backends, intervals=rhythm.intervals
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
        membership = await stack.enter_async_context(
            open_membership(
                store=store,
                fleet=fleet,
                hosting=hosting,
                runner=runner,
                experience=surroundings.experience,
                to_member=to_added,
                on_change=note_backends,
            )
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
        parts = _Parts(
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
        )
        services = _services(parts, rhythm)
        described = {_descriptor(module): service for module, service in services.items()}

        def drain() -> None:
            hub.drain()
            changes.close()

        server = await stack.enter_async_context(_listening(settings.grpc, described, on_drain=drain))
        log.info("server is ready", address=server.address, backends=[backend.name for backend in fleet])
        yield server
        log.info("server is going down")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What the services stand on."""

    store: Store
    tokens: TokenCodec
    hub: Hub
    changes: Changes
    ledger: Ledger
    assets: AssetStore
    fleet: Fleet
    membership: Membership
    settings: RuntimeSettings
    runner: Runner
    keys: Keys
    library: Library
    definitions: Definitions
    configured: ServerSettings
    estimator: Estimator


def _services(parts: _Parts, rhythm: Rhythm) -> dict[ModuleType, object]:
    """Each by the module of its proto."""
    store, tokens, hub, ledger, runner = parts.store, parts.tokens, parts.hub, parts.ledger, parts.runner
    views = JobViews(ledger=ledger, hub=hub, runner=runner)
    admission = Admission(
        hub=hub,
        ledger=ledger,
        store=store,
        runner=runner,
        checker=SpecChecker(
            parts.fleet,
            parts.assets,
            parts.library,
            parts.definitions,
            settings=lambda: parts.settings.current,
            choose_seed=_choose_seed,
        ),
        reuse=Reuse(store=store, assets=parts.assets, fleet=parts.fleet),
        library=parts.library,
        settings=parts.settings,
        choose_seed=_choose_seed,
        clock=time.time,
    )
    metadata = GenerationMetadata(assets=parts.assets, ledger=ledger, fleet=parts.fleet)
    image_gen = ImageGenService(
        hub=hub,
        ledger=ledger,
        store=store,
        runner=runner,
        admission=admission,
        views=views,
        streams=Streams(
            ledger=ledger, hub=hub, store=store, views=views, clock=time.time, heartbeat_s=rhythm.heartbeat_s
        ),
        metadata=metadata,
        tokens=tokens,
        new_id=_new_id,
    )
    present = Present(
        fleet=parts.fleet,
        ledger=ledger,
        runner=runner,
        quotas=lambda: parts.settings.current.quotas,
        estimator=parts.estimator,
    )
    return {
        image_gen_pb2: image_gen,
        queue_pb2: QueueService(
            ledger=ledger, runner=runner, present=present, views=views, tokens=tokens, clock=time.time
        ),
        asset_pb2: AssetService(
            assets=parts.assets,
            store=store,
            tokens=tokens,
            metadata=metadata,
            retention=lambda: parts.settings.current.retention,
        ),
        backend_pb2: BackendService(
            fleet=parts.fleet,
            runner=runner,
            membership=parts.membership,
            allows_changes=parts.configured.allow_backend_changes,
            present=present,
        ),
        key_pb2: KeyService(keys=parts.keys),
        model_pb2: ModelService(fleet=parts.fleet),
        system_pb2: SystemService(
            present=present,
            definitions=parts.definitions,
            changes=parts.changes,
            store=store,
            folder=parts.configured.data_dir,
            version=_package_version(),
            start_time=time.time(),
            max_asset_bytes=parts.configured.max_asset_bytes,
            allows_backend_changes=parts.configured.allow_backend_changes,
            pause_s=rhythm.system_pause_s,
            alive_s=rhythm.heartbeat_s,
        ),
        settings_pb2: SettingsService(settings=parts.settings, fleet=parts.fleet, library=parts.library),
        workflow_pb2: WorkflowService(
            fleet=parts.fleet,
            assets=parts.assets,
            library=parts.library,
            definitions=parts.definitions,
            checker=admission.checker,
            judge=Judge(definitions=parts.definitions, settings=lambda: parts.settings.current),
        ),
    }


@asynccontextmanager
async def _listening(
    address: str, services: Mapping[ServiceDescriptor, object], *, on_drain: Callable[[], None]
) -> AsyncIterator[Server]:
    """The gRPC side. At the end nothing new comes in, `on_drain` is called, and calls get some seconds to end."""
    server = grpc.aio.server(options=_OPTIONS)
    health_servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health_servicer, server)
    server.add_generic_rpc_handlers(tuple(bind(descriptor, service) for descriptor, service in services.items()))
    names = [descriptor.full_name for descriptor in services]
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    for name in names:
        await health_servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    host, _ = split_address(address)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        message = f"cannot listen on {address}: the port is taken, or the address is not of this machine"
        raise CannotStart(message) from error
    await server.start()
    try:
        yield Server(address=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    finally:
        await health_servicer.enter_graceful_shutdown()
        on_drain()
        await server.stop(STOP_GRACE_S)


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


def _package_version() -> str:
    try:
        return version("imagegen")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"


def _descriptor(module: ModuleType) -> ServiceDescriptor:
    """The one service of a module."""
    (descriptor,) = module.DESCRIPTOR.services_by_name.values()
    assert isinstance(descriptor, ServiceDescriptor)
    return descriptor


def _new_id() -> str:
    return str(uuid.uuid4())


def _choose_seed() -> int:
    # As large as every user interface can hold and show.
    return secrets.randbelow(2**32)
