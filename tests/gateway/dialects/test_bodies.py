"""What is taken of a JSON body, whichever dialect it is for."""

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from imagegen_gateway.callers import owner_of
from imagegen_gateway.dialects.bodies import is_deeper, read_json
from imagegen_gateway.errors import problem_middleware


@pytest.fixture(name="address")
async def address_fixture() -> AsyncIterator[str]:
    """A server that answers with the names in a body."""

    async def answer(request: web.Request) -> web.Response:
        return web.json_response(list(await read_json(request, 10_000)))

    app = web.Application(middlewares=[problem_middleware({}, owner_of)])
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 200),
        (b'{"a": ' + b"[" * 99 + b"]" * 99 + b"}", 200),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", 400),
        (b'{"a": ' * 500 + b"1" + b"}" * 500, 400),
        (b"[" * 5000, 400),
        (b"[]", 400),
        (b'{"a": "' + b"x" * 10_000 + b'"}', 413),
    ],
)
async def test_bodies(address: str, body: bytes, status: int) -> None:
    async with aiohttp.ClientSession() as http, http.post(address, data=body) as response:
        assert response.status == status


@pytest.mark.parametrize(
    ("value", "levels"), [(1, 0), ({}, 1), ([1, "[[["], 1), ({"a": {"b": 1}, "c": []}, 2), ([[{}], []], 3)]
)
def test_levels(value: object, levels: int) -> None:
    assert not is_deeper(value, levels or 1)
    assert levels == 0 or is_deeper(value, levels - 1)
