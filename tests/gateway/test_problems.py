"""Errors: a total table, and one form for every one of them."""

import asyncio

import aiohttp
import grpc
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]  # ships no annotations

from imagegen.v1 import error_pb2
from imagegen_gateway.app import Gateway, serve_gateway
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.errors import HTTP_BY_STATUS, STATUS_BY_NUMBER, Problem, from_status, title
from tests.gateway.fake_server import FakeServer


def status(code: int, reason: str) -> status_pb2.Status:
    made = status_pb2.Status(code=code, message="what happened")
    made.details.add().Pack(error_details_pb2.ErrorInfo(reason=reason, domain="imagegen"))
    return made


def test_every_grpc_status_has_an_http_status() -> None:
    assert set(HTTP_BY_STATUS) == set(grpc.StatusCode) == set(STATUS_BY_NUMBER.values())
    assert all(title(code) != "Error" for code in HTTP_BY_STATUS.values())


@pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
def test_every_status_and_reason_make_an_error_document(code: grpc.StatusCode) -> None:
    for name in sorted(error_pb2.ErrorReason.keys()):
        reason = name.removeprefix("ERROR_REASON_")
        problem = from_status(status(code.value[0], reason))
        assert 400 <= problem.status < 600
        assert problem.reason == reason


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (3, "ASSET_TOO_LARGE", 413),
        (11, "INVALID_RANGE", 416),
        (5, "JOB_NOT_FOUND", 404),
        (6, "REQUEST_ID_REUSED", 409),
        (9, "JOB_NOT_FINISHED", 409),
        (8, "QUEUE_FULL", 429),
        (8, "QUOTA_EXCEEDED", 429),
        (9, "JOB_NOT_QUEUED", 409),
        (9, "JOB_FINISHED", 409),
        (14, "SHUTTING_DOWN", 503),
        (1, "", 503),
        (77, "", 500),
    ],
)
def test_some_of_the_table(code: int, reason: str, expected: int) -> None:
    assert from_status(status(code, reason)).status == expected


async def test_everything_the_server_said_is_passed_on(fake: FakeServer, http: aiohttp.ClientSession) -> None:
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="spec.image.width", description="must be a multiple of 8")
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(2500)
    quota = error_details_pb2.QuotaFailure()
    quota.violations.add(subject="queue", description="9 jobs wait already; at most 9 may")
    details = (bad, quota, retry)
    fake.errors["CreateJob"] = (grpc.StatusCode.RESOURCE_EXHAUSTED, "the queue is full", "QUEUE_FULL", details)
    async with http.post("/api/v1/jobs", json={}) as response:
        assert response.status == 429
        assert response.headers["Retry-After"] == "3"
        assert response.content_type == "application/problem+json"
        assert await response.json(content_type=None) == {
            "type": "/docs#error-QUEUE_FULL",
            "title": "Too Many Requests",
            "status": 429,
            "detail": "the queue is full",
            "reason": "QUEUE_FULL",
            "errors": [{"field": "spec.image.width", "description": "must be a multiple of 8"}],
            "quota": [{"subject": "queue", "description": "9 jobs wait already; at most 9 may"}],
            "retry_after": 2.5,
        }


@pytest.mark.parametrize(
    ("verb", "path", "expected"),
    [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/nothing", 404),
        ("PUT", "/api/v1/jobs", 405),
        ("GET", "/api/v1/jobs/j:cancel", 405),
        ("HEAD", "/api/v1/jobs/j/events", 405),
    ],
)
async def test_unknown_routes_and_methods_are_problems(
    http: aiohttp.ClientSession, verb: str, path: str, expected: int
) -> None:
    async with http.request(verb, path) as response:
        assert response.status == expected
        assert response.content_type == "application/problem+json"
        assert ("Allow" in response.headers) == (expected == 405)


async def test_a_fault_of_the_gateway_is_a_problem_without_details(
    fake: FakeServer, http: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("imagegen_gateway.transcoding.build_request", broken)
    async with http.get("/api/v1/jobs") as response:
        assert response.status == 500
        text = await response.text()
    assert "secret" not in text
    assert '"reason":"INTERNAL"' in text


async def test_the_log_has_what_programs_of_others_may_hide(http: aiohttp.ClientSession) -> None:
    with structlog.testing.capture_logs() as lines:
        headers = {"Imagegen-Owner": "anna"}
        async with http.post("/a1111/sdapi/v1/interrogate", json={}, headers=headers) as response:
            said = await response.text()
    (line,) = lines
    assert line["owner"] == "anna"
    assert (line["event"], line["path"], line["status"]) == ("refused", "/a1111/sdapi/v1/interrogate", response.status)
    assert line["why"] in said


def test_a_problem_without_a_reason_has_no_type_of_its_own() -> None:
    assert b'"type":"about:blank"' in Problem(404, "nothing").body()


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/api/v1/assets", {"Content-Type": "multipart/form-data"}, b"no boundary"),
        ("/api/v1/assets", {"Content-Type": f"multipart/form-data; boundary={'x' * 100}"}, b"too long a boundary"),
        ("/api/v1/assets", {"Content-Type": "multipart/form-data; boundary=x"}, b"another boundary"),
        ("/api/v1/assets", {"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\n" + b"A: b\r\n" * 10_000),
        (
            "/api/v1/assets",
            {"Content-Type": "multipart/form-data; boundary=x"},
            b"--x\r\n\xff: b\r\n\r\nz\r\n--x--\r\n",
        ),
    ],
)
async def test_a_body_that_breaks_its_own_format_is_the_callers_fault(
    http: aiohttp.ClientSession, path: str, headers: dict[str, str], body: bytes
) -> None:
    async with http.post(path, data=body, headers=headers) as response:
        assert response.status == 400
        assert response.content_type == "application/problem+json"
        assert (await response.json(content_type=None))["reason"] == "INVALID_REQUEST"


async def test_what_is_no_http_is_refused_and_not_logged(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """Request lines hold prompts, and whoever sends garbage must not fill the log."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    writer.write(b"GET /\xffsecret HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert "secret" not in caplog.text


async def test_the_proxy_for_the_web_is_not_asked(fake: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "no_grpc_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    settings = GatewaySettings(http="127.0.0.1:0", server=fake.address)
    async with (
        serve_gateway(settings) as gateway,
        aiohttp.ClientSession(gateway.url) as http,
        http.get("/api/v1/jobs") as response,
    ):
        assert response.status == 200
