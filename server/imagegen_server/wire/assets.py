"""Assets and the gallery."""

from imagegen.v1 import asset_pb2 as pb
from imagegen_server.gallery import AssetSource, Facets, GalleryEntry, words_of
from imagegen_server.jobs import Asset, AssetOrigin
from imagegen_server.stores.model import AssetFilter
from imagegen_server.wire.scalars import from_timestamp, to_timestamp

_ORIGINS = {origin: pb.AssetOrigin.Value(f"ASSET_ORIGIN_{origin.name}") for origin in AssetOrigin}
_ORIGINS_BACK = {value: origin for origin, value in _ORIGINS.items()}


def encode_asset(asset: Asset) -> pb.Asset:
    """The file alone, as a job keeps it."""
    return pb.Asset(
        digest=asset.digest,
        size_bytes=asset.size_bytes,
        media_type=asset.media_type,
        width=asset.width,
        height=asset.height,
        create_time=to_timestamp(asset.create_time),
        origin=_ORIGINS[asset.origin],
        job_id=asset.job_id,
    )


def decode_asset(asset: pb.Asset) -> Asset:
    """What `encode_asset` was given."""
    return Asset(
        digest=asset.digest,
        size_bytes=asset.size_bytes,
        media_type=asset.media_type,
        width=asset.width,
        height=asset.height,
        create_time=from_timestamp(asset.create_time),
        origin=_ORIGINS_BACK[asset.origin],
        job_id=asset.job_id,
    )


def encode_entry(entry: GalleryEntry, *, keep_deleted_s: float) -> pb.Asset:
    """The file with what is kept beside it. `keep_deleted_s`: how long a deleted one is kept."""
    asset = encode_asset(entry.asset)
    asset.favorite = entry.favorite
    if entry.source is not None:
        asset.source.CopyFrom(_encode_source(entry.source))
    if entry.delete_time is not None:
        asset.delete_time.CopyFrom(to_timestamp(entry.delete_time))
        asset.purge_time.CopyFrom(to_timestamp(entry.delete_time + keep_deleted_s))
    return asset


def decode_filter(request: pb.ListAssetsRequest) -> AssetFilter:
    return AssetFilter(
        origin=_ORIGINS_BACK.get(request.origin),
        job_id=request.job_id,
        words=words_of(request.text),
        model=request.model,
        workflow_id=request.workflow_id,
        owner=request.owner if request.HasField("owner") else None,
        created_after=from_timestamp(request.created_after) if request.HasField("created_after") else None,
        created_before=from_timestamp(request.created_before) if request.HasField("created_before") else None,
        favorites=request.favorites,
        pictures=request.pictures,
        deleted=request.deleted,
    )


def encode_facets(facets: Facets) -> pb.GetAssetFacetsResponse:
    return pb.GetAssetFacetsResponse(
        pictures=facets.pictures,
        favorites=facets.favorites,
        deleted=facets.deleted,
        models=[pb.AssetFacet(value=value, count=count) for value, count in facets.models],
        workflows=[pb.AssetFacet(value=value, count=count) for value, count in facets.workflows],
        owners=[pb.AssetFacet(value=value, count=count) for value, count in facets.owners],
    )


def _encode_source(source: AssetSource) -> pb.AssetSource:
    return pb.AssetSource(
        owner=source.owner,
        prompt=source.prompt,
        model=source.model,
        workflow_id=source.workflow_id,
        image_index=source.image_index,
        seed=source.seed,
        intermediate=source.intermediate,
    )
