# ruff: noqa: N802  # the names of rpcs are the proto's
"""Files, in memory."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

from imagegen.v1 import asset_pb2
from imagegen.v1.asset_pb2_grpc import AssetServiceServicer
from tests.client.fake.faults import NO_ASSET
from tests.client.fake.state import FakeServer
from tests.client.fake.stories import NOW

CHUNK_BYTES = 1024


class FakeAssets(AssetServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server

    async def WriteAsset(self, request_iterator: Any, context: Any) -> Any:
        header, content, cut = None, b"", self._server.next_cut("WriteAsset")
        chunks = 0
        async for message in request_iterator:
            if message.HasField("header"):
                header = message.header
                await self._server.enter("WriteAsset", message, context)
            if chunks == cut:
                await self._server.cut_by.raise_in(context)
            chunks += message.HasField("chunk")
            content += message.chunk
        if cut is not None:
            await self._server.cut_by.raise_in(context)
        assert header is not None
        assert header.digest == hashlib.sha256(content).hexdigest()
        assert header.size_bytes == len(content)
        return asset_pb2.WriteAssetResponse(asset=self._server.store(content))

    async def ReadAsset(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._server.enter("ReadAsset", request, context)
        asset, content = await self._asset(request.digest, context)
        if request.metadata not in (asset_pb2.METADATA_POLICY_UNSPECIFIED, asset_pb2.METADATA_POLICY_KEEP):
            content = asset_pb2.MetadataPolicy.Name(request.metadata).encode() + content
        cut = self._server.next_cut("ReadAsset")
        yield asset_pb2.ReadAssetResponse(asset=asset)
        for number, start in enumerate(range(request.offset, len(content), CHUNK_BYTES)):
            if number == cut:
                break
            yield asset_pb2.ReadAssetResponse(chunk=content[start : start + CHUNK_BYTES])
        if cut is not None:
            await self._server.cut_by.raise_in(context)

    async def GetAsset(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetAsset", request, context)
        return asset_pb2.GetAssetResponse(asset=(await self._asset(request.digest, context))[0])

    async def ListAssets(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListAssets", request, context)
        assets = [asset for asset, _ in reversed(self._server.assets.values())]
        assets = [asset for asset in assets if not request.origin or asset.origin == request.origin]
        assets = [asset for asset in assets if asset.HasField("delete_time") == request.deleted]
        assets = [asset for asset in assets if asset.favorite or not request.favorites]
        start, size = int(request.page_token or 0), request.page_size or 50
        more = str(start + size) if start + size < len(assets) else ""
        return asset_pb2.ListAssetsResponse(assets=assets[start : start + size], next_page_token=more)

    async def DeleteAsset(self, request: Any, context: Any) -> Any:
        await self._server.enter("DeleteAsset", request, context)
        asset, _ = await self._asset(request.digest, context, deleted=request.permanently)
        if request.permanently:
            del self._server.assets[request.digest]
            return asset_pb2.DeleteAssetResponse()
        asset.delete_time.CopyFrom(NOW)
        asset.purge_time.CopyFrom(NOW)
        return asset_pb2.DeleteAssetResponse(asset=asset)

    async def GetAssetFacets(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetAssetFacets", request, context)
        return asset_pb2.GetAssetFacetsResponse()

    async def UndeleteAsset(self, request: Any, context: Any) -> Any:
        await self._server.enter("UndeleteAsset", request, context)
        asset, _ = await self._asset(request.digest, context, deleted=True)
        asset.ClearField("delete_time")
        asset.ClearField("purge_time")
        return asset_pb2.UndeleteAssetResponse(asset=asset)

    async def UpdateAsset(self, request: Any, context: Any) -> Any:
        await self._server.enter("UpdateAsset", request, context)
        asset, _ = await self._asset(request.digest, context)
        asset.favorite = request.favorite
        return asset_pb2.UpdateAssetResponse(asset=asset)

    async def _asset(self, digest: str, context: Any, *, deleted: bool = False) -> tuple[asset_pb2.Asset, bytes]:
        found = self._server.assets.get(digest)
        if found is None or (found[0].HasField("delete_time") and not deleted):
            await NO_ASSET.raise_in(context)
            raise AssertionError("the call has ended")
        return found
