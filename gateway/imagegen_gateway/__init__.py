"""The HTTP gateway: REST, SSE and live pictures over the gRPC service."""
