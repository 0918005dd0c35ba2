"""Keys: what needs one, where it may be shown, and for whom its holder may ask."""

import base64
import time
from typing import Any

import aiohttp
import jwt
import pytest
from pydantic import ValidationError

from imagegen.v1 import image_gen_pb2, job_pb2
from imagegen_gateway.callers import user_name
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.keys import KeySettings, find_key
from imagegen_gateway.security import PUBLIC_PATHS
from tests.gateway.fake_server import FakeServer

ANNA = "anna-and-her-secret-key"
CHAT = "the-secret-key-of-the-chat"
EMAIL, USER = "X-OpenWebUI-User-Email", "X-OpenWebUI-User-Id"
SIGNING = "what only the chat and the gateway know, and nobody else"
KEYS = [
    {"name": "anna", "key": ANNA},
    {"name": "chat", "key": CHAT, "owner": "everybody", "acts_for_users": True},
]
WITH_KEYS = pytest.mark.parametrize("settings", [{"keys": KEYS}])
WITH_SIGNATURES = pytest.mark.parametrize("settings", [{"keys": KEYS, "openwebui_jwt_secret": SIGNING}])


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


async def create(http: aiohttp.ClientSession, fake: FakeServer, headers: dict[str, str]) -> tuple[int, str | None]:
    """Status, and the owner that the server was told."""
    fake.answers["CreateJob"] = image_gen_pb2.CreateJobResponse(job=job_pb2.Job(job_id="j"))
    fake.owners.clear()
    async with http.post("/api/v1/jobs", json={"spec": {"image": {"prompt": "fox"}}}, headers=headers) as response:
        return response.status, fake.owners.get("CreateJob")


def signed(secret: str = SIGNING, **claims: Any) -> str:
    now = int(time.time())
    said = {"iss": "open-webui", "iat": now, "exp": now + 300, "sub": "u-1", "email": "bob@example.org", **claims}
    return jwt.encode({name: value for name, value in said.items() if value is not None}, secret, "HS256")


@WITH_KEYS
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {ANNA}"},
        {"Authorization": f"bearer  {ANNA}"},
        {"Authorization": basic("whoever", ANNA)},
        {"X-Api-Key": ANNA},
        {"Cookie": f"imagegen_key={ANNA}"},
    ],
)
async def test_a_key_may_be_shown_in_any_usual_way(
    fake: FakeServer, http: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    assert await create(http, fake, headers) == (200, "anna")


@WITH_KEYS
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": f"Bearer {ANNA}x"},
        {"Authorization": f"Bearer {ANNA[:-1]}"},
        {"Authorization": "Basic !!!"},
        {"Authorization": basic(ANNA, "")},
        {"Authorization": f"Digest {ANNA}"},
        {"X-Api-Key": "ключ-ключ-ключ-ключ"},
        {"X-Api-Key": "wrong", "Authorization": f"Bearer {ANNA}"},
        {"Cookie": "imagegen_key=wrong"},
    ],
)
async def test_no_other_way_leads_in(fake: FakeServer, http: aiohttp.ClientSession, headers: dict[str, str]) -> None:
    assert await create(http, fake, headers) == (401, None)
    assert fake.requests == {}


@WITH_KEYS
@pytest.mark.parametrize(
    ("path", "is_public"),
    [
        *((path, True) for path in sorted(PUBLIC_PATHS - {"/session"})),
        ("/api/v1/jobs", False),
        ("/api/v1/events", False),
        ("/api/v1/jobs/j/live", False),
        ("/api/v1/assets/" + "0" * 64, False),
        ("/openai/v1/models", False),
        ("/a1111/sdapi/v1/options", False),
        ("/comfyui/ws", False),
        ("/comfyui/object_info", False),
        ("/nothing/here", False),
        ("/assets/../api/v1/jobs", False),
        ("/docs/", False),
    ],
)
async def test_everything_but_the_bare_page_needs_a_key(
    http: aiohttp.ClientSession, path: str, is_public: bool
) -> None:
    async with http.get(path) as response:
        assert (response.status != 401) == is_public
        assert (response.headers.get("WWW-Authenticate") is None) == is_public


@WITH_KEYS
async def test_a_preflight_needs_no_key(http: aiohttp.ClientSession) -> None:
    async with http.options("/api/v1/jobs", headers={"Access-Control-Request-Method": "POST"}) as response:
        assert response.status == 204


@WITH_KEYS
@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Api-Key": CHAT}, (200, "everybody")),
        ({"X-Api-Key": CHAT, "Imagegen-Owner": "carol"}, (200, "carol")),
        ({"X-Api-Key": CHAT, EMAIL: "bob@example.org", USER: "u-1"}, (200, "bob@example.org")),
        ({"X-Api-Key": CHAT, USER: "u-1"}, (200, "u-1")),
        ({"X-Api-Key": CHAT, EMAIL: "jürgen@example.org", USER: "u-2"}, (200, "u-2")),
        ({"X-Api-Key": CHAT, EMAIL: "x" * 300}, (200, "everybody")),
        ({"X-Api-Key": CHAT, "Imagegen-Owner": "x" * 300}, (400, None)),
        ({"X-Api-Key": ANNA, EMAIL: "bob@example.org"}, (200, "anna")),
        ({"X-Api-Key": ANNA, "Imagegen-Owner": "anna"}, (200, "anna")),
        ({"X-Api-Key": ANNA, "Imagegen-Owner": "bob@example.org"}, (403, None)),
        ({"X-Api-Key": CHAT, "X-OpenWebUI-User-Jwt": "not looked at"}, (200, "everybody")),
    ],
)
async def test_only_a_key_that_acts_for_users_may_name_one(
    fake: FakeServer, http: aiohttp.ClientSession, headers: dict[str, str], expected: tuple[int, str | None]
) -> None:
    assert await create(http, fake, headers) == expected


async def test_without_keys_everybody_is_trusted(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    assert await create(http, fake, {EMAIL: "bob@example.org"}) == (200, "bob@example.org")
    assert await create(http, fake, {"Imagegen-Owner": "anna"}) == (200, "anna")
    assert await create(http, fake, {}) == (200, None)


@WITH_SIGNATURES
async def test_with_a_secret_only_what_is_signed_counts(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    key = {"X-Api-Key": CHAT}
    assert await create(http, fake, key | {"X-OpenWebUI-User-Jwt": signed()}) == (200, "bob@example.org")
    assert await create(http, fake, key | {"X-OpenWebUI-User-Jwt": signed(email="")}) == (200, "u-1")
    assert await create(http, fake, key | {EMAIL: "mallory@example.org"}) == (200, "everybody")
    assert await create(http, fake, {"X-Api-Key": ANNA, "X-OpenWebUI-User-Jwt": signed()}) == (200, "anna")


@WITH_SIGNATURES
@pytest.mark.parametrize(
    "token",
    [
        "garbage",
        signed(secret="somebody else's secret, which is as long as the right one"),
        signed(exp=1),
        signed(exp=None),
        signed(iss="another"),
        jwt.encode({"iss": "open-webui", "sub": "u", "exp": 2**40}, None, "none"),
    ],
    ids=["garbage", "forged", "expired", "endless", "of another issuer", "unsigned"],
)
async def test_a_bad_signature_is_refused(fake: FakeServer, http: aiohttp.ClientSession, token: str) -> None:
    assert await create(http, fake, {"X-Api-Key": CHAT, "X-OpenWebUI-User-Jwt": token}) == (401, None)


@WITH_KEYS
async def test_a_browser_signs_in_and_out(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    async with http.post("/session", json={"key": "wrong-wrong-wrong-wrong"}) as response:
        assert (response.status, response.cookies) == (401, {})
    async with http.post("/session", json={"key": ANNA}) as response:
        cookie = response.cookies["imagegen_key"]
        assert (response.status, cookie["httponly"], cookie["samesite"]) == (204, True, "Strict")
    async with http.delete("/session") as response:
        assert (response.status, response.cookies["imagegen_key"].value) == (204, "")


@WITH_KEYS
@pytest.mark.parametrize(
    ("body", "status"),
    [("{", 400), ("[]", 400), ('{"key": 7}', 400), ('{"key": ""}', 400), (f'{{"key": "{"x" * 5000}"}}', 413)],
)
async def test_what_is_no_key_is_refused(http: aiohttp.ClientSession, body: str, status: int) -> None:
    async with http.post("/session", data=body, headers={"Content-Type": "application/json"}) as response:
        assert response.status == status
    async with http.post("/session", data=body) as response:  # a form of another page cannot sign a browser in
        assert response.status == 415


async def test_without_keys_there_is_no_cookie(http: aiohttp.ClientSession) -> None:
    async with http.post("/session", json={"key": ANNA}) as response:
        assert (response.status, response.cookies) == (204, {})


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ([{"name": "a", "key": "short"}], "must have 16 to 256 characters"),
        ([{"name": "a", "key": "x" * 257}], "must have 16 to 256 characters"),
        ([{"name": "A", "key": ANNA}], "pattern"),
        ([{"name": "a", "key": "with spaces in it, long"}], "without spaces"),
        ([{"name": "a", "key": ANNA}, {"name": "a", "key": CHAT}], "of its own"),
        ([{"name": "a", "key": ANNA}, {"name": "b", "key": ANNA}], "of its own"),
        ([{"name": "a", "key": ANNA, "admin": True}], "Extra inputs"),
        ([{"name": "a", "key": ANNA, "role": "owner"}], "'user' or 'admin'"),
        ("{", "JSON list"),
    ],
)
def test_bad_keys_are_refused_without_showing_them(keys: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem) as caught:
        GatewaySettings(keys=keys)
    assert ANNA not in str(caught.value)


@pytest.mark.parametrize("url", ["open-webui:8080", "ftp://open-webui", "http://", "http://open-webui/?a=b"])
def test_what_is_no_address_of_open_webui_is_refused_in_words(url: str) -> None:
    with pytest.raises(ValidationError, match="must be an address like http://open-webui:8080") as caught:
        GatewaySettings(openwebui_url=url)
    assert "pattern" not in str(caught.value)


def test_keys_allow_to_listen_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEGEN_KEYS", f'[{{"name": "anna", "key": "{ANNA}"}}]')
    settings = GatewaySettings(http="0.0.0.0:8000")
    assert [key.name for key in settings.keys] == ["anna"]
    assert ANNA not in repr(settings)


def test_a_key_is_found_by_its_secret_only() -> None:
    keys = [KeySettings.model_validate(key).checked() for key in KEYS]
    assert find_key(keys, CHAT) is keys[1]
    assert find_key(keys, "chat") is None
    assert find_key([], CHAT) is None


def test_users_are_called_by_what_a_call_can_carry() -> None:
    assert user_name(" bob@example.org ", "u") == "bob@example.org"
    assert user_name("", "") == ""
    assert user_name("jürgen@example.org", "ü") == ""
