"""Making and deleting keys so that nobody is locked out.

Only the gateway knows the keys of its configuration, so it is the gateway that refuses: the server makes any key.
"""

import asyncio
from collections.abc import Mapping

from imagegen.v1 import key_pb2
from imagegen_gateway.errors import Problem
from imagegen_gateway.keyring import Keyring, role_of
from imagegen_gateway.keys import digest_of, why_not_delete, why_not_make
from imagegen_gateway.transcoding import Around, Perform


class KeyChanges:
    """What is done around the two calls."""

    def __init__(self, keyring: Keyring, *, is_loopback: bool) -> None:
        self._keyring = keyring
        self._is_loopback = is_loopback
        # Held until the ring knows of the change, so that each is judged by what the one before has left.
        self._changing = asyncio.Lock()

    @property
    def arounds(self) -> Mapping[str, Around]:
        """By the name of the rpc."""
        return {"CreateKey": self.create, "DeleteKey": self.delete}

    async def create(self, request: key_pb2.CreateKeyRequest, perform: Perform) -> key_pb2.CreateKeyResponse:
        """Makes a key. It counts when this is answered. Raises Problem 409."""
        ring = self._keyring
        async with self._changing:
            if any(key.name == request.key.name for key in ring.configured):
                raise Problem(409, f"the configuration has a key {request.key.name!r} already", reason="KEY_EXISTS")
            refuse(why_not_make(ring.keys, role_of(request.key)))
            made: key_pb2.CreateKeyResponse = await perform(request)
            digest = digest_of(made.secret)
            await ring.until(lambda: any(key.sha256 == digest for key in ring.stored))
            return made

    async def delete(self, request: key_pb2.DeleteKeyRequest, perform: Perform) -> key_pb2.DeleteKeyResponse:
        """Deletes a key. Nobody gets in with it when this is answered. Raises Problem 409."""
        ring = self._keyring
        async with self._changing:
            refuse(why_not_delete(ring.configured, ring.stored, request.name, is_loopback=self._is_loopback))
            done: key_pb2.DeleteKeyResponse = await perform(request)
            await ring.until(lambda: all(key.name != request.name for key in ring.stored))
            return done


def refuse(why: str) -> None:
    """Raises Problem 409 where there is a reason to."""
    if why:
        raise Problem(409, why, reason="FAILED_PRECONDITION")
