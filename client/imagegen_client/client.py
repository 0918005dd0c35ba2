"""The async client of an imagegen server."""

import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from imagegen.v1.asset_pb2 import (
    Asset,
    AssetOrigin,
    DeleteAssetRequest,
    GetAssetRequest,
    ListAssetsRequest,
)
from imagegen.v1.asset_pb2_grpc import AssetServiceStub
from imagegen.v1.backend_pb2 import Backend, GetBackendRequest, ListBackendsRequest, RefreshBackendRequest
from imagegen.v1.backend_pb2_grpc import BackendServiceStub
from imagegen.v1.image_gen_pb2 import (
    CancelJobRequest,
    CreateJobRequest,
    DeleteJobRequest,
    GetJobRequest,
    ListJobsRequest,
    PreviewDelivery,
    WatchOptions,
)
from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceStub
from imagegen.v1.job_pb2 import ImageParameters, Job, JobSpec, JobState
from imagegen.v1.model_pb2 import (
    GetModelRequest,
    ListModelsRequest,
    Model,
    ModelType,
    RefreshModelsRequest,
    RefreshModelsResponse,
)
from imagegen.v1.model_pb2_grpc import ModelServiceStub
from imagegen_client import transfers
from imagegen_client.channel import open_channel
from imagegen_client.errors import ImagegenError, translated_errors
from imagegen_client.retrying import Backoff, Retry
from imagegen_client.watching import Watch, pause

if TYPE_CHECKING:  # these names are in the stubs only
    from imagegen.v1.asset_pb2_grpc import AssetServiceAsyncStub
    from imagegen.v1.backend_pb2_grpc import BackendServiceAsyncStub
    from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceAsyncStub
    from imagegen.v1.model_pb2_grpc import ModelServiceAsyncStub

CALL_TIMEOUT_S = 60.0
"""Every try of a plain call is answered within this time, or counts as Unavailable."""

MAX_DOWNLOAD_BYTES = 256 * 1024 * 1024
"""What `download` takes into memory unless told otherwise."""

Source = str | ImageParameters | JobSpec
"""What to make: a prompt, the parameters of images, or a whole specification."""

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")


class Client:
    """Speaks to one server; `async with` opens and closes its connection, and every stream with it.

        async with Client("127.0.0.1:50051") as client:
            async with client.generate("a red fox") as watch:
                async for event in watch:
                    ...

    Data are the messages of `imagegen.v1`. Every method raises ImagegenError (see errors.py). Calls are repeated while
    the server is not there, with growing pauses, until `give_up_after_s` have passed; each of them can be repeated
    without harm. The address is "host:port"; the connection is made with the first call.
    """

    def __init__(self, address: str, *, give_up_after_s: float = 10.0, backoff: Backoff | None = None) -> None:
        self.address = address
        self._give_up_after_s = give_up_after_s
        self._backoff = backoff or Backoff()

    async def __aenter__(self) -> Self:
        self._channel = open_channel(self.address)
        self._jobs: ImageGenServiceAsyncStub = ImageGenServiceStub(self._channel)
        self._assets: AssetServiceAsyncStub = AssetServiceStub(self._channel)
        self._backends: BackendServiceAsyncStub = BackendServiceStub(self._channel)
        self._models: ModelServiceAsyncStub = ModelServiceStub(self._channel)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._channel.close()

    async def create_job(self, source: Source, *, request_id: str = "", validate_only: bool = False) -> Job:
        """Hands in a job; once this returns, the server never loses it.

        The request id makes the call idempotent: the same id and source give the first job again. Without one a fresh
        id is made, so that our own repetitions never make a second job. With `validate_only` nothing is accepted, and
        the job is what it would be, without id.
        """
        request = CreateJobRequest(
            spec=_spec_of(source), request_id=request_id or str(uuid.uuid4()), validate_only=validate_only
        )
        return (await self._call(self._jobs.CreateJob, request)).job

    @asynccontextmanager
    async def generate(
        self,
        source: Source,
        *,
        request_id: str = "",
        previews: PreviewDelivery.ValueType = PreviewDelivery.PREVIEW_DELIVERY_INLINE,
        max_rate_hz: float = 0.0,
        max_pixels: int = 0,
        give_up_after_s: float | None = None,
    ) -> AsyncIterator[Watch]:
        """Hands in a job as `create_job` does, and watches it from its first event as `watch` does.

        Leaving the block leaves the job running: `cancel` stops it.
        """
        job = await self.create_job(source, request_id=request_id)
        async with self.watch(
            job.job_id,
            resume_token="earliest",  # noqa: S106  # a word of the protocol, no secret
            previews=previews,
            max_rate_hz=max_rate_hz,
            max_pixels=max_pixels,
            give_up_after_s=give_up_after_s,
        ) as watch:
            yield watch

    @asynccontextmanager
    async def watch(
        self,
        job_id: str,
        *,
        resume_token: str = "",
        previews: PreviewDelivery.ValueType = PreviewDelivery.PREVIEW_DELIVERY_INLINE,
        max_rate_hz: float = 0.0,
        max_pixels: int = 0,
        give_up_after_s: float | None = None,
    ) -> AsyncIterator[Watch]:
        """Streams a job's events; see Watch for what is guaranteed.

        Without a token it begins with a snapshot; "earliest" replays every durable event. Iteration raises the last
        error when the server stays away for `give_up_after_s` (None: for ever), and at once when it is not there for a
        reason that does not pass, as a job that does not exist. Leaving the block leaves the job alone.
        """
        watch = Watch(
            self._jobs.WatchJob,
            job_id,
            resume_token=resume_token,
            options=WatchOptions(previews=previews, max_rate_hz=max_rate_hz, max_pixels=max_pixels),
            retry=Retry(self._backoff, give_up_after_s=give_up_after_s, is_stream=True),
        )
        try:
            yield watch
        finally:
            watch.close()

    async def get_job(self, job_id: str) -> Job:
        """A job as it is now."""
        return (await self._call(self._jobs.GetJob, GetJobRequest(job_id=job_id))).job

    async def list_jobs(
        self,
        *,
        states: Iterable[JobState.ValueType] = (),
        owner: str = "",
        label: str = "",
        text: str = "",
        page_size: int = 0,
    ) -> AsyncIterator[Job]:
        """Jobs, newest first; pages are fetched as the iteration gets there."""
        request = ListJobsRequest(states=states, owner=owner, label=label, text=text, page_size=page_size)
        while True:
            page = await self._call(self._jobs.ListJobs, request)
            for job in page.jobs:
                yield job
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def cancel(self, job_id: str) -> Job:
        """Cancels a job and gives it as it is then: a running one is CANCELLING until its backend has confirmed.

        A job that has ended is left as it is.
        """
        return (await self._call(self._jobs.CancelJob, CancelJobRequest(job_id=job_id))).job

    async def delete(self, job_id: str) -> None:
        """Forgets a job that has ended. Its outputs stay.

        Raises NotFound also when a first try had worked and only its answer was lost.
        """
        await self._call(self._jobs.DeleteJob, DeleteJobRequest(job_id=job_id))

    async def upload(self, source: bytes | Path) -> Asset:
        """Stores a file, to be named by its digest in jobs. Raises OSError for a file that cannot be read."""
        return await transfers.upload(self._assets, source, self._new_retry())

    async def download(self, digest: str, *, max_bytes: int = MAX_DOWNLOAD_BYTES) -> bytes:
        """The bytes of an asset, checked against its digest. Raises Damaged for a larger one."""
        content = transfers.chunks(self._assets, digest, new_retry=self._new_retry, max_bytes=max_bytes)
        async with aclosing(content):
            return b"".join([chunk async for chunk in content])

    async def download_to(self, digest: str, path: Path, *, overwrite: bool = False) -> None:
        """Writes an asset to a file, which appears complete and checked against its digest, or not at all.

        Raises FileExistsError unless `overwrite` is set, and OSError for a file that cannot be written.
        """
        content = transfers.chunks(self._assets, digest, new_retry=self._new_retry)
        async with aclosing(content):
            await transfers.save(content, path, overwrite=overwrite)

    async def get_asset(self, digest: str) -> Asset:
        """What is known about a file."""
        return (await self._call(self._assets.GetAsset, GetAssetRequest(digest=digest))).asset

    async def list_assets(
        self,
        *,
        origin: AssetOrigin.ValueType = AssetOrigin.ASSET_ORIGIN_UNSPECIFIED,
        job_id: str = "",
        page_size: int = 0,
    ) -> AsyncIterator[Asset]:
        """Files, newest first; pages are fetched as the iteration gets there."""
        request = ListAssetsRequest(origin=origin, job_id=job_id, page_size=page_size)
        while True:
            page = await self._call(self._assets.ListAssets, request)
            for asset in page.assets:
                yield asset
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def delete_asset(self, digest: str) -> None:
        """Deletes a file. Raises NotFound also when a first try had worked and only its answer was lost."""
        await self._call(self._assets.DeleteAsset, DeleteAssetRequest(digest=digest))

    async def list_backends(self) -> list[Backend]:
        """Every configured backend as it was last seen."""
        return list((await self._call(self._backends.ListBackends, ListBackendsRequest())).backends)

    async def get_backend(self, name: str) -> Backend:
        """One backend as it was last seen."""
        return (await self._call(self._backends.GetBackend, GetBackendRequest(name=name))).backend

    async def refresh_backend(self, name: str) -> Backend:
        """One backend as it answers now. One that does not answer is no error: see its `health`."""
        return (await self._call(self._backends.RefreshBackend, RefreshBackendRequest(name=name))).backend

    async def list_models(
        self,
        *,
        type: ModelType.ValueType = ModelType.MODEL_TYPE_UNSPECIFIED,  # noqa: A002  # the proto's word
        backend: str = "",
        text: str = "",
    ) -> list[Model]:
        """What requests can name: checkpoints, samplers and the like, by type and name."""
        request = ListModelsRequest(type=type, backend=backend, text=text)
        return list((await self._call(self._models.ListModels, request)).models)

    async def get_model(self, type: ModelType.ValueType, name: str) -> Model:  # noqa: A002  # the proto's word
        """One model."""
        return (await self._call(self._models.GetModel, GetModelRequest(type=type, name=name))).model

    async def refresh_models(self, *, backend: str = "") -> RefreshModelsResponse:
        """Has the backends asked for their lists again: the models, and the backends that did not answer."""
        return await self._call(self._models.RefreshModels, RefreshModelsRequest(backend=backend))

    async def _call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[_Request, _Response], request: _Request
    ) -> _Response:
        retry = self._new_retry()
        while True:
            try:
                with translated_errors():
                    return await method(request, timeout=CALL_TIMEOUT_S)
            except ImagegenError as error:
                await pause(retry, error)

    def _new_retry(self) -> Retry:
        return Retry(self._backoff, give_up_after_s=self._give_up_after_s)


def _spec_of(source: Source) -> JobSpec:
    match source:
        case JobSpec():
            return source
        case ImageParameters():
            return JobSpec(image=source)
        case str():
            return JobSpec(image=ImageParameters(prompt=source))
