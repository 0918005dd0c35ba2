"""Fetching by a caller's address: what is public is read within bounds, what is not is never connected to."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult

from imagegen_gateway.errors import Problem
from imagegen_gateway.fetching import Fetcher, PublicResolver, Refused, is_public
from tests.gateway.dialects.pictures import png

PICTURE = png(8, 8)


@pytest.fixture(name="site")
async def site_fixture() -> AsyncIterator[tuple[int, list[str]]]:
    """A server on loopback, which stands for the private network; its port, and what was asked of it."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        assert "Cookie" not in request.headers
        match request.path:
            case "/fox.png":
                return web.Response(body=PICTURE)
            case "/large":
                return web.Response(body=b"x" * 5000)
            case "/on":
                raise web.HTTPFound("/fox.png")
            case "/round":
                raise web.HTTPFound("/round")
            case "/away":
                raise web.HTTPFound(f"http://127.0.0.2:{port}/fox.png")
            case "/file":
                raise web.HTTPFound("file:///etc/passwd")
            case _:
                raise web.HTTPNotFound

    app = web.Application()
    app.router.add_get("/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield port, asked
    await runner.cleanup()


async def test_a_listed_host_is_read(site: tuple[int, list[str]]) -> None:
    port, asked = site
    fetcher = Fetcher(["localhost", "127.0.0.1"], 4096)
    assert await fetcher.fetch(f"http://localhost:{port}/fox.png", "image") == PICTURE
    assert await fetcher.fetch(f"http://127.0.0.1:{port}/on", "image") == PICTURE
    assert asked == ["/fox.png", "/on", "/fox.png"]


@pytest.mark.parametrize(
    "address",
    [
        "http://localhost:{port}/fox.png",
        "http://127.0.0.1:{port}/fox.png",
        "http://127.1:{port}/fox.png",
        "http://2130706433:{port}/fox.png",
        "http://0x7f000001:{port}/fox.png",
        "http://0.0.0.0:{port}/fox.png",
        "http://[::1]:{port}/fox.png",
        "http://[::ffff:127.0.0.1]:{port}/fox.png",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/",
        "ftp://example.org/fox.png",
        "file:///etc/passwd",
        "http://user:password@example.org/fox.png",
        "//example.org/fox.png",
        "http://",
        "http://[::1",
        "",
    ],
)
async def test_what_is_not_public_is_never_asked(site: tuple[int, list[str]], address: str) -> None:
    port, asked = site
    with pytest.raises(Problem, match=r"^images\[0\]: ") as caught:
        await Fetcher([], 4096).fetch(address.format(port=port), "images[0]")
    assert (caught.value.status, asked) == (400, [])


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/large", "larger than 4096"),
        ("/round", "more than 3 times"),
        ("/away", "not in the public network"),
        ("/file", "only http and https"),
        ("/gone", "answered 404"),
    ],
)
async def test_what_a_server_can_do_is_bounded(site: tuple[int, list[str]], path: str, words: str) -> None:
    with pytest.raises(Problem, match=words):
        await Fetcher(["127.0.0.1"], 4096).fetch(f"http://127.0.0.1:{site[0]}{path}", "image")


class TwoFaced:
    """A name that is in the public network and in ours."""

    async def resolve(self, host: str, port: int = 0, family: Any = None) -> list[ResolveResult]:
        names = ["10.0.0.7", "93.184.216.34", "::1", "fe80::1%eth0", "2606:2800:220:1::1"]
        return [ResolveResult(hostname=host, host=name, port=port, family=2, proto=6, flags=0) for name in names]

    async def close(self) -> None:
        """Nothing is held."""


async def test_only_public_addresses_of_a_name_are_connected_to() -> None:
    resolver = PublicResolver(["Nas.Home"])
    resolver._resolver = TwoFaced()  # type: ignore[assignment]  # no name server is asked here
    assert [entry["host"] for entry in await resolver.resolve("both.example")] == [
        "93.184.216.34",
        "2606:2800:220:1::1",
    ]
    assert len(await resolver.resolve("nas.home")) == 5


async def test_a_name_without_public_addresses_is_refused() -> None:
    with pytest.raises(Refused):
        await PublicResolver([]).resolve("localhost")


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("64:ff9b:1::7f00:1", False),
        ("fec0::1", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("255.255.255.255", False),
        ("224.0.0.1", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff0e::1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("localhost", False),
    ],
)
def test_public_addresses(address: str, expected: bool) -> None:
    assert is_public(address) is expected
