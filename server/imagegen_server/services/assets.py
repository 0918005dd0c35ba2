"""AssetService."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from imagegen.v1 import asset_pb2 as pb
from imagegen_adapters.errors import Violation
from imagegen_server.assets import AssetStore, slices
from imagegen_server.errors import Refused, invalid
from imagegen_server.gallery import GalleryEntry
from imagegen_server.jobs import Asset, AssetOrigin
from imagegen_server.retention import Policy
from imagegen_server.services.metadata import GenerationMetadata
from imagegen_server.services.rpc import Context
from imagegen_server.stores.store import Store
from imagegen_server.tokens import TokenCodec
from imagegen_server.wire.assets import decode_filter, encode_entry, encode_facets

DEFAULT_PAGE_SIZE = 50
MAX_FORGOTTEN_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetService:
    assets: AssetStore
    store: Store
    tokens: TokenCodec
    metadata: GenerationMetadata
    retention: Callable[[], Policy]
    """Gives what counts now."""

    async def write_asset(self, requests: AsyncIterator[pb.WriteAssetRequest], _: Context) -> pb.WriteAssetResponse:
        first = await anext(requests, None)
        if first is None or not first.HasField("header"):
            raise invalid([Violation("header", "must be in the first message")])
        # At once: a refusal in the middle of what a caller is sending can get lost on its way.
        self.assets.check_announced(first.header.size_bytes)
        try:
            asset = await self._write(first.header, requests)
        except Refused:
            await _read_out(requests)
            raise
        return pb.WriteAssetResponse(asset=self._encode(await self.assets.entry(asset.digest)))

    async def _write(self, header: pb.AssetHeader, requests: AsyncIterator[pb.WriteAssetRequest]) -> Asset:
        async with self.assets.writer() as writer:
            async for request in requests:
                if request.HasField("header"):
                    raise invalid([Violation("header", "must be in the first message only")])
                await writer.write(request.chunk)
            return await writer.commit(
                origin=AssetOrigin.UPLOAD, expected_digest=header.digest, expected_size=header.size_bytes
            )

    async def read_asset(self, request: pb.ReadAssetRequest, context: Context) -> None:
        entry = await self.assets.entry(request.digest, include_deleted=request.include_deleted)
        chunks = await self._chunks(request)
        # The first chunk is read before anything is sent, so that a refusal is the only answer.
        first = await anext(chunks, b"")
        await context.write(pb.ReadAssetResponse(asset=self._encode(entry)))
        if first:
            await context.write(pb.ReadAssetResponse(chunk=first))
        async for chunk in chunks:
            await context.write(pb.ReadAssetResponse(chunk=chunk))

    async def _chunks(self, request: pb.ReadAssetRequest) -> AsyncIterator[bytes]:
        match request.metadata:
            case pb.METADATA_POLICY_STRIP:
                data = await self.metadata.stripped(request.digest)
            case pb.METADATA_POLICY_A1111:
                data = await self.metadata.with_parameters(request.digest)
            case _:
                return self.assets.read(
                    request.digest,
                    offset=request.offset,
                    limit=request.limit,
                    include_deleted=request.include_deleted,
                )
        return slices(data, offset=request.offset, limit=request.limit)

    async def get_asset(self, request: pb.GetAssetRequest, _: Context) -> pb.GetAssetResponse:
        return pb.GetAssetResponse(asset=self._encode(await self.assets.entry(request.digest)))

    async def list_assets(self, request: pb.ListAssetsRequest, _: Context) -> pb.ListAssetsResponse:
        wanted = decode_filter(request)
        scope = f"assets {wanted}"
        before = self.tokens.decode_page(request.page_token, scope) if request.page_token else None
        entries, next_before = await self.store.list_assets(
            wanted, limit=request.page_size or DEFAULT_PAGE_SIZE, before=before
        )
        return pb.ListAssetsResponse(
            assets=[self._encode(entry) for entry in entries],
            next_page_token=self.tokens.encode_page(next_before, scope) if next_before is not None else "",
            total_size=await self.store.count_assets(wanted),
        )

    async def get_asset_facets(self, _request: pb.GetAssetFacetsRequest, _: Context) -> pb.GetAssetFacetsResponse:
        return encode_facets(await self.store.asset_facets())

    async def update_asset(self, request: pb.UpdateAssetRequest, _: Context) -> pb.UpdateAssetResponse:
        if request.HasField("favorite"):
            entry = await self.assets.mark(request.digest, favorite=request.favorite)
        else:
            entry = await self.assets.entry(request.digest)
        return pb.UpdateAssetResponse(asset=self._encode(entry))

    async def delete_asset(self, request: pb.DeleteAssetRequest, _: Context) -> pb.DeleteAssetResponse:
        if request.permanently or not self.retention().keep_deleted_s:
            await self.assets.remove(request.digest)
            return pb.DeleteAssetResponse()
        return pb.DeleteAssetResponse(asset=self._encode(await self.assets.delete(request.digest)))

    async def undelete_asset(self, request: pb.UndeleteAssetRequest, _: Context) -> pb.UndeleteAssetResponse:
        return pb.UndeleteAssetResponse(asset=self._encode(await self.assets.undelete(request.digest)))

    def _encode(self, entry: GalleryEntry) -> pb.Asset:
        return encode_entry(entry, keep_deleted_s=self.retention().keep_deleted_s)


async def _read_out(requests: AsyncIterator[pb.WriteAssetRequest]) -> None:
    """Takes what is still being sent and forgets it: grpc.aio loses an answer that meets a write on its way.

    Bounded: whoever sends on after that may not learn why it was refused.
    """
    left = MAX_FORGOTTEN_BYTES
    async for request in requests:
        left -= request.ByteSize() + 1
        if left < 0:
            return
