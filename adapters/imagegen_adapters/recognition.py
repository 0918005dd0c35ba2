"""Finds out which kind of server listens at an address."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
from yarl import URL

from imagegen_adapters.config import LOOPS, VIA
from imagegen_adapters.errors import AdapterError, Unauthenticated, Unintelligible, Unreachable

TIMEOUT_S: Final = 8.0
"""For all questions together."""
MAX_ANSWER_BYTES: Final = 1024 * 1024
_REFUSES_LOGIN: Final = frozenset({401, 407})
_HAS_NO_SERVER: Final = frozenset({502, 503, 504})


async def find_kind(url: str, *, via: str = "") -> str:
    """ "comfyui" or "a1111", as the server at "http://[user:password@]host:port[/prefix]" answers.

    `via`: what is sent as VIA. Raises Unreachable, Unauthenticated, or Unintelligible for a server that is neither;
    ValueError for a `url` that is none.
    """
    parsed = URL(url.rstrip("/"))
    base = parsed.with_user(None)
    # Not packed: a few kilobytes can unfold to gigabytes.
    headers = {"Accept-Encoding": "identity", VIA: via}
    if parsed.user:
        headers["Authorization"] = aiohttp.encode_basic_auth(parsed.user, parsed.password or "", "utf-8")
    async with (
        _translated(base),
        aiohttp.ClientSession(headers=headers, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False) as session,
    ):
        if "system" in (await _ask(session, base, "system_stats") or {}):
            return "comfyui"
        if await _ask(session, base, "sdapi/v1/options"):
            return "a1111"
        if await _ask(session, base, "internal/ping") is not None:
            raise Unintelligible(f"A1111 at {base} has its page only: start it with --api")
    raise Unintelligible(f"what listens at {base} is neither ComfyUI nor A1111 nor one of its forks")


async def _ask(session: aiohttp.ClientSession, base: URL, path: str) -> dict[str, Any] | None:
    """The JSON object there; None where there is another thing, or nothing."""
    # No redirects: they could take the password elsewhere.
    async with session.get(base.joinpath(*path.split("/")), allow_redirects=False) as response:
        if response.status in _REFUSES_LOGIN:
            raise Unauthenticated(f"the server at {base} refused our user name and password")
        if response.status == LOOPS:
            raise Unintelligible(f"what listens at {base} is this imagegen server itself")
        if response.status in _HAS_NO_SERVER:
            raise Unreachable(f"the proxy before the server at {base} answered {response.status}")
        if 300 <= response.status < 400:
            raise Unintelligible(f"what listens at {base} sends us elsewhere; give the address that it leads to")
        return await _read_object(response) if response.status == 200 else None


async def _read_object(response: aiohttp.ClientResponse) -> dict[str, Any] | None:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            return None
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


@asynccontextmanager
async def _translated(base: URL) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            yield
    except AdapterError:
        raise
    except TimeoutError as error:
        raise Unreachable(f"the server at {base} did not answer in time") from error
    except aiohttp.ClientConnectorError as error:
        refused = isinstance(error.os_error, ConnectionRefusedError)
        raise Unreachable(f"{'nothing listens' if refused else 'no server can be reached'} at {base}") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unreachable(f"the connection to the server at {base} broke") from error
