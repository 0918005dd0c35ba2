"""A small imagegen server with real sockets: jobs are scripted stories, and calls fail on command.

As a program (`python -m tests.client.fake`) it prints its address and serves until it is killed.
What a job does is chosen by words of its prompt: "fail", "expire", "wait" (until it is cancelled), "stubborn" (does not
even end then), "warn", "moved" (its first backend goes silent), "uncertain" (and nobody knows what became of it),
"spread" (over two backends at once); "invalid" and "full" are refused; all others succeed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc

from imagegen.v1.asset_pb2_grpc import add_AssetServiceServicer_to_server
from imagegen.v1.backend_pb2_grpc import add_BackendServiceServicer_to_server
from imagegen.v1.image_gen_pb2_grpc import add_ImageGenServiceServicer_to_server
from imagegen.v1.key_pb2_grpc import add_KeyServiceServicer_to_server
from imagegen.v1.model_pb2_grpc import add_ModelServiceServicer_to_server
from imagegen.v1.queue_pb2_grpc import add_QueueServiceServicer_to_server
from imagegen.v1.settings_pb2_grpc import add_SettingsServiceServicer_to_server
from imagegen.v1.workflow_pb2_grpc import add_WorkflowServiceServicer_to_server
from tests.client.fake.assets import FakeAssets
from tests.client.fake.catalog import FakeBackends, FakeModels
from tests.client.fake.jobs import FakeJobs
from tests.client.fake.keys import FakeKeys
from tests.client.fake.queue import FakeQueue
from tests.client.fake.settings import FakeSettings
from tests.client.fake.state import FakeServer
from tests.client.fake.workflows import FakeWorkflows


@asynccontextmanager
async def serve_fake(server: FakeServer, port: int = 0) -> AsyncIterator[int]:
    """Serves on 127.0.0.1 and gives the port."""
    grpc_server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    add_ImageGenServiceServicer_to_server(FakeJobs(server), grpc_server)
    add_AssetServiceServicer_to_server(FakeAssets(server), grpc_server)
    add_BackendServiceServicer_to_server(FakeBackends(server), grpc_server)
    add_KeyServiceServicer_to_server(FakeKeys(server), grpc_server)
    add_ModelServiceServicer_to_server(FakeModels(server), grpc_server)
    add_QueueServiceServicer_to_server(FakeQueue(server), grpc_server)
    add_SettingsServiceServicer_to_server(FakeSettings(server), grpc_server)
    add_WorkflowServiceServicer_to_server(FakeWorkflows(server), grpc_server)
    bound = grpc_server.add_insecure_port(f"127.0.0.1:{port}")
    await grpc_server.start()
    try:
        yield bound
    finally:
        await grpc_server.stop(None)


async def main() -> None:
    async with serve_fake(FakeServer()) as port:
        print(f"127.0.0.1:{port}", flush=True)
        await asyncio.Event().wait()
