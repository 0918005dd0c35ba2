"""Fetching what a caller's address points to, without becoming the caller's way into the network.

1. Only http and https, without user and password, to addresses that are public; names that the configuration lists
   may also be in private networks.
2. The address that was checked is the one that is connected to: names are resolved by the connector, once, and what is
   not public is dropped there. So a name that changes its mind between check and use gains nothing.
3. Redirects are followed by hand, each checked anew, at most MAX_REDIRECTS.
4. What is read is bounded in bytes and time, and no cookie, key or proxy of ours goes along.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from imagegen_gateway.errors import Problem

MAX_REDIRECTS: Final = 3
TIMEOUT_S: Final = 30.0
CONNECT_TIMEOUT_S: Final = 5.0
CHUNK_BYTES: Final = 64 * 1024
UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All IPv6 addresses that are given to hosts of the public network; many of the others stand for IPv4 ones."""
TUNNELS: Final = ipaddress.ip_network("2002::/16")
"""Where an IPv6 address stands for an IPv4 one all the same: nobody needs them here."""


class Refused(OSError):
    """The address is not public."""


def is_public(text: str) -> bool:
    """Whether an IP address is one of the public network."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        elif address not in UNICAST or address in TUNNELS:
            return False
    return address.is_global and not address.is_multicast


class PublicResolver(AbstractResolver):
    """Resolves names to public addresses only, but for names that are allowed to be elsewhere."""

    def __init__(self, allowed: Iterable[str]) -> None:
        self._allowed = frozenset(name.lower() for name in allowed)
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises Refused when nothing public is left."""
        found = await self._resolver.resolve(host, port, family)
        if host.lower() in self._allowed:
            return found
        public = [entry for entry in found if is_public(entry["host"])]
        if not public:
            raise Refused(f"{host} is not in the public network")
        return public

    async def close(self) -> None:
        """Nothing is held."""


class Fetcher:
    """Fetches pictures. `hosts` may be in private networks."""

    def __init__(self, hosts: Iterable[str], max_bytes: int) -> None:
        self._hosts = frozenset(name.lower() for name in hosts)
        self._max_bytes = max_bytes

    async def fetch(self, address: str, field: str) -> bytes:
        """The bytes at an address. Raises Problem 400, with the caller's name for the field, when there are none."""
        try:
            async with asyncio.timeout(TIMEOUT_S), self._session() as session:
                return await self._follow(session, parse(address, field), field)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as exc:
            # What exactly went wrong would tell a stranger about the network behind us.
            raise _unfetched(field, "it cannot be fetched, or is not in the public network") from exc

    async def _follow(self, session: aiohttp.ClientSession, url: URL, field: str) -> bytes:
        for _ in range(MAX_REDIRECTS + 1):
            self._check(url, field)
            async with session.get(url, allow_redirects=False) as response:
                if response.status in {301, 302, 303, 307, 308} and "Location" in response.headers:
                    url = parse(str(url.join(URL(response.headers["Location"]))), field)
                    continue
                if response.status != 200:
                    raise _unfetched(field, f"its server answered {response.status}")
                return await self._read(response, field)
        raise _unfetched(field, f"it leads on more than {MAX_REDIRECTS} times")

    async def _read(self, response: aiohttp.ClientResponse, field: str) -> bytes:
        data = bytearray()
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            data += chunk
            if len(data) > self._max_bytes:
                raise _unfetched(field, f"it is larger than {self._max_bytes} bytes")
        return bytes(data)

    def _check(self, url: URL, field: str) -> None:
        """Literal addresses never reach the resolver."""
        host = url.host or ""
        if _is_literal(host) and host not in self._hosts and not is_public(host):
            raise _unfetched(field, "it cannot be fetched, or is not in the public network")

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=PublicResolver(self._hosts), use_dns_cache=False),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S, sock_connect=CONNECT_TIMEOUT_S),
            headers={"User-Agent": "imagegen", "Accept": "image/*"},
            auto_decompress=False,  # a few kilobytes can unfold to gigabytes
            trust_env=False,
        )


def parse(address: str, field: str) -> URL:
    """The address. Raises Problem 400 for one that is not fetched."""
    try:
        url = URL(address)
    except ValueError as exc:
        raise _unfetched(field, "it is no address") from exc
    if url.scheme not in {"http", "https"} or not url.host or url.user is not None or url.password is not None:
        raise _unfetched(field, "only http and https addresses without user and password are fetched")
    return url


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _unfetched(field: str, why: str) -> Problem:
    return Problem(400, f"{field}: {why}", reason="INVALID_REQUEST")
