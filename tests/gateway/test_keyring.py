"""Keys that the server keeps: they count from the moment they are made to the moment they are deleted."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from imagegen.v1 import key_pb2
from imagegen_gateway.app import Gateway, serve_gateway
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.keys import KeySettings, Role
from imagegen_gateway.roles import NEEDED
from imagegen_gateway.transcoding import VARIABLE, bindings
from tests.gateway.fake_server import FakeServer, serve_fake, watched_key

ROOT, GUEST = "the-admins-secret-key", "the-secret-key-of-a-guest"
KEYS = [{"name": "root", "key": ROOT, "role": "admin"}, {"name": "guest", "key": GUEST}]
WITH_KEYS = pytest.mark.parametrize("settings", [{"keys": KEYS}])


def showing(secret: str) -> dict[str, str]:
    return {"X-Api-Key": secret} if secret else {}


async def make(http: aiohttp.ClientSession, name: str, by: str = "", **fields: Any) -> tuple[int, str]:
    """Status, and the secret or what is said instead."""
    body = {"key": {"name": name, **fields}}
    async with http.post("/api/v1/keys", json=body, headers=showing(by)) as response:
        answer = await response.json()
        return response.status, answer.get("secret") or answer["detail"]


async def delete(http: aiohttp.ClientSession, name: str, by: str = "") -> tuple[int, str]:
    async with http.delete(f"/api/v1/keys/{name}", headers=showing(by)) as response:
        return response.status, (await response.json()).get("detail", "")


async def status(http: aiohttp.ClientSession, secret: str, path: str = "/api/v1/queue") -> int:
    async with http.get(path, headers=showing(secret)) as response:
        return response.status


async def session_of(http: aiohttp.ClientSession, secret: str) -> dict[str, Any]:
    async with http.get("/session", headers=showing(secret)) as response:
        assert response.status == 200
        answer: dict[str, Any] = await response.json()
        return answer


async def until_signed_in(http: aiohttp.ClientSession, secret: str) -> None:
    async with asyncio.timeout(10):
        while not (await session_of(http, secret))["signed_in"]:
            pass


@WITH_KEYS
async def test_a_key_counts_from_its_making_to_its_deletion(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    code, secret = await make(http, "anna", ROOT, owner="Anna", acts_for_users=True)
    assert code == 200
    assert await status(http, secret) == 200
    assert fake.owners["GetQueue"] == "Anna"
    assert (await delete(http, "anna", ROOT))[0] == 200
    assert await status(http, secret) == 401
    assert await status(http, GUEST) == 200


async def test_what_was_open_is_broken_off_with_its_key(gateway: Gateway, http: aiohttp.ClientSession) -> None:
    """Also what was opened without one, once there is one."""
    events, socket = "/api/v1/events", f"{gateway.url}/comfyui/ws"
    async with AsyncExitStack() as open_ones, asyncio.timeout(10):

        async def watch(secret: str) -> aiohttp.ClientResponse:
            response = await open_ones.enter_async_context(http.get(events, headers=showing(secret)))
            assert response.status == 200
            return response

        anonymous = await watch("")
        _, root = await make(http, "root", role="KEY_ROLE_ADMIN")
        with pytest.raises(aiohttp.ClientError):
            await anonymous.read()
        _, anna = await make(http, "anna", root)
        of_anna, of_root = await watch(anna), await watch(root)
        client = await open_ones.enter_async_context(http.ws_connect(socket, headers=showing(anna)))
        await client.receive()
        assert (await delete(http, "anna", root))[0] == 200
        with pytest.raises(aiohttp.ClientError):
            await of_anna.read()
        while not client.closed:
            await client.receive()
        assert client.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
        assert await of_root.content.readline()
        assert not of_root.content.at_eof()


@WITH_KEYS
async def test_a_stream_whose_key_goes_before_it_begins_is_broken_off_too(
    fake: FakeServer, http: aiohttp.ClientSession
) -> None:
    _, anna = await make(http, "anna", ROOT)
    may_begin = asyncio.Event()
    fake.before_watching = may_begin.wait
    reading = asyncio.ensure_future(status(http, anna, "/api/v1/events"))
    await fake.until(lambda: fake.opened)
    assert (await delete(http, "anna", ROOT))[0] == 200
    may_begin.set()
    assert await reading == 401  # a client whose connection breaks before the answer tries once more


async def test_a_house_is_closed_and_opened_by_admins_only(http: aiohttp.ClientSession) -> None:
    code, why = await make(http, "anna")
    assert (code, "role admin first" in why) == (409, True)
    code, root = await make(http, "root", role="KEY_ROLE_ADMIN")
    assert code == 200
    assert await status(http, "") == 401
    code, anna = await make(http, "anna", root)
    assert (await make(http, "bob", anna))[0] == 403
    assert (await delete(http, "anna", anna))[0] == 403
    code, why = await delete(http, "root", root)
    assert (code, "last key with the role admin" in why) == (409, True)
    assert (await delete(http, "anna", root))[0] == 200
    assert (await delete(http, "root", root))[0] == 200
    assert await status(http, "") == 200


async def test_of_two_admins_that_delete_each_other_one_stays(http: aiohttp.ClientSession) -> None:
    _, anna = await make(http, "anna", role="KEY_ROLE_ADMIN")
    _, bob = await make(http, "bob", anna, role="KEY_ROLE_ADMIN")
    await make(http, "guest", anna)
    done = await asyncio.gather(delete(http, "bob", anna), delete(http, "anna", bob))
    first, second = sorted(code for code, _ in done)
    assert (first, second in {401, 409}) == (200, True)


@WITH_KEYS
async def test_a_name_of_the_configuration_is_taken(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    async with http.post("/api/v1/keys", json={"key": {"name": "guest"}}, headers=showing(ROOT)) as response:
        assert (response.status, (await response.json())["reason"]) == (409, "KEY_EXISTS")
    assert "CreateKey" not in fake.requests


@WITH_KEYS
async def test_users_are_refused_what_admins_may(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    for binding in bindings():
        is_for_admins = NEEDED[binding.method.name] is Role.ADMIN
        path = VARIABLE.sub("x", binding.template)
        async with http.request(binding.verb, path, json={}, headers=showing(GUEST)) as response:
            answer = await response.json()
            assert (response.status == 403) == is_for_admins, binding.method.name
        if is_for_admins:
            assert answer["reason"] == "PERMISSION_DENIED"
            assert "the role admin" in answer["detail"]
            assert binding.method.name not in fake.requests


@WITH_KEYS
async def test_everybody_may_pause_what_is_their_own(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    for body, expected in (({"owner": "guest"}, 200), ({"owner": "root"}, 403), ({}, 403)):
        async with http.post("/api/v1/queue:pause", json=body, headers=showing(GUEST)) as response:
            assert response.status == expected
    async with http.post("/api/v1/queue:pause", json={}, headers=showing(ROOT)) as response:
        assert response.status == 200
    assert fake.owners["PauseQueue"] == "root"


@WITH_KEYS
@pytest.mark.parametrize(
    ("secret", "expected"),
    [
        (ROOT, {"keys_needed": True, "signed_in": True, "key": "root", "owner": "root", "role": "admin"}),
        (GUEST, {"keys_needed": True, "signed_in": True, "key": "guest", "owner": "guest", "role": "user"}),
        ("", {"keys_needed": True, "signed_in": False, "key": "", "owner": "", "role": "user"}),
        ("wrong", {"keys_needed": True, "signed_in": False, "key": "", "owner": "", "role": "user"}),
    ],
)
async def test_a_session_tells_who_asks(http: aiohttp.ClientSession, secret: str, expected: dict[str, Any]) -> None:
    assert await session_of(http, secret) == expected


async def test_in_an_open_house_everybody_is_an_admin(http: aiohttp.ClientSession) -> None:
    told = await session_of(http, "not-looked-at")
    assert told == {"keys_needed": False, "signed_in": False, "key": "", "owner": "", "role": "admin"}


async def test_a_browser_signs_in_with_a_key_of_the_server(gateway: Gateway, http: aiohttp.ClientSession) -> None:
    _, secret = await make(http, "root", role="KEY_ROLE_ADMIN")
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(gateway.url, cookie_jar=jar) as browser:
        async with browser.post("/session", json={"key": secret}) as response:
            assert (response.status, response.cookies["imagegen_key"]["httponly"]) == (204, True)
        assert (await session_of(browser, ""))["role"] == "admin"
        elsewhere = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        async with browser.post("/api/v1/keys", json={"key": {"name": "x"}}, headers=elsewhere) as response:
            assert response.status == 403
        async with browser.get("/api/v1/events", headers={**elsewhere, "Upgrade": "websocket"}) as response:
            assert response.status == 403
        assert (await delete(browser, "root"))[0] == 200
        assert not (await session_of(browser, ""))["keys_needed"]


async def test_what_is_known_stays_known_while_the_server_is_away() -> None:
    async with AsyncExitStack() as stack:
        async with serve_fake(FakeServer()) as fake:
            anna = key_pb2.Key(name="anna", role=key_pb2.KEY_ROLE_ADMIN)
            await fake.set_keys(watched_key("the-secret-of-anna", anna))
            settings = GatewaySettings(http="127.0.0.1:0", server=fake.address)
            gateway = await stack.enter_async_context(serve_gateway(settings))
            http = await stack.enter_async_context(aiohttp.ClientSession(gateway.url))
            await until_signed_in(http, "the-secret-of-anna")
        assert (await session_of(http, "the-secret-of-anna"))["role"] == "admin"
        assert await status(http, "the-secret-of-anna") == 503
        assert await status(http, "another") == 401
        bob = watched_key("the-secret-of-bob", key_pb2.Key(name="bob"))
        again = FakeServer()
        await again.set_keys(bob)
        async with serve_fake(again, fake.address):
            await until_signed_in(http, "the-secret-of-bob")
            assert await status(http, "the-secret-of-anna") == 401


async def test_before_the_first_answer_nobody_is_told_that_a_key_is_wrong() -> None:
    configured = [KeySettings(name="anna", key=SecretStr(GUEST))]
    async with (
        serve_gateway(GatewaySettings(http="127.0.0.1:0", server="127.0.0.1:1", keys=configured)) as closed,
        serve_gateway(GatewaySettings(http="127.0.0.1:0", server="127.0.0.1:1")) as unsure,
        aiohttp.ClientSession(closed.url) as of_closed,
        aiohttp.ClientSession(unsure.url) as of_unsure,
    ):
        assert (await session_of(of_closed, GUEST))["signed_in"]
        assert await status(of_closed, "") == 401
        # Together, because each of them waits for the server.
        told = await asyncio.gather(
            status(of_closed, "unknown-so-far"),
            status(of_closed, "unknown-so-far", "/session"),
            status(of_unsure, ""),
            status(of_unsure, "", "/session"),
            status(of_unsure, "", "/healthz"),
        )
    assert list(told) == [503, 503, 503, 503, 200]


async def test_a_server_from_before_there_were_keys_has_none(fake: FakeServer, settings: dict[str, Any]) -> None:
    fake.keys = None
    chosen = GatewaySettings(http="127.0.0.1:0", server=fake.address, **settings)
    async with serve_gateway(chosen) as gateway, aiohttp.ClientSession(gateway.url) as http:
        assert await status(http, "") == 200


@pytest.mark.parametrize("role", Role)
async def test_a_house_without_an_admin_is_told_of_at_the_start(fake: FakeServer, role: Role) -> None:
    keys = [KeySettings(name="anna", key=SecretStr(GUEST), role=role)]
    with capture_logs() as logs:
        async with serve_gateway(GatewaySettings(http="127.0.0.1:0", server=fake.address, keys=keys)):
            pass
    assert any("role admin" in entry["event"] for entry in logs) == (role is Role.USER)


@WITH_KEYS
@pytest.mark.parametrize("name", ["key", "api_key", "access_token", "token", "X-Api-Key", "imagegen_key"])
async def test_an_address_holds_no_key(http: aiohttp.ClientSession, name: str) -> None:
    assert await status(http, "", f"/api/v1/queue?{name}={ROOT}") == 401


@WITH_KEYS
@pytest.mark.parametrize(
    "head",
    [
        f"X-Api-Key: wrong\r\nX-Api-Key: {ROOT}",
        f"X-Api-Key : {ROOT}",
        f"X-Nothing: a\r\n X-Api-Key: {ROOT}",
        f"X_Api_Key: {ROOT}",
        f"X-Api-Key: {GUEST}\r\nAuthorization: Bearer {ROOT}",
        f"X-Api-Key: {GUEST}\r\nX-Imagegen-Role: admin\r\nImagegen-Role: admin",
        f"Content-Length: 0\r\nTransfer-Encoding: chunked\r\nX-Api-Key: {ROOT}",
    ],
)
async def test_no_trick_with_headers_makes_an_admin(gateway: Gateway, head: str) -> None:
    host = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(host.hostname, host.port)
    writer.write(f"GET /api/v1/keys HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{head}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        line = (await reader.readline()).decode()
    writer.close()
    assert line.split()[1] in {"400", "401", "403"}
