"""What all calls share: one channel, one owner, and patience with a server that is away."""

from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from imagegen.v1.asset_pb2_grpc import AssetServiceStub
from imagegen.v1.backend_pb2_grpc import BackendServiceStub
from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceStub
from imagegen.v1.key_pb2_grpc import KeyServiceStub
from imagegen.v1.model_pb2_grpc import ModelServiceStub
from imagegen.v1.queue_pb2_grpc import QueueServiceStub
from imagegen.v1.settings_pb2_grpc import SettingsServiceStub
from imagegen.v1.workflow_pb2_grpc import WorkflowServiceStub
from imagegen_client.channel import open_channel
from imagegen_client.errors import ImagegenError, translated_errors
from imagegen_client.retrying import Backoff, Retry
from imagegen_client.watching import pause

if TYPE_CHECKING:  # these names are in the stubs only
    from imagegen.v1.asset_pb2_grpc import AssetServiceAsyncStub
    from imagegen.v1.backend_pb2_grpc import BackendServiceAsyncStub
    from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceAsyncStub
    from imagegen.v1.key_pb2_grpc import KeyServiceAsyncStub
    from imagegen.v1.model_pb2_grpc import ModelServiceAsyncStub
    from imagegen.v1.queue_pb2_grpc import QueueServiceAsyncStub
    from imagegen.v1.settings_pb2_grpc import SettingsServiceAsyncStub
    from imagegen.v1.workflow_pb2_grpc import WorkflowServiceAsyncStub

CALL_TIMEOUT_S = 60.0
"""Every try of a plain call is answered within this time, or counts as Unavailable."""

MAX_OWNER_LENGTH = 256

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


def checked_owner(owner: str) -> str:
    """The owner without space around it. Raises ValueError for what a call cannot carry."""
    trimmed = owner.strip()
    if len(trimmed) > MAX_OWNER_LENGTH or not all(" " <= character <= "~" for character in trimmed):
        raise ValueError(f"an owner is at most {MAX_OWNER_LENGTH} printable ASCII characters")
    return trimmed


class Connection:
    """The base of the calls of every service; see Client."""

    def __init__(
        self, address: str, *, owner: str = "", give_up_after_s: float = 10.0, backoff: Backoff | None = None
    ) -> None:
        self.address = address
        self.owner = checked_owner(owner)
        self._metadata = (("imagegen-owner", self.owner),) if self.owner else ()
        self._give_up_after_s = give_up_after_s
        self._backoff = backoff or Backoff()

    async def __aenter__(self) -> Self:
        self._channel = open_channel(self.address)
        self._jobs: ImageGenServiceAsyncStub = ImageGenServiceStub(self._channel)
        self._queue: QueueServiceAsyncStub = QueueServiceStub(self._channel)
        self._assets: AssetServiceAsyncStub = AssetServiceStub(self._channel)
        self._backends: BackendServiceAsyncStub = BackendServiceStub(self._channel)
        self._models: ModelServiceAsyncStub = ModelServiceStub(self._channel)
        self._workflows: WorkflowServiceAsyncStub = WorkflowServiceStub(self._channel)
        self._settings: SettingsServiceAsyncStub = SettingsServiceStub(self._channel)
        self._keys: KeyServiceAsyncStub = KeyServiceStub(self._channel)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._channel.close()

    async def _call(
        self,
        method: grpc.aio.UnaryUnaryMultiCallable[_Request, _Response],
        request: _Request,
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> _Response:
        retry = self._new_retry()
        while True:
            try:
                with translated_errors():
                    return await method(request, timeout=timeout_s, metadata=self._metadata)
            except ImagegenError as error:
                await pause(retry, error)

    def _new_retry(self) -> Retry:
        return Retry(self._backoff, give_up_after_s=self._give_up_after_s)
