"""The async client of an imagegen server, and the `imagegen` command."""

from imagegen_client.__about__ import __version__
from imagegen_client.client import Client
from imagegen_client.errors import (
    Damaged,
    ImagegenError,
    InvalidRequest,
    NotAllowed,
    NotFound,
    NotPossible,
    Overloaded,
    Quota,
    ServerFault,
    Unavailable,
    Violation,
)
from imagegen_client.retrying import Backoff
from imagegen_client.specs import JobOptions, invocation
from imagegen_client.watching import Watch

__all__ = [
    "Backoff",
    "Client",
    "Damaged",
    "ImagegenError",
    "InvalidRequest",
    "JobOptions",
    "NotAllowed",
    "NotFound",
    "NotPossible",
    "Overloaded",
    "Quota",
    "ServerFault",
    "Unavailable",
    "Violation",
    "Watch",
    "__version__",
    "invocation",
]
