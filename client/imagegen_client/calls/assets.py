"""The calls of AssetService."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path

from imagegen.v1.asset_pb2 import (
    Asset,
    AssetOrigin,
    DeleteAssetRequest,
    GetAssetRequest,
    ListAssetsRequest,
    MetadataPolicy,
    UndeleteAssetRequest,
    UpdateAssetRequest,
)
from imagegen.v1.image_gen_pb2 import GetGenerationMetadataRequest, GetGenerationMetadataResponse
from imagegen_client import transfers
from imagegen_client.calls.connection import Connection

MAX_DOWNLOAD_BYTES = 256 * 1024 * 1024
"""What `download` takes into memory unless told otherwise."""


class AssetCalls(Connection):
    """Files."""

    async def upload(self, source: bytes | Path) -> Asset:
        """Stores a file, to be named by its digest in jobs. Raises OSError for a file that cannot be read."""
        return await transfers.upload(self._assets, source, self._new_retry(), self._metadata)

    async def download(
        self,
        digest: str,
        *,
        max_bytes: int = MAX_DOWNLOAD_BYTES,
        metadata: MetadataPolicy.ValueType = MetadataPolicy.METADATA_POLICY_KEEP,
    ) -> bytes:
        """The bytes of an asset; as it is stored, checked against its digest. Raises Damaged for a larger one.

        `metadata` says what becomes of a picture's generation metadata.
        """
        content = self._content(digest, metadata, max_bytes)
        async with aclosing(content):
            return b"".join([chunk async for chunk in content])

    async def download_to(
        self,
        digest: str,
        path: Path,
        *,
        overwrite: bool = False,
        metadata: MetadataPolicy.ValueType = MetadataPolicy.METADATA_POLICY_KEEP,
    ) -> None:
        """Writes an asset to a file, which appears complete, or not at all. The asset is checked as by `download`.

        Raises FileExistsError unless `overwrite` is set, and OSError for a file that cannot be written.
        """
        content = self._content(digest, metadata)
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
        text: str = "",
        model: str = "",
        workflow_id: str = "",
        owner: str | None = None,
        favorites: bool = False,
        pictures: bool = False,
        deleted: bool = False,
        page_size: int = 0,
    ) -> AsyncIterator[Asset]:
        """Files, newest first; pages are fetched as the iteration gets there. What is left out does not filter.

        `owner` empty: made for nobody in particular. `deleted`: those that can be brought back, in place of the others.
        """
        request = ListAssetsRequest(
            origin=origin,
            job_id=job_id,
            text=text,
            model=model,
            workflow_id=workflow_id,
            owner=owner,
            favorites=favorites,
            pictures=pictures,
            deleted=deleted,
            page_size=page_size,
        )
        while True:
            page = await self._call(self._assets.ListAssets, request)
            for asset in page.assets:
                yield asset
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def generation_metadata(self, digest: str) -> GetGenerationMetadataResponse:
        """How a picture was made, as far as that is known."""
        return await self._call(self._jobs.GetGenerationMetadata, GetGenerationMetadataRequest(digest=digest))

    async def mark_asset(self, digest: str, *, favorite: bool) -> Asset:
        """Makes a file a favorite, or no longer."""
        return (await self._call(self._assets.UpdateAsset, UpdateAssetRequest(digest=digest, favorite=favorite))).asset

    async def delete_asset(self, digest: str, *, permanently: bool = False) -> Asset | None:
        """Deletes a file; gives what can be brought back until its `purge_time`, None: it is gone for good.

        Raises NotFound also when a first try had worked and only its answer was lost.
        """
        request = DeleteAssetRequest(digest=digest, permanently=permanently)
        answer = await self._call(self._assets.DeleteAsset, request)
        return answer.asset if answer.HasField("asset") else None

    async def undelete_asset(self, digest: str) -> Asset:
        """Brings a deleted file back."""
        return (await self._call(self._assets.UndeleteAsset, UndeleteAssetRequest(digest=digest))).asset

    def _content(
        self, digest: str, policy: MetadataPolicy.ValueType, max_bytes: int | None = None
    ) -> AsyncGenerator[bytes]:
        if policy not in (MetadataPolicy.METADATA_POLICY_UNSPECIFIED, MetadataPolicy.METADATA_POLICY_KEEP):
            return transfers.rewritten(
                self._assets, digest, policy, retry=self._new_retry(), metadata=self._metadata, max_bytes=max_bytes
            )
        return transfers.chunks(
            self._assets, digest, new_retry=self._new_retry, metadata=self._metadata, max_bytes=max_bytes
        )
