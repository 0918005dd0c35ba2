"""Connections to the gRPC server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc

EVENT_OPTIONS: list[tuple[str, int]] = [
    # Without these a stream that is not read swallows megabytes before its sender notices.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 64 * 1024),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("grpc.max_send_message_length", 64 * 1024 * 1024),
    ("grpc.use_local_subchannel_pool", 1),
    # http_proxy is for the web: a proxy could not even reach a server on this machine.
    ("grpc.enable_http_proxy", 0),
    # A server that restarts is found again within a second or two, not after two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2000),
]
BULK_WINDOW_BYTES: Final = 1024 * 1024
"""So much of a download may wait here: with a chunk or two only, the server pauses after each."""
BULK_OPTIONS: list[tuple[str, int]] = [
    *((name, BULK_WINDOW_BYTES if name == "grpc.http2.lookahead_bytes" else value) for name, value in EVENT_OPTIONS),
    # Frames of 16 kB, the default, cost more than the bytes in them.
    ("grpc.http2.max_frame_size", 1024 * 1024),
]
"""For image bytes: a connection of their own, so that events do not queue behind them."""


@dataclass(frozen=True, slots=True)
class Channels:
    """The gateway's two connections."""

    events: grpc.aio.Channel
    """For calls and event streams."""
    bulk: grpc.aio.Channel
    """For image bytes."""


@asynccontextmanager
async def open_channels(address: str) -> AsyncIterator[Channels]:
    """Connections that are made when they are needed, and again when they are lost."""
    async with (
        grpc.aio.insecure_channel(address, options=EVENT_OPTIONS) as events,
        grpc.aio.insecure_channel(address, options=BULK_OPTIONS) as bulk,
    ):
        yield Channels(events, bulk)
