"""KeyService."""

from contextlib import aclosing
from dataclasses import dataclass

from imagegen.v1 import key_pb2 as pb
from imagegen_server.keys import Keys
from imagegen_server.services.rpc import Context
from imagegen_server.stores.store import StoredKey
from imagegen_server.wire.scalars import to_timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyService:
    keys: Keys
    server_id: str

    async def list_keys(self, _request: pb.ListKeysRequest, _: Context) -> pb.ListKeysResponse:
        return pb.ListKeysResponse(keys=map(_encode, await self.keys.stored()))

    async def create_key(self, request: pb.CreateKeyRequest, _: Context) -> pb.CreateKeyResponse:
        wanted = request.key
        key, secret = await self.keys.add(
            wanted.name,
            owner=wanted.owner.strip(),
            is_admin=wanted.role == pb.KEY_ROLE_ADMIN,
            acts_for_users=wanted.acts_for_users,
        )
        return pb.CreateKeyResponse(key=_encode(key), secret=secret)

    async def delete_key(self, request: pb.DeleteKeyRequest, _: Context) -> pb.DeleteKeyResponse:
        await self.keys.delete(request.name)
        return pb.DeleteKeyResponse()

    async def watch_keys(self, _request: pb.WatchKeysRequest, context: Context) -> None:
        async with aclosing(self.keys.watch()) as told:
            async for keys in told:
                watched = [pb.WatchedKey(key=_encode(key), sha256=key.sha256) for key in keys]
                await context.write(pb.WatchKeysResponse(keys=watched, server_id=self.server_id))


def _encode(key: StoredKey) -> pb.Key:
    return pb.Key(
        name=key.name,
        owner=key.owner,
        role=pb.KEY_ROLE_ADMIN if key.is_admin else pb.KEY_ROLE_USER,
        acts_for_users=key.acts_for_users,
        create_time=to_timestamp(key.create_time),
    )
