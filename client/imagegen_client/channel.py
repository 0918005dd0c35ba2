"""How we connect."""

import grpc

KIB = 1024

_OPTIONS = [
    # With probing on, a reader that pauses swallows megabytes per stream before the server notices.
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 256 * KIB),
    # A peer that vanished without a word is noticed within 30 s, but only while a call is open.
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    # The channel's own pauses (up to two minutes) would hide a server that is back from our shorter ones.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    # A page of jobs may hold graphs of up to 4 MB each.
    ("grpc.max_receive_message_length", 64 * KIB * KIB),
    ("grpc.max_send_message_length", 16 * KIB * KIB),
    # http_proxy is for the web: a proxy could not even reach a server on this machine.
    ("grpc.enable_http_proxy", 0),
    # Retries are ours, with resume and a bound on patience.
    ("grpc.enable_retries", 0),
]


def open_channel(address: str) -> grpc.aio.Channel:
    """A channel to "host:port", connected lazily; whoever opens it closes it. Needs a running event loop."""
    return grpc.aio.insecure_channel(address, options=_OPTIONS)
