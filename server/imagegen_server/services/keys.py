"""KeyService."""

from dataclasses import dataclass

from imagegen.v1 import key_pb2 as pb
from imagegen_server.errors import Refused
from imagegen_server.services.rpc import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyService:
    async def list_keys(self, _request: pb.ListKeysRequest, _: Context) -> pb.ListKeysResponse:
        return pb.ListKeysResponse()

    async def create_key(self, _request: pb.CreateKeyRequest, _: Context) -> pb.CreateKeyResponse:
        raise Refused("STORE_UNAVAILABLE", "keys cannot be stored yet")

    async def delete_key(self, request: pb.DeleteKeyRequest, _: Context) -> pb.DeleteKeyResponse:
        raise Refused("KEY_NOT_FOUND", f"no key that was made here is called {request.name!r}")

    async def watch_keys(self, _request: pb.WatchKeysRequest, context: Context) -> None:
        await context.write(pb.WatchKeysResponse())
