"""AssetService over a real socket."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Iterable
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import asset_pb2 as pb
from imagegen.v1.image_gen_pb2 import DeleteJobRequest, GetGenerationMetadataRequest
from imagegen.v1.settings_pb2 import RetentionSettings, Settings, UpdateSettingsRequest
from imagegen.v1.system_pb2 import TOPIC_ASSETS, WatchSystemRequest
from tests.server.scripted import ScriptedAdapter, ScriptedRun, picture
from tests.server.serving import Caller, Refusal, refusal_of, serving, text_to_image

PICTURE = picture(3, (320, 200))
DIGEST = hashlib.sha256(PICTURE).hexdigest()


@pytest.fixture
def adapter() -> ScriptedAdapter:
    return ScriptedAdapter()


@pytest.fixture
async def caller(tmp_path: Path, adapter: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": adapter}, max_asset_bytes=100_000) as caller:
        yield caller


async def refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


async def read(caller: Caller, digest: str = DIGEST, *, offset: int = 0, limit: int = 0) -> tuple[pb.Asset, bytes]:
    request = pb.ReadAssetRequest(digest=digest, offset=offset, limit=limit)
    answers = [answer async for answer in caller.assets.ReadAsset(request)]
    assert answers[0].WhichOneof("part") == "asset"
    return answers[0].asset, b"".join(answer.chunk for answer in answers[1:])


async def test_a_file_is_written_described_and_read(caller: Caller) -> None:
    asset = await caller.write(PICTURE, digest=DIGEST, size_bytes=len(PICTURE))
    assert (asset.digest, asset.size_bytes, asset.media_type) == (DIGEST, len(PICTURE), "image/png")
    assert (asset.width, asset.height, asset.origin, asset.job_id) == (320, 200, pb.ASSET_ORIGIN_UPLOAD, "")
    assert (await caller.assets.GetAsset(pb.GetAssetRequest(digest=DIGEST))).asset == asset
    assert await read(caller) == (asset, PICTURE)


async def test_writing_twice_gives_the_same_asset(caller: Caller) -> None:
    assert await caller.write(PICTURE) == await caller.write(PICTURE)


@pytest.mark.parametrize(
    ("offset", "limit"), [(0, 10), (10, 0), (10, 10), (len(PICTURE) - 1, 0), (5, 10**9), (0, len(PICTURE))]
)
async def test_a_part_is_read(caller: Caller, offset: int, limit: int) -> None:
    await caller.write(PICTURE)
    _, part = await read(caller, offset=offset, limit=limit)
    assert part == PICTURE[offset : offset + limit if limit else None]


async def test_an_offset_behind_the_end_is_refused(caller: Caller) -> None:
    await caller.write(PICTURE)
    told = await refused(read(caller, offset=len(PICTURE) + 1))
    assert (told.code, told.reason) == (grpc.StatusCode.OUT_OF_RANGE, "INVALID_RANGE")


@pytest.mark.parametrize(
    ("data", "header", "reason", "field"),
    [
        (PICTURE, {"digest": "0" * 64}, "DIGEST_MISMATCH", "header.digest"),
        (PICTURE, {"size_bytes": 7}, "DIGEST_MISMATCH", "header.size_bytes"),
        (b"no picture", {}, "INVALID_IMAGE", "chunk"),
        (PICTURE[:60], {}, "INVALID_IMAGE", "chunk"),
        (b"", {}, "INVALID_IMAGE", "chunk"),
        (PICTURE + bytes(100_000), {}, "ASSET_TOO_LARGE", "chunk"),
        (PICTURE, {"size_bytes": 10**9}, "ASSET_TOO_LARGE", "header.size_bytes"),
        (PICTURE, {"digest": "ABC"}, "INVALID_REQUEST", "header.digest"),
    ],
)
async def test_what_cannot_be_stored_is_refused(
    caller: Caller, data: bytes, header: dict[str, Any], reason: str, field: str
) -> None:
    told = await refused(caller.write(data, **header))
    assert (told.code, told.reason, list(told.fields)) == (grpc.StatusCode.INVALID_ARGUMENT, reason, [field])
    assert not (await caller.assets.ListAssets(pb.ListAssetsRequest())).assets


async def test_a_refusal_reaches_a_caller_that_is_still_sending(caller: Caller) -> None:
    for _ in range(10):
        told = await refused(caller.write(PICTURE + bytes(3_000_000), chunk=64 * 1024))
        assert told.reason == "ASSET_TOO_LARGE"


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [pb.WriteAssetRequest(chunk=b"x")],
        [pb.WriteAssetRequest(header=pb.AssetHeader()), pb.WriteAssetRequest(header=pb.AssetHeader())],
    ],
)
async def test_the_header_comes_first_and_once(caller: Caller, requests: Iterable[pb.WriteAssetRequest]) -> None:
    told = await refused(caller.assets.WriteAsset(iter(requests)))
    assert (told.reason, list(told.fields)) == ("INVALID_REQUEST", ["header"])


async def test_an_empty_message_is_refused(caller: Caller) -> None:
    told = await refused(caller.assets.WriteAsset(iter([pb.WriteAssetRequest()])))
    assert (told.reason, list(told.fields)) == ("INVALID_REQUEST", ["part"])


@pytest.mark.parametrize("method", ["GetAsset", "DeleteAsset"])
async def test_an_unknown_asset_is_not_found(caller: Caller, method: str) -> None:
    told = await refused(getattr(caller.assets, method)(getattr(pb, f"{method}Request")(digest="0" * 64)))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "ASSET_NOT_FOUND")


async def test_an_unknown_asset_cannot_be_read(caller: Caller) -> None:
    assert (await refused(read(caller, "0" * 64))).reason == "ASSET_NOT_FOUND"


async def test_the_gallery_lists_by_origin_and_job(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    upload = await caller.write(PICTURE)
    job = await caller.until_ended((await caller.create(text_to_image(count=3))).job_id)

    async def listed(**fields: Any) -> list[str]:
        page = await caller.assets.ListAssets(pb.ListAssetsRequest(**fields))
        return [asset.digest for asset in page.assets]

    made = [output.asset.digest for output in job.outputs]
    assert await listed(origin=pb.ASSET_ORIGIN_UPLOAD) == [upload.digest]
    assert await listed(job_id=job.job_id) == made[::-1]
    assert await listed() == [*made[::-1], upload.digest]
    first = await caller.assets.ListAssets(pb.ListAssetsRequest(page_size=3))
    assert await listed(page_token=first.next_page_token) == [upload.digest]
    told = await refused(caller.assets.ListAssets(pb.ListAssetsRequest(page_token="nonsense")))
    assert (told.reason, list(told.fields)) == ("INVALID_PAGE_TOKEN", ["page_token"])


async def test_an_asset_that_a_job_needs_stays(caller: Caller, adapter: ScriptedAdapter) -> None:
    await caller.write(PICTURE)
    job = await caller.create(text_to_image(init_image=DIGEST))
    run = await adapter.next_run()
    assert run.task.files == {DIGEST: PICTURE}
    told = await refused(caller.assets.DeleteAsset(pb.DeleteAssetRequest(digest=DIGEST)))
    assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ASSET_IN_USE")
    run.complete()
    await caller.until_ended(job.job_id)
    await caller.assets.DeleteAsset(pb.DeleteAssetRequest(digest=DIGEST))
    assert (await refused(read(caller))).reason == "ASSET_NOT_FOUND"


# --- the gallery -----------------------------------------------------------------------------------------------------


async def listed(caller: Caller, **fields: Any) -> list[str]:
    page = await caller.assets.ListAssets(pb.ListAssetsRequest(**fields))
    assert page.total_size == len(page.assets)
    return [asset.digest for asset in page.assets]


async def test_a_picture_tells_what_its_job_was_asked_for(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    spec = text_to_image(prompt="A Red Fox", model="first", seed=40, count=2)
    job = await caller.until_ended((await caller.create(spec, owner="anna")).job_id)
    first, second = [output.asset.digest for output in job.outputs]
    asset = (await caller.assets.GetAsset(pb.GetAssetRequest(digest=second))).asset
    assert asset.source == pb.AssetSource(owner="anna", prompt="A Red Fox", model="first", image_index=1, seed=41)
    await caller.jobs.DeleteJob(DeleteJobRequest(job_id=job.job_id))
    upload = await caller.write(PICTURE)
    assert not upload.HasField("source")
    assert await listed(caller, text="fox RED") == [second, first]
    assert await listed(caller, owner="anna", model="first", pictures=True) == [second, first]
    assert await listed(caller, owner="") == []
    assert await listed(caller, created_before=asset.create_time, origin=pb.ASSET_ORIGIN_OUTPUT) == [first]
    facets = await caller.assets.GetAssetFacets(pb.GetAssetFacetsRequest())
    assert facets == pb.GetAssetFacetsResponse(
        pictures=2,
        models=[pb.AssetFacet(value="first", count=2)],
        workflows=[pb.AssetFacet(count=2)],
        owners=[pb.AssetFacet(value="anna", count=2)],
    )
    await caller.assets.UpdateAsset(pb.UpdateAssetRequest(digest=first, favorite=True))
    same = (await caller.assets.UpdateAsset(pb.UpdateAssetRequest(digest=first))).asset
    assert same.favorite
    assert await listed(caller, favorites=True) == [first]


async def test_a_page_token_is_for_its_own_filters(caller: Caller) -> None:
    for shade in range(2):
        await caller.write(picture(shade, (8, 8)))
    page = await caller.assets.ListAssets(pb.ListAssetsRequest(page_size=1))
    assert page.total_size == 2
    told = await refused(caller.assets.ListAssets(pb.ListAssetsRequest(page_token=page.next_page_token, text="x")))
    assert told.reason == "INVALID_PAGE_TOKEN"


async def test_a_deleted_file_is_not_there_and_can_be_brought_back(caller: Caller) -> None:
    asset = await caller.write(PICTURE)
    deleted = (await caller.assets.DeleteAsset(pb.DeleteAssetRequest(digest=DIGEST))).asset
    assert deleted.purge_time.seconds - deleted.delete_time.seconds == 24 * 3600
    calls: list[Awaitable[Any]] = [
        caller.assets.GetAsset(pb.GetAssetRequest(digest=DIGEST)),
        caller.assets.UpdateAsset(pb.UpdateAssetRequest(digest=DIGEST, favorite=True)),
        caller.assets.DeleteAsset(pb.DeleteAssetRequest(digest=DIGEST)),
        caller.jobs.GetGenerationMetadata(GetGenerationMetadataRequest(digest=DIGEST)),
        read(caller),
        caller.create(text_to_image(init_image=DIGEST)),
    ]
    for call in calls:
        assert (await refused(call)).reason == "ASSET_NOT_FOUND"
    answers = caller.assets.ReadAsset(pb.ReadAssetRequest(digest=DIGEST, include_deleted=True))
    first, *rest = [answer async for answer in answers]
    assert (first.asset, b"".join(answer.chunk for answer in rest)) == (deleted, PICTURE)
    assert (await listed(caller), await listed(caller, deleted=True)) == ([], [DIGEST])
    for _ in range(2):
        assert (await caller.assets.UndeleteAsset(pb.UndeleteAssetRequest(digest=DIGEST))).asset == asset
    assert await read(caller) == (asset, PICTURE)


async def test_a_file_is_removed_for_good(caller: Caller) -> None:
    await caller.write(PICTURE)
    await caller.assets.DeleteAsset(pb.DeleteAssetRequest(digest=DIGEST))
    gone = await caller.assets.DeleteAsset(pb.DeleteAssetRequest(digest=DIGEST, permanently=True))
    assert not gone.HasField("asset")
    assert (await refused(caller.assets.UndeleteAsset(pb.UndeleteAssetRequest(digest=DIGEST)))).reason == (
        "ASSET_NOT_FOUND"
    )


async def test_nothing_is_kept_where_deleted_files_are_not_to_be(caller: Caller) -> None:
    await caller.write(PICTURE)
    wanted = Settings(retention=RetentionSettings(keep_deleted_hours=0))
    await caller.settings.UpdateSettings(
        UpdateSettingsRequest(settings=wanted, update_mask=["retention.keep_deleted_hours"])
    )
    answer = await caller.assets.DeleteAsset(pb.DeleteAssetRequest(digest=DIGEST))
    assert not answer.HasField("asset")
    assert await listed(caller, deleted=True) == []


async def test_whoever_watches_hears_of_each_change(caller: Caller) -> None:
    async with asyncio.timeout(10):
        events = caller.system.WatchSystem(WatchSystemRequest())
        async for answer in events:
            if answer.event.HasField("ready"):
                break
        for call in (
            lambda: caller.write(PICTURE),
            lambda: caller.assets.UpdateAsset(pb.UpdateAssetRequest(digest=DIGEST, favorite=True)),
            lambda: caller.assets.DeleteAsset(pb.DeleteAssetRequest(digest=DIGEST)),
            lambda: caller.assets.UndeleteAsset(pb.UndeleteAssetRequest(digest=DIGEST)),
            lambda: caller.assets.DeleteAsset(pb.DeleteAssetRequest(digest=DIGEST, permanently=True)),
        ):
            await call()
            async for answer in events:
                if answer.event.changed.topic == TOPIC_ASSETS:
                    assert answer.event.changed.id == DIGEST
                    break
        events.cancel()
