# ruff: noqa: N802  # the names of rpcs are the proto's
"""Keys that let nobody in."""

from typing import Any

from imagegen.v1 import key_pb2
from imagegen.v1.key_pb2_grpc import KeyServiceServicer
from tests.client.fake.faults import NO_KEY
from tests.client.fake.state import FakeServer
from tests.client.fake.stories import NOW


class FakeKeys(KeyServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._keys: dict[str, key_pb2.Key] = {}

    async def ListKeys(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListKeys", request, context)
        return key_pb2.ListKeysResponse(keys=self._keys.values())

    async def CreateKey(self, request: Any, context: Any) -> Any:
        await self._server.enter("CreateKey", request, context)
        key = self._keys[request.key.name] = request.key
        key.create_time.CopyFrom(NOW)
        return key_pb2.CreateKeyResponse(key=key, secret=f"secret-of-{key.name}")

    async def DeleteKey(self, request: Any, context: Any) -> Any:
        await self._server.enter("DeleteKey", request, context)
        if self._keys.pop(request.name, None) is None:
            await NO_KEY.raise_in(context)
        return key_pb2.DeleteKeyResponse()

    async def WatchKeys(self, request: Any, context: Any) -> Any:
        await self._server.enter("WatchKeys", request, context)
        yield key_pb2.WatchKeysResponse()
