"""Asks the server what there is."""

import asyncio
from typing import TYPE_CHECKING

import grpc

from imagegen.v1 import backend_pb2, backend_pb2_grpc, model_pb2, model_pb2_grpc
from imagegen_gateway.dialects.a1111.names import Stock

if TYPE_CHECKING:  # these names are in the stubs only
    from imagegen.v1.backend_pb2_grpc import BackendServiceAsyncStub
    from imagegen.v1.model_pb2_grpc import ModelServiceAsyncStub


class Stockroom:
    """The models and backends of the server, asked each time: both are in its memory."""

    def __init__(self, channel: grpc.aio.Channel, timeout_s: float) -> None:
        self._models: ModelServiceAsyncStub = model_pb2_grpc.ModelServiceStub(channel)
        self._backends: BackendServiceAsyncStub = backend_pb2_grpc.BackendServiceStub(channel)
        self._timeout_s = timeout_s

    async def look(self) -> Stock:
        """All there is now. Raises AioRpcError."""
        models, backends = await asyncio.gather(
            self._models.ListModels(model_pb2.ListModelsRequest(), timeout=self._timeout_s),
            self._backends.ListBackends(backend_pb2.ListBackendsRequest(), timeout=self._timeout_s),
        )
        return Stock(models.models, backends.backends)

    async def refresh(self) -> None:
        """Has the backends asked for their lists again, and waits for the answers. Raises AioRpcError."""
        await self._models.RefreshModels(model_pb2.RefreshModelsRequest(), timeout=self._timeout_s)
