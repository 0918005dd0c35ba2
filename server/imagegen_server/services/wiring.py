"""Puts the services together: what each stands on."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from google.protobuf.descriptor import ServiceDescriptor

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
from imagegen_server.assets import AssetStore
from imagegen_server.changes import Changes
from imagegen_server.config import ServerSettings
from imagegen_server.fleet import Fleet
from imagegen_server.hub import Hub
from imagegen_server.keys import Keys
from imagegen_server.ledger import Ledger
from imagegen_server.membership import Membership
from imagegen_server.running.runner import Runner
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
from imagegen_server.services.settings import SettingsService
from imagegen_server.services.streams import Streams
from imagegen_server.services.system import SystemService
from imagegen_server.services.verdicts import Judge
from imagegen_server.services.views import JobViews
from imagegen_server.services.workflows import WorkflowService
from imagegen_server.settings.runtime import RuntimeSettings
from imagegen_server.stores.store import Store
from imagegen_server.tokens import TokenCodec, server_id_of
from imagegen_server.validation import SpecChecker
from imagegen_server.workflows.definitions import Definitions
from imagegen_server.workflows.library import Library


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
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
    new_id: Callable[[], str]
    """For jobs."""
    heartbeat_s: float
    system_pause_s: float


def services(parts: Parts) -> dict[ServiceDescriptor, object]:
    """All services, each by what the contract says of it."""
    return {_descriptor(module): service for module, service in _by_module(parts).items()}


def _by_module(parts: Parts) -> dict[ModuleType, object]:
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
            ledger=ledger, hub=hub, store=store, views=views, clock=time.time, heartbeat_s=parts.heartbeat_s
        ),
        metadata=metadata,
        tokens=tokens,
        new_id=parts.new_id,
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
            server_id=server_id_of(store.token_key),
        ),
        key_pb2: KeyService(keys=parts.keys, server_id=server_id_of(store.token_key)),
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
            pause_s=parts.system_pause_s,
            alive_s=parts.heartbeat_s,
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


def _descriptor(module: ModuleType) -> ServiceDescriptor:
    """The one service of a module."""
    (descriptor,) = module.DESCRIPTOR.services_by_name.values()
    assert isinstance(descriptor, ServiceDescriptor)
    return descriptor


def _package_version() -> str:
    try:
        return version("imagegen")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0"


def _choose_seed() -> int:
    # As large as every user interface can hold and show.
    return secrets.randbelow(2**32)
