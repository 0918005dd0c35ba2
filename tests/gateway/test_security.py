"""What keeps other sites and other names out."""

from typing import Any

import aiohttp
import pytest
from pydantic import ValidationError

from imagegen_gateway.app import Gateway
from imagegen_gateway.config import GatewaySettings
from tests.gateway.fake_server import FakeServer


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "[::1]:9", "LOCALHOST"])
async def test_loopback_names_are_served(http: aiohttp.ClientSession, host: str) -> None:
    async with http.get("/healthz", headers={"Host": host}) as response:
        assert response.status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "localhost.evil.example", ""])
async def test_other_names_are_421(http: aiohttp.ClientSession, host: str) -> None:
    async with http.get("/api/v1/jobs", headers={"Host": host}) as response:
        assert response.status == 421
        assert response.content_type == "application/problem+json"


@pytest.mark.parametrize("settings", [{"allowed_hosts": ["Images.Home"]}])
async def test_names_can_be_added(http: aiohttp.ClientSession) -> None:
    async with http.get("/healthz", headers={"Host": "images.home:8000"}) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[malformed"},
        {"Origin": ""},
        {"Origin": "http://localhost:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/api/v1/jobs"),
        ("PATCH", "/api/v1/jobs/j"),
        ("DELETE", "/api/v1/jobs/j"),
        ("POST", "/api/v1/assets"),
    ],
)
async def test_other_sites_may_change_nothing(
    fake: FakeServer, http: aiohttp.ClientSession, headers: dict[str, str], verb: str, path: str
) -> None:
    async with http.request(verb, path, json={}, headers=headers) as response:
        assert response.status == 403
    assert fake.requests == {}


async def test_the_own_page_and_programs_may(http: aiohttp.ClientSession, gateway: Gateway) -> None:
    for headers in ({}, {"Origin": gateway.url, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}):
        async with http.post("/api/v1/jobs", json={}, headers=headers) as response:
            assert response.status == 200


async def test_cors_is_off(http: aiohttp.ClientSession) -> None:
    async with http.get("/healthz", headers={"Origin": "https://chat.example"}) as response:
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("settings", [{"cors_origins": ["https://chat.example"]}])
async def test_a_configured_origin_may_call(http: aiohttp.ClientSession) -> None:
    origin = {"Origin": "https://chat.example", "Sec-Fetch-Site": "cross-site"}
    async with http.options("/api/v1/jobs", headers={**origin, "Access-Control-Request-Method": "POST"}) as response:
        assert response.status == 204
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        assert "PATCH" in response.headers["Access-Control-Allow-Methods"]
        assert "Idempotency-Key" in response.headers["Access-Control-Allow-Headers"]
        assert "Imagegen-Owner" in response.headers["Access-Control-Allow-Headers"]
    async with http.post("/api/v1/jobs", json={}, headers=origin) as response:
        assert response.status == 200
        assert response.headers["Access-Control-Allow-Origin"] == "https://chat.example"
        assert "Origin" in response.headers["Vary"]
    async with http.post("/api/v1/jobs", json={}, headers={"Origin": "https://evil.example"}) as response:
        assert response.status == 403
        assert "Access-Control-Allow-Origin" not in response.headers


@pytest.mark.parametrize("path", ["/", "/docs", "/healthz", "/nowhere", "/api/v1/jobs", "/theme.js"])
async def test_every_answer_carries_the_headers(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(path) as response:
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["Server"] == "imagegen"


async def test_a_304_says_nothing_about_the_content(http: aiohttp.ClientSession) -> None:
    """A browser replaces the headers of what it has kept by those: the policy for data would switch the page off."""
    async with http.get("/") as response:
        etag = response.headers["ETag"]
    async with http.get("/", headers={"If-None-Match": etag}) as response:
        assert response.status == 304
        assert response.headers.keys().isdisjoint({"Content-Security-Policy", "Cross-Origin-Resource-Policy"})


async def test_headers_of_any_size_are_not_read(http: aiohttp.ClientSession) -> None:
    async with http.get("/healthz", headers={"X-Large": "x" * 40_000}) as response:
        assert response.status == 400


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, GZip"])
async def test_a_packed_body_is_not_unpacked(http: aiohttp.ClientSession, encoding: str) -> None:
    async with http.post("/api/v1/jobs", data=b"{}", headers={"Content-Encoding": encoding}) as response:
        assert (response.status, response.headers["Accept-Encoding"]) == (415, "identity")


@pytest.mark.parametrize("setting", ["http", "a1111_http", "comfyui_http"])
@pytest.mark.parametrize("address", ["0.0.0.0:8000", "192.168.1.5:8000", "[::]:8000", "example.org:80"])
def test_nothing_listens_beyond_loopback_unless_told_so(setting: str, address: str) -> None:
    with pytest.raises(ValidationError, match="allow_unauthenticated"):
        GatewaySettings.model_validate({setting: address})
    assert not GatewaySettings.model_validate({setting: address, "allow_unauthenticated": True}).is_loopback


@pytest.mark.parametrize("address", ["127.0.0.1:0", "localhost:8000", "[::1]:8000", "127.8.8.8:1"])
def test_loopback_needs_no_consent(address: str) -> None:
    assert GatewaySettings(http=address).is_loopback


@pytest.mark.parametrize("address", ["8000", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", ":8000"])
def test_an_address_without_both_parts_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="HOST:PORT"):
        GatewaySettings(http=address)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEGEN_CORS_ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("IMAGEGEN_MAX_WATCHERS", "7")
    settings = GatewaySettings()
    assert settings.cors_origins == ["https://a.example", "https://b.example"]
    assert settings.max_watchers == 7


def test_settings_come_from_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "imagegen.toml").write_text('http = "127.0.0.1:9000"\n[[backends]]\nkind = "demo"\n')
    monkeypatch.chdir(tmp_path)
    assert GatewaySettings().addresses == ["127.0.0.1:9000"]
    assert GatewaySettings(http="127.0.0.1:9001").addresses == ["127.0.0.1:9001"]


def test_every_setting_is_described() -> None:
    assert [name for name, field in GatewaySettings.model_fields.items() if not field.description] == []


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEGEN_ALLOW_UNAUTHENTICATED", "")
    monkeypatch.setenv("IMAGEGEN_ALLOWED_HOSTS", "")
    assert (GatewaySettings().allow_unauthenticated, GatewaySettings().allowed_hosts) == (False, [])
