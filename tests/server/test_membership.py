"""Backends that come and go while jobs wait and run; with the real adapters, and fakes of their servers."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import backend_pb2 as pb
from imagegen.v1.job_pb2 import JOB_STATE_SUCCEEDED, WAIT_REASON_NO_BACKEND, JobSpec
from imagegen.v1.system_pb2 import GetSystemRequest
from imagegen_server.app import serve
from imagegen_server.config import BackendSettings, ServerSettings
from tests.fakes import a1111, comfyui
from tests.server.serving import RHYTHM, Caller, Refusal, calling, refusal_of, text_to_image

LABELS = {"gpu": "big"}


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[Caller]:
    """A server with the demo in its configuration, which gets none of these tests' jobs."""
    settings.setdefault("backends", (BackendSettings(kind="demo"),))
    configured = ServerSettings(grpc="127.0.0.1:0", data_dir=folder, **settings)
    async with serve(configured, rhythm=RHYTHM) as server, calling(server.address) as caller:
        await caller.backends.DrainBackend(pb.DrainBackendRequest(name=configured.backends[0].name))
        yield caller


def small(**fields: Any) -> JobSpec:
    return text_to_image(steps=2, width=64, height=64, **fields)


async def add(caller: Caller, url: str = "", **fields: Any) -> pb.Backend:
    return (await caller.backends.CreateBackend(pb.CreateBackendRequest(url=url, **fields))).backend


async def remove(caller: Caller, name: str) -> None:
    await caller.backends.DeleteBackend(pb.DeleteBackendRequest(name=name))


async def names(caller: Caller) -> list[str]:
    return [each.name for each in (await caller.backends.ListBackends(pb.ListBackendsRequest())).backends]


async def refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():  # noqa: ASYNC110  # what is waited for tells nobody
            await asyncio.sleep(0.01)


async def test_backends_come_take_what_waits_and_go(tmp_path: Path) -> None:
    async with comfyui.open_fake(step_s=0.001) as one, a1111.open_fake() as two:
        async with running(tmp_path) as caller:
            first = await caller.create(small())
            assert first.queue.reason == WAIT_REASON_NO_BACKEND
            added = await add(caller, one.url, labels=LABELS)
            assert (added.name, added.kind, added.url, added.added) == ("comfyui", "comfyui", one.url, True)
            assert (added.health, dict(added.labels)) == (pb.BACKEND_HEALTH_HEALTHY, LABELS)
            assert (await caller.until_ended(first.job_id)).attempts[0].backend == "comfyui"

            assert (await add(caller, two.url.replace("//", "//me:hidden@"), name="other")).kind == "a1111"
            done = await caller.until_ended((await caller.create(small(backend="other"))).job_id)
            assert (done.state, done.attempts[0].backend) == (JOB_STATE_SUCCEEDED, "other")
            await caller.backends.DrainBackend(pb.DrainBackendRequest(name="comfyui"))

        async with running(tmp_path) as caller:
            assert await names(caller) == ["demo", "comfyui", "other"]
            listed = (await caller.backends.ListBackends(pb.ListBackendsRequest())).backends
            assert [(each.added, each.drained) for each in listed] == [(False, True), (True, True), (True, False)]
            assert "hidden" not in str(listed)
            bound = await caller.create(small(backend="comfyui"))
            await remove(caller, "comfyui")
            assert await names(caller) == ["demo", "other"]
            assert (await caller.get(bound.job_id)).queue.reason == WAIT_REASON_NO_BACKEND
            assert (await refused(caller.create(small(backend="comfyui")))).reason == "BACKEND_NOT_FOUND"
            assert not (await add(caller, one.url, name="comfyui")).drained, "it is another one now"
            assert (await caller.until_ended(bound.job_id)).attempts[0].backend == "comfyui"
            assert (await caller.get(first.job_id)).attempts[0].backend == "comfyui"


async def test_a_backend_at_work_stays(tmp_path: Path) -> None:
    async with comfyui.open_fake(step_s=0.2) as fake:
        async with running(tmp_path) as caller:
            await add(caller, fake.url)
            job = await caller.create(small())
            await caller.until_event(job.job_id, "progress")
            told = await refused(remove(caller, "comfyui"))
            assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BACKEND_BUSY")
            await caller.backends.DrainBackend(pb.DrainBackendRequest(name="comfyui"))
        async with running(tmp_path) as caller:
            done = await caller.until_ended(job.job_id)
            assert (done.state, len(done.attempts)) == (JOB_STATE_SUCCEEDED, 1), "found again after the restart"
            await until(lambda: is_removed(caller, "comfyui"))


async def is_removed(caller: Caller, name: str) -> bool:
    try:
        await remove(caller, name)
    except grpc.aio.AioRpcError as error:
        if refusal_of(error).reason != "BACKEND_BUSY":
            raise
        return False
    return True


async def test_an_address_is_tried_without_adding_it(tmp_path: Path) -> None:
    async with a1111.open_fake(api_auth="me:hidden") as fake, running(tmp_path) as caller:
        url = fake.url.replace("//", "//me:hidden@")
        tried = await add(caller, url, validate_only=True)
        assert (tried.name, tried.kind, tried.health) == ("a1111", "a1111", pb.BACKEND_HEALTH_HEALTHY)
        assert tried.url == fake.url
        assert (await add(caller, url + "/?__theme=dark#top", validate_only=True)).url == fake.url + "/"
        told = await refused(add(caller, url.replace("hidden", "wrong"), validate_only=True))
        assert (told.reason, list(told.fields)) == ("INVALID_REQUEST", ["url"])
        assert "wrong" not in told.message
        gone = await add(caller, "http://127.0.0.1:1", kind="comfyui", validate_only=True)
        assert gone.health == pb.BACKEND_HEALTH_UNHEALTHY
        assert "refused" in gone.reason
        assert await names(caller) == ["demo"]


REFUSALS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"url": ""}, "INVALID_ARGUMENT", "INVALID_REQUEST", "url"),
    ({"url": "ftp://127.0.0.1:8188"}, "INVALID_ARGUMENT", "INVALID_REQUEST", "url"),
    ({"url": "http://me:hidden@127.0.0.1:none"}, "INVALID_ARGUMENT", "INVALID_REQUEST", "url"),
    ({"url": "http://me:hidden@[::1"}, "INVALID_ARGUMENT", "INVALID_REQUEST", "url"),
    ({"url": "http://me:hidden@one two"}, "INVALID_ARGUMENT", "INVALID_REQUEST", "url"),
    ({"url": "http://me:hidden@a..b", "kind": "comfyui"}, "INVALID_ARGUMENT", "INVALID_REQUEST", "url"),
    ({"url": "http://127.0.0.1:1", "kind": "sdnext"}, "INVALID_ARGUMENT", "INVALID_REQUEST", "kind"),
    ({"url": "http://127.0.0.1:1", "kind": "demo"}, "INVALID_ARGUMENT", "INVALID_REQUEST", "url"),
    ({"url": "http://127.0.0.1:1", "name": "Big"}, "INVALID_ARGUMENT", "INVALID_REQUEST", "name"),
    ({"url": "http://127.0.0.1:1"}, "UNAVAILABLE", "BACKEND_UNREACHABLE", ""),
    ({"kind": "demo", "name": "demo"}, "ALREADY_EXISTS", "BACKEND_EXISTS", ""),
    ({"url": "http://me@LOCALHOST:1/", "kind": "a1111"}, "ALREADY_EXISTS", "BACKEND_EXISTS", ""),
]


async def test_what_cannot_be_added_is_refused_in_words(tmp_path: Path) -> None:
    configured = (BackendSettings(kind="demo"), BackendSettings(kind="comfyui", url="http://localhost:1"))
    async with running(tmp_path, backends=configured) as caller:
        for fields, code, reason, field in REFUSALS:
            for validate_only in (True, False):
                told = await refused(add(caller, **fields, validate_only=validate_only))
                assert (told.code.name, told.reason, list(told.fields)) == (code, reason, [field] if field else [])
                assert "hidden" not in told.message + str(told.fields)
        assert await names(caller) == ["demo", "comfyui"]


async def test_what_cannot_be_stored_does_not_count(tmp_path: Path) -> None:
    def rename(before: str, after: str) -> None:
        with closing(sqlite3.connect(tmp_path / "imagegen.db")) as database:
            database.execute(f"ALTER TABLE {before} RENAME TO {after}")

    async with running(tmp_path) as caller:
        await add(caller, kind="demo", name="kept")
        rename("backends", "gone")
        assert (await refused(add(caller, kind="demo", name="new"))).reason == "STORE_UNAVAILABLE"
        assert (await refused(remove(caller, "kept"))).reason == "STORE_UNAVAILABLE"
        assert await names(caller) == ["demo", "kept"]
        job = await caller.create(small(backend="kept"))
        assert (await caller.until_ended(job.job_id)).state == JOB_STATE_SUCCEEDED
        rename("gone", "backends")
        await add(caller, kind="demo", name="new")
        await remove(caller, "kept")
        assert await names(caller) == ["demo", "new"]


async def test_the_configuration_counts_before_what_was_added_and_stays(tmp_path: Path) -> None:
    async with running(tmp_path) as caller:
        assert (await add(caller, kind="demo")).name == "demo-2"
        assert (await add(caller, kind="demo", max_concurrent_jobs=3)).name == "demo-3"
        assert (await refused(remove(caller, "demo"))).reason == "BACKENDS_ARE_FIXED"
        assert (await refused(remove(caller, "demo-4"))).reason == "BACKEND_NOT_FOUND"
        assert (await caller.system.GetSystem(GetSystemRequest())).backend_changes_allowed
    one = BackendSettings(name="demo-2", kind="demo", max_concurrent_jobs=2)
    async with running(tmp_path, backends=(one,), allow_backend_changes=False) as caller:
        listed = (await caller.backends.ListBackends(pb.ListBackendsRequest())).backends
        assert [(each.name, each.added, each.max_concurrent_jobs) for each in listed] == [
            ("demo-2", False, 2),
            ("demo-3", True, 3),
        ]
        for call in (add(caller, kind="demo"), remove(caller, "demo-3")):
            told = await refused(call)
            assert (told.code, told.reason) == (grpc.StatusCode.PERMISSION_DENIED, "BACKENDS_ARE_FIXED")
        assert not (await caller.system.GetSystem(GetSystemRequest())).backend_changes_allowed
    with closing(sqlite3.connect(tmp_path / "imagegen.db")) as database:
        database.execute("UPDATE backends SET kind = 'of a later version' WHERE name = 'demo-3'")
        database.commit()
    async with running(tmp_path) as caller:
        assert await names(caller) == ["demo", "demo-2"], "the one was kept meanwhile, the other cannot be made"
        assert (await add(caller, kind="demo", name="demo-3")).added
