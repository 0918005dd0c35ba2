"""The calls of KeyService."""

from imagegen.v1.key_pb2 import (
    CreateKeyRequest,
    CreateKeyResponse,
    DeleteKeyRequest,
    Key,
    KeyRole,
    ListKeysRequest,
)
from imagegen_client.calls.connection import Connection


class KeyCalls(Connection):
    """Keys that are made while everything runs, beside those of the gateway's configuration."""

    async def list_keys(self) -> list[Key]:
        """Those that were made here, by name."""
        return list((await self._call(self._keys.ListKeys, ListKeysRequest())).keys)

    async def create_key(
        self,
        name: str,
        *,
        role: KeyRole.ValueType = KeyRole.KEY_ROLE_USER,
        owner: str = "",
        acts_for_users: bool = False,
    ) -> CreateKeyResponse:
        """Makes a key. Its secret is in the answer, and nowhere else."""
        key = Key(name=name, role=role, owner=owner, acts_for_users=acts_for_users)
        return await self._call(self._keys.CreateKey, CreateKeyRequest(key=key))

    async def delete_key(self, name: str) -> None:
        """Takes a key away: from now on nobody gets in with it."""
        await self._call(self._keys.DeleteKey, DeleteKeyRequest(name=name))
