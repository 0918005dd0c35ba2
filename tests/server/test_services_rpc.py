"""Binding methods to descriptors: what every rpc gets for free."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
import structlog.testing

from imagegen.v1 import backend_pb2 as pb
from imagegen_server.services.rpc import bind, snake_case
from imagegen_server.stores.store import StoreError
from tests.server.serving import Caller, calling, refusal_of


class BrokenService:
    """Fails in a way that nobody thought of."""

    async def list_backends(self, request: pb.ListBackendsRequest, context: object) -> pb.ListBackendsResponse:
        raise RuntimeError("the password is secret")

    async def get_backend(self, request: pb.GetBackendRequest, context: object) -> pb.GetBackendResponse:
        if request.name == "full":
            raise StoreError("could not write to the database: OperationalError")
        return pb.GetBackendResponse(backend=pb.Backend(name=request.name))

    async def refresh_backend(self, request: pb.RefreshBackendRequest, context: object) -> bytes:
        return pb.RefreshBackendResponse(backend=pb.Backend(name=request.name)).SerializeToString()

    async def drain_backend(self, request: pb.DrainBackendRequest, context: object) -> pb.DrainBackendResponse:
        raise grpc.aio.InternalError("Failed execute_batch")

    async def undrain_backend(self, request: pb.UndrainBackendRequest, context: object) -> pb.UndrainBackendResponse:
        raise NotImplementedError

    create_backend = delete_backend = undrain_backend


@asynccontextmanager
async def serving_broken() -> AsyncIterator[Caller]:
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    descriptor = pb.DESCRIPTOR.services_by_name["BackendService"]
    server.add_generic_rpc_handlers((bind(descriptor, BrokenService()),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with calling(f"127.0.0.1:{port}") as caller:
            yield caller
    finally:
        await server.stop(None)


async def test_a_fault_of_ours_is_internal_and_tells_nothing() -> None:
    async with serving_broken() as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.backends.ListBackends(pb.ListBackendsRequest())
    told = refusal_of(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "secret" not in str(caught.value)


async def test_a_caller_that_went_away_is_no_fault() -> None:
    async with serving_broken() as caller:
        with structlog.testing.capture_logs() as lines, pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.backends.DrainBackend(pb.DrainBackendRequest(name="one"))
    assert caught.value.code() == grpc.StatusCode.CANCELLED
    assert [line["log_level"] for line in lines] == ["debug"]


async def test_a_store_that_takes_nothing_is_told_with_a_delay() -> None:
    async with serving_broken() as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.backends.GetBackend(pb.GetBackendRequest(name="full"))
    told = refusal_of(caught.value)
    assert (told.code, told.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert told.retry_after_s == 5.0


async def test_answers_are_messages_or_their_bytes() -> None:
    async with serving_broken() as caller:
        got = await caller.backends.GetBackend(pb.GetBackendRequest(name="one"))
        refreshed = await caller.backends.RefreshBackend(pb.RefreshBackendRequest(name="one"))
    assert got.backend == refreshed.backend == pb.Backend(name="one")


async def test_rules_are_checked_before_the_method_is_called() -> None:
    async with serving_broken() as caller:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await caller.backends.GetBackend(pb.GetBackendRequest())
    assert list(refusal_of(caught.value).fields) == ["name"]


@pytest.mark.parametrize(("name", "method"), [("GetJob", "get_job"), ("WatchJobs", "watch_jobs"), ("Do", "do")])
def test_rpcs_are_methods(name: str, method: str) -> None:
    assert snake_case(name) == method
