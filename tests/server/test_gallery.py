"""What the gallery tells of pictures, and which of them it finds."""

import asyncio
import json
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_server.gallery import AssetSource, GalleryEntry, SourceFinder, is_picture, words_of
from imagegen_server.jobs import AssetOrigin, Invocation, Job, JobSpec
from imagegen_server.stores.gallery_rows import page_query
from imagegen_server.stores.store import AssetFilter, Store, open_store
from imagegen_server.wire.jobs import JobCodec
from tests.server.material import PickleCodec, a_job, an_asset

DATABASES = Path(__file__).parent / "databases"
GRAPH = {
    "3": {
        "class_type": "KSampler",
        "inputs": {"seed": 7, "model": ["4", 0], "positive": ["6", 0], "latent_image": ["5", 0]},
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sdxl.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a grey owl", "clip": ["4", 1]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
}
RAW = RawGraph(json=json.dumps(GRAPH))


def invoked(source: ImageParameters | RawGraph, **inputs: Any) -> JobSpec:
    return JobSpec(source=source, invocation=Invocation(workflow_id="portrait", revision=2, inputs=inputs))


# --- what a job was asked for ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (
            a_job(owner="anna", spec=JobSpec(source=ImageParameters(prompt="a fox", model="first", seed=40))),
            AssetSource(owner="anna", prompt="a fox", model="first", image_index=2, seed=42),
        ),
        (
            a_job(spec=invoked(ImageParameters(prompt="a fox", seed=5), prompt="another")),
            AssetSource(prompt="a fox", workflow_id="portrait", image_index=2, seed=7),
        ),
        (
            a_job(spec=JobSpec(source=RAW)),
            AssetSource(prompt="a grey owl", model="sdxl.safetensors", image_index=2, seed=7),
        ),
        (
            a_job(spec=invoked(RAW, prompt="Eule", seed="9007199254740993")),
            AssetSource(
                prompt="Eule", model="sdxl.safetensors", workflow_id="portrait", image_index=2, seed=9007199254740993
            ),
        ),
        # A seed that the contract's number cannot hold is one that is not known.
        (
            a_job(spec=invoked(RawGraph(json='{"1": {"class_type": "A"}}'), prompt=3, seed=str(2**64 - 1))),
            AssetSource(workflow_id="portrait", image_index=2),
        ),
        (a_job(spec=JobSpec(source=RawGraph(json="[]"))), AssetSource(image_index=2)),
        (a_job(prompt="x" * 2000, spec=None), AssetSource(prompt="x" * 1000, image_index=2, seed=2)),
    ],
)
def test_a_picture_keeps_what_its_job_was_asked_for(job: Job, expected: AssetSource) -> None:
    assert SourceFinder(job).source(image_index=2, seed=None, intermediate=False) == expected


def test_a_word_is_looked_for_once_however_often_it_is_given() -> None:
    assert words_of(" Fox  red FOX ") == ("fox", "red")


def test_a_seed_that_the_backend_told_counts() -> None:
    finder = SourceFinder(a_job(spec=JobSpec(source=ImageParameters(prompt="", seed=40))))
    assert finder.source(image_index=1, seed=3, intermediate=True) == AssetSource(
        image_index=1, seed=3, intermediate=True
    )


# --- what is found ---------------------------------------------------------------------------------------------------

PROMPTS = ["a red fox", "A Red OWL at 100% moon", "straße_bei Nacht", ""]
entries = st.builds(
    lambda origin, media_type, time, source: GalleryEntry(
        asset=an_asset(origin=origin, media_type=media_type, create_time=time, job_id=source.workflow_id),
        source=source if origin is AssetOrigin.OUTPUT else None,
    ),
    st.sampled_from(AssetOrigin),
    st.sampled_from(["image/png", "image/png", "video/mp4"]),
    st.integers(0, 4).map(float),
    st.builds(
        AssetSource,
        owner=st.sampled_from(["", "anna"]),
        prompt=st.sampled_from(PROMPTS),
        model=st.sampled_from(["", "first", "second"]),
        workflow_id=st.sampled_from(["", "portrait"]),
        intermediate=st.booleans(),
    ),
)
fates = st.sampled_from(["", "", "", "favorite", "favorite and deleted", "deleted"])
times = st.none() | st.integers(0, 4).map(float)
filters = st.builds(
    AssetFilter,
    origin=st.none() | st.sampled_from(AssetOrigin),
    job_id=st.sampled_from(["", "", "portrait"]),
    words=st.sampled_from(["", "", "RED", "fox red", "100%", "r_d", "STRASSE_", "%"]).map(words_of),
    model=st.sampled_from(["", "", "first"]),
    workflow_id=st.sampled_from(["", "", "portrait"]),
    owner=st.sampled_from([None, None, "", "anna"]),
    created_after=times,
    created_before=times,
    favorites=st.booleans(),
    pictures=st.booleans(),
    deleted=st.sampled_from([False, False, True]),
)


def finds(wanted: AssetFilter, entry: GalleryEntry) -> bool:
    """What the contract says."""
    asset, source = entry.asset, entry.source or AssetSource()
    is_unlike = (
        wanted.deleted is not (entry.delete_time is not None),
        wanted.origin not in (None, asset.origin),
        wanted.job_id not in ("", asset.job_id),
        wanted.model not in ("", source.model),
        wanted.workflow_id not in ("", source.workflow_id),
        wanted.owner is not None and (entry.source is None or wanted.owner != source.owner),
        any(word not in source.prompt.casefold() for word in wanted.words),
        wanted.created_after is not None and asset.create_time < wanted.created_after,
        wanted.created_before is not None and asset.create_time >= wanted.created_before,
        wanted.favorites and not entry.favorite,
        wanted.pictures and not is_picture(asset, entry.source),
    )
    return not any(is_unlike)


async def filled(store: Store, wishes: list[tuple[GalleryEntry, str]]) -> list[GalleryEntry]:
    """The entries as they must be listed: the newest, or the last deleted, first."""
    there: list[GalleryEntry] = []
    deleted: list[GalleryEntry] = []
    for number, (entry, fate) in enumerate(wishes):
        asset = replace(entry.asset, digest=f"{number:064x}")
        await store.put_asset(asset, entry.source)
        is_favorite, is_deleted = fate.startswith("favorite"), fate.endswith("deleted")
        if is_favorite:
            await store.set_favorite(asset.digest, favorite=True)
        if is_deleted:
            await store.mark_deleted(asset.digest, time=50.0)
        expected = replace(entry, asset=asset, favorite=is_favorite, delete_time=50.0 if is_deleted else None)
        (deleted if is_deleted else there).insert(0, expected)
    return deleted + there


async def paged(store: Store, wanted: AssetFilter, limit: int) -> list[GalleryEntry]:
    found: list[GalleryEntry] = []
    before = None
    while True:
        page, before = await store.list_assets(wanted, limit=limit, before=before)
        assert len(page) == limit or before is None
        found += page
        if before is None:
            return found


@settings(max_examples=25, deadline=None)
@given(
    wishes=st.lists(st.tuples(entries, fates), max_size=20),
    wanted=st.lists(filters, min_size=10, max_size=10),
    limit=st.integers(1, 7),
)
def test_each_filter_finds_what_it_says_once_and_in_order(
    wishes: list[tuple[GalleryEntry, str]], wanted: list[AssetFilter], limit: int
) -> None:
    async def play(folder: str) -> None:
        async with open_store(f"sqlite:///{folder}/imagegen.db", PickleCodec()) as store:
            kept = await filled(store, wishes)
            for each in wanted:
                found = await paged(store, each, limit)
                assert found == [entry for entry in kept if finds(each, entry)]
                assert await store.count_assets(each) == len(found)
            await check_facets(store, kept)

    with TemporaryDirectory() as folder:
        asyncio.run(play(folder))


async def check_facets(store: Store, kept: list[GalleryEntry]) -> None:
    made = AssetFilter(origin=AssetOrigin.OUTPUT, pictures=True)
    pictures = [entry for entry in kept if finds(made, entry)]
    sources = [entry.source for entry in pictures if entry.source is not None]
    facets = await store.asset_facets()
    assert (facets.pictures, facets.favorites) == (len(pictures), sum(entry.favorite for entry in pictures))
    assert facets.deleted == sum(entry.delete_time is not None for entry in kept)
    assert dict(facets.models) == Counter(source.model for source in sources)
    assert dict(facets.workflows) == Counter(source.workflow_id for source in sources)
    assert dict(facets.owners) == Counter(source.owner for source in sources)
    assert [count for _, count in facets.models] == sorted((count for _, count in facets.models), reverse=True)


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (AssetFilter(), None),
        (AssetFilter(origin=AssetOrigin.OUTPUT, pictures=True), "ix_assets_origin_is_picture_deletion_number"),
        (AssetFilter(model="first", pictures=True), "ix_assets_model_number_is_picture_deletion_origin"),
        (AssetFilter(workflow_id="portrait"), "ix_assets_workflow_id_number_is_picture_deletion_origin"),
        (AssetFilter(owner="anna"), "ix_assets_owner_number_is_picture_deletion_origin"),
        (AssetFilter(job_id="job-1"), "ix_assets_job_id"),
        (AssetFilter(favorites=True), "ix_assets_favorite"),
        (AssetFilter(deleted=True), "ix_assets_deletion"),
    ],
)
async def test_pages_are_read_in_order_and_never_sorted(store: Store, wanted: AssetFilter, index: str | None) -> None:
    """Whatever is selective has an index that gives its rows in order; the others are found at once."""
    plan = await store._read(lambda connection: plan_of(connection, wanted))
    assert "TEMP B-TREE" not in plan
    assert index is None or index in plan


def plan_of(connection: Any, wanted: AssetFilter) -> str:
    query = page_query(wanted, 50, 1000)
    text = query.compile(connection, compile_kwargs={"literal_binds": True})
    return " ".join(row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))


# --- what happens to a file ------------------------------------------------------------------------------------------


async def test_a_deleted_picture_is_as_it_was_when_it_comes_back(store: Store) -> None:
    asset, source = an_asset(), AssetSource(prompt="a red fox", owner="anna")
    await store.put_asset(asset, source)
    entry = await store.set_favorite(asset.digest, favorite=True)
    assert entry == GalleryEntry(asset=asset, source=source, favorite=True)
    deleted = await store.mark_deleted(asset.digest, time=5.0)
    assert deleted == replace(entry, delete_time=5.0)
    assert await store.get_asset(asset.digest) is None
    assert await store.get_asset(asset.digest, include_deleted=True) == deleted
    assert await store.mark_deleted(asset.digest, time=6.0) is None
    assert await store.set_favorite(asset.digest, favorite=False) is None
    assert await store.undelete_asset(asset.digest, time=7.0) == entry
    assert await store.undelete_asset(asset.digest, time=8.0) == entry
    await store.mark_deleted(asset.digest, time=9.0)
    assert await store.put_asset(an_asset(origin=AssetOrigin.UPLOAD)) == asset, "who uploads it brings it back, too"
    assert await store.get_asset(asset.digest) == entry


async def test_a_deleted_picture_that_is_made_again_is_new(store: Store) -> None:
    old, other = an_asset(job_id="a", create_time=100.0), an_asset("cd" * 32, job_id="b", create_time=200.0)
    await store.put_asset(old, AssetSource(prompt="before"))
    await store.put_asset(other, AssetSource())
    await store.mark_deleted(old.digest, time=250.0)
    new = replace(old, job_id="c", create_time=300.0)
    assert await store.put_asset(new, AssetSource(prompt="after")) == new
    page, _ = await store.list_assets(AssetFilter(), limit=9)
    assert [(entry.asset, entry.source) for entry in page] == [
        (new, AssetSource(prompt="after")),
        (other, AssetSource()),
    ]


async def test_what_the_release_before_has_stored_is_in_the_gallery(database: str, tmp_path: Path) -> None:
    """`0003.sql` holds an upload, results of a forgotten job, and jobs by parameters, by a workflow and by a graph."""
    with sqlite3.connect(tmp_path / "imagegen.db") as old:
        old.executescript((DATABASES / "0003.sql").read_text())
    old.close()
    async with open_store(database, JobCodec()) as store:
        entries = (await store.list_assets(AssetFilter(), limit=99))[0]
        assert {entry.asset.digest[:2]: entry.source for entry in entries} == {
            "aa": None,
            "bb": AssetSource(),
            "cc": AssetSource(),
            "01": AssetSource(owner="anna", prompt="A Red FOX, 100%", model="first", image_index=0, seed=40),
            "02": AssetSource(owner="anna", prompt="A Red FOX, 100%", model="first", image_index=1, seed=41),
            "03": AssetSource(prompt="Eule bei Mond", model="sdxl.safetensors", workflow_id="portrait", seed=9),
            "04": AssetSource(prompt="a grey owl", model="sdxl.safetensors", seed=7, intermediate=True),
            "05": AssetSource(prompt="a grey owl", model="sdxl.safetensors", image_index=1, seed=7),
        }
        found = (await store.list_assets(AssetFilter(words=("fox", "100%")), limit=9))[0]
        assert [entry.asset.digest[:2] for entry in found] == ["02", "01"]
        pictures = (await store.list_assets(AssetFilter(pictures=True), limit=9))[0]
        assert [entry.asset.digest[:2] for entry in pictures] == ["05", "03", "02", "01", "bb", "aa"]
