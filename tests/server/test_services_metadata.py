"""How pictures were made, asked over a real socket."""

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from PIL import Image, PngImagePlugin

from imagegen.v1 import asset_pb2, image_gen_pb2
from imagegen.v1.job_pb2 import ImageParameters, JobSpec, Lora, RawGraph
from imagegen_adapters.contract import Capabilities, Catalog, ImageReady, NamedModel
from tests.server.scripted import ScriptedAdapter, ScriptedRun, picture
from tests.server.serving import Caller, Refusal, refusal_of, serving, text_to_image

TEXT = (
    "a cat <lora:one:0.5>\nSteps: 5, Sampler: Euler a, Schedule type: Karras, CFG scale: 5.5, Seed: 42, Size: 64x72, "
    "Model: dream, Clip skip: 2, Version: 1.10.1"
)
GRAPH = '{"3": {"class_type": "KSampler", "inputs": {"seed": 18446744073709551615}}}'
CATALOG = Catalog(
    checkpoints=(NamedModel(name="x/dream.safetensors", sha256="ab" * 32),),
    loras=(NamedModel(name="y/one.safetensors"),),
    samplers=(NamedModel(name="euler_ancestral"),),
    schedulers=(NamedModel(name="karras"),),
)


@pytest.fixture
def adapter() -> ScriptedAdapter:
    capabilities = Capabilities(graphs=True, max_batch_size=4)
    return ScriptedAdapter(current_catalog=CATALOG, capabilities=capabilities, plays=ScriptedRun.complete)


@pytest.fixture
async def caller(tmp_path: Path, adapter: ScriptedAdapter) -> AsyncIterator[Caller]:
    async with serving(tmp_path, {"one": adapter}) as caller:
        await caller.refresh("one")
        yield caller


def saying(**texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def delivering(data: bytes, media_type: str = "image/png") -> Callable[[ScriptedRun], None]:
    def play(run: ScriptedRun) -> None:
        run.accept()
        run.put(ImageReady(data=data, media_type=media_type))
        run.finish()

    return play


async def described(caller: Caller, digest: str) -> image_gen_pb2.GetGenerationMetadataResponse:
    return await caller.jobs.GetGenerationMetadata(image_gen_pb2.GetGenerationMetadataRequest(digest=digest))


async def read(
    caller: Caller, digest: str, policy: asset_pb2.MetadataPolicy.ValueType, *, offset: int = 0, limit: int = 0
) -> tuple[asset_pb2.Asset, bytes]:
    request = asset_pb2.ReadAssetRequest(digest=digest, metadata=policy, offset=offset, limit=limit)
    answers = [answer async for answer in caller.assets.ReadAsset(request)]
    return answers[0].asset, b"".join(answer.chunk for answer in answers[1:])


async def refused_read(caller: Caller, digest: str, policy: asset_pb2.MetadataPolicy.ValueType, **part: int) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read(caller, digest, policy, **part)
    return refusal_of(caught.value)


async def test_a_picture_of_a_job_is_told_with_its_own_seed(caller: Caller) -> None:
    wanted = text_to_image(
        count=3, batch_size=2, seed=7, model="x/dream.safetensors", labels={"task": "1"}, priority=3, backend="one"
    )
    job = await caller.until_ended((await caller.create(wanted)).job_id)
    told = await described(caller, job.outputs[2].asset.digest)
    image = told.spec.image
    assert (image.prompt, image.seed, image.count, image.batch_size) == ("a red fox", 9, 1, 1)
    assert MessageToDict(told.spec).keys() == {"image", "backend"}
    assert told.job_id == job.job_id
    assert told.parameters == (
        f"a red fox\nSteps: {image.steps}, CFG scale: {image.cfg_scale:g}, Seed: 9, "
        f"Size: {image.width}x{image.height}, Model hash: ababababab, Model: dream, Version: imagegen"
    )
    assert [note[:32] for note in told.notes] == ["up to 2 pictures were made in on"]
    again = await caller.until_ended((await caller.create(told.spec)).job_id)
    assert [output.seed for output in again.outputs] == [9]


async def test_a_graph_of_a_job_is_told_with_what_its_file_says(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = delivering(saying(prompt=GRAPH, workflow='{"nodes": []}'))
    job = await caller.until_ended((await caller.create(JobSpec(graph=RawGraph(json=GRAPH)))).job_id)
    told = await described(caller, job.outputs[0].asset.digest)
    assert (told.spec.graph.json, told.graph_json, told.ui_json) == (GRAPH, GRAPH, '{"nodes": []}')
    assert (told.parameters, list(told.notes)) == ("", [])


async def test_a_forgotten_job_leaves_what_the_file_says(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = delivering(saying(parameters=TEXT))
    job = await caller.until_ended((await caller.create()).job_id)
    digest = job.outputs[0].asset.digest
    assert (await described(caller, digest)).spec.image.prompt == "a red fox"
    await caller.jobs.DeleteJob(image_gen_pb2.DeleteJobRequest(job_id=job.job_id))
    told = await described(caller, digest)
    assert (told.job_id, told.spec.image.prompt) == ("", "a cat")


async def test_a1111s_text_becomes_a_request_in_the_words_of_the_backends(caller: Caller) -> None:
    told = await described(caller, (await caller.write(saying(parameters=TEXT))).digest)
    image = ImageParameters(
        prompt="a cat",
        model="x/dream.safetensors",
        width=64,
        height=72,
        steps=5,
        cfg_scale=5.5,
        sampler="euler_ancestral",
        scheduler="karras",
        seed=42,
        count=1,
        loras=[Lora(name="y/one.safetensors", weight=0.5)],
    )
    assert told.spec == JobSpec(image=image)
    assert told.parameters == TEXT
    assert list(told.notes) == ["Clip skip: 2 is not carried"]


async def test_a_graph_of_a_file_becomes_a_request(caller: Caller) -> None:
    told = await described(caller, (await caller.write(saying(prompt=GRAPH, parameters=TEXT))).digest)
    assert told.spec == JobSpec(graph=RawGraph(json=GRAPH))
    assert told.parameters == TEXT


async def test_a_graph_that_cannot_be_run_is_told(caller: Caller) -> None:
    told = await described(caller, (await caller.write(saying(workflow='{"nodes": []}'))).digest)
    assert not told.HasField("spec")
    assert told.ui_json == '{"nodes": []}'
    assert "UI format" in told.notes[0]


async def test_a_picture_that_says_nothing_is_told_as_such(caller: Caller) -> None:
    told = await described(caller, (await caller.write(picture())).digest)
    assert told == image_gen_pb2.GetGenerationMetadataResponse()


async def test_unknown_pictures_are_not_found(caller: Caller) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await described(caller, "0" * 64)
    assert refusal_of(caught.value).reason == "ASSET_NOT_FOUND"
    assert (await refused_read(caller, "0" * 64, asset_pb2.METADATA_POLICY_STRIP)).reason == "ASSET_NOT_FOUND"


async def test_a_picture_is_read_without_metadata(caller: Caller) -> None:
    data = saying(prompt=GRAPH)
    asset = await caller.write(data)
    assert await read(caller, asset.digest, asset_pb2.METADATA_POLICY_KEEP) == (asset, data)
    told, bare = await read(caller, asset.digest, asset_pb2.METADATA_POLICY_STRIP)
    assert told == asset
    assert b"KSampler" not in bare
    assert Image.open(io.BytesIO(bare)).size == (16, 16)
    part = await read(caller, asset.digest, asset_pb2.METADATA_POLICY_STRIP, offset=5, limit=9)
    assert part[1] == bare[5:14]
    behind = await refused_read(caller, asset.digest, asset_pb2.METADATA_POLICY_STRIP, offset=len(bare) + 1)
    assert (behind.code, behind.reason) == (grpc.StatusCode.OUT_OF_RANGE, "INVALID_RANGE")


async def test_a_picture_of_a_job_is_read_with_a1111s_text(caller: Caller) -> None:
    job = await caller.until_ended((await caller.create(text_to_image(seed=5))).job_id)
    digest = job.outputs[0].asset.digest
    _, data = await read(caller, digest, asset_pb2.METADATA_POLICY_A1111)
    with Image.open(io.BytesIO(data)) as image:
        assert image.info == {"parameters": (await described(caller, digest)).parameters}
        assert "Seed: 5," in image.info["parameters"]


async def test_where_nothing_is_known_no_text_is_written(caller: Caller) -> None:
    asset = await caller.write(saying(prompt=GRAPH))
    told = await refused_read(caller, asset.digest, asset_pb2.METADATA_POLICY_A1111)
    assert (told.reason, list(told.fields)) == ("INVALID_REQUEST", ["metadata"])


@pytest.mark.parametrize(
    ("data", "media_type", "why"),
    [
        (b"\0\0\0\x18ftypmp42" + bytes(20), "video/mp4", "this is video/mp4"),
        (saying(prompt=GRAPH)[:-6], "image/png", "this PNG breaks off"),
    ],
)
async def test_what_cannot_be_stripped_is_refused(
    caller: Caller, adapter: ScriptedAdapter, data: bytes, media_type: str, why: str
) -> None:
    adapter.plays = delivering(data, media_type)
    job = await caller.until_ended((await caller.create(JobSpec(graph=RawGraph(json=GRAPH)))).job_id)
    told = await refused_read(caller, job.outputs[0].asset.digest, asset_pb2.METADATA_POLICY_STRIP)
    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_IMAGE")
    assert why in told.fields["metadata"]
