"""The gRPC side: where the server listens, and how it stops."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from imagegen_server.config import split_address
from imagegen_server.errors import CannotStart
from imagegen_server.services.rpc import bind

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


@asynccontextmanager
async def listening(
    address: str, services: Mapping[ServiceDescriptor, object], *, on_drain: Callable[[], None]
) -> AsyncIterator[Server]:
    """Answers there. At the end nothing new comes in, `on_drain` is called, and calls get some seconds to end."""
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
