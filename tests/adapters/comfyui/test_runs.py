"""Whole runs against the fake server, in all its versions."""

import asyncio
import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from PIL import Image

from imagegen_adapters.contract import (
    Accepted,
    Handle,
    HiresParameters,
    ModelLoading,
    Phase,
    PhaseChanged,
    Planned,
    PreviewFrame,
    PreviewWish,
    Progressed,
    RawGraph,
)
from imagegen_adapters.errors import NodeFailed, NoOutput, Rejected
from tests.adapters.comfyui.bench import (
    eventually,
    images,
    of,
    open_adapter,
    open_bench,
    request,
    task,
    until,
    warnings,
)
from tests.adapters.conformance.subjects.comfyui import text_to_image
from tests.fakes.comfyui import CHECKPOINTS
from tests.fakes.comfyui.profiles import PROFILES

VERSIONS = sorted(PROFILES)
LAB = {"steps": 1, "seconds": 0.01, "preview": "none", "size": 16, "text": False, "seed": 1}


def graph(nodes: Mapping[str, tuple[str, Mapping[str, Any]]]) -> RawGraph:
    entries = {node_id: {"class_type": name, "inputs": inputs} for node_id, (name, inputs) in nodes.items()}
    return RawGraph(json=json.dumps(entries))


def png(colour: int, size: int = 64) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (size, size), (colour,) * 3).save(out, "PNG")
    return out.getvalue()


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_version_makes_images(version: str) -> None:
    async with open_bench(version) as bench:
        updates = await bench.run(request(count=3, batch_size=2))

        ready = images(updates)
        (plan,) = of(Planned, updates)
        assert [(image.image_index, image.seed, image.media_type) for image in ready] == [
            (0, 1, "image/png"),
            (1, 1, "image/png"),
            (2, 3, "image/png"),
        ]
        assert plan.images == 3
        assert {image.node_id for image in ready} <= {node.node_id for node in plan.nodes}
        assert of(Progressed, updates)[-1].fraction == 1.0
        assert of(ModelLoading, updates) == [ModelLoading(model=CHECKPOINTS[0])]
        assert of(PreviewFrame, updates)
        assert bench.fake.sockets.opened == 1


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_id_is_ours_where_the_server_takes_it(version: str) -> None:
    async with open_bench(version) as bench:
        wanted = task(request())
        handle = bench.adapter.handle_for(wanted.attempt_id)

        async with bench.adapter.run(wanted) as run:
            updates = [update async for update in run]

        (accepted,) = of(Accepted, updates)
        assert (accepted.handle == handle) is PROFILES[version].takes_prompt_id
        assert accepted.handle.remote_id in bench.fake.worker.history
        assert accepted.handle.client_id == handle.client_id


@pytest.mark.parametrize("version", VERSIONS)
async def test_images_sent_over_the_websocket_arrive(version: str) -> None:
    entries = text_to_image(CHECKPOINTS[0], seed=1, steps=2, size=64)
    entries["5"]["inputs"]["batch_size"] = 2
    entries["9"] = {"class_type": "SaveImageWebsocket", "inputs": {"images": ["8", 0]}}
    source = RawGraph(json=json.dumps(entries))

    async with open_bench(version) as bench:
        first, again = await bench.run(source), await bench.run(source)

    assert [(image.image_index, image.node_id) for image in images(first)] == [(0, "9"), (1, "9")]
    assert [image.data for image in images(again)] == [image.data for image in images(first)]
    assert all(frame.media_type == "image/jpeg" for frame in of(PreviewFrame, first))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_rerun_from_the_cache_gives_the_same_files(version: str) -> None:
    source = RawGraph(json=json.dumps(text_to_image(CHECKPOINTS[0], seed=1, steps=2, size=64)))

    async with open_bench(version) as bench:
        first, again = await bench.run(source), await bench.run(source)

    assert [image.data for image in images(again)] == [image.data for image in images(first)]
    assert all(node.cached for node in of(Planned, again)[0].nodes)


async def test_by_products_are_marked() -> None:
    source = graph(
        {
            "1": ("LabSlow", LAB),
            "2": ("PreviewImage", {"images": ["1", 0]}),
            "3": ("SaveImage", {"images": ["1", 0], "filename_prefix": "x"}),
        }
    )

    async with open_bench() as bench:
        ready = images(await bench.run(source))

    assert {(image.node_id, image.intermediate) for image in ready} == {("2", True), ("3", False)}
    assert {image.image_index for image in ready} == {0, 1}


async def test_a_graph_without_files_has_no_output() -> None:
    source = graph({"1": ("LabSlow", LAB), "2": ("LabText", {"text": "x", "image": ["1", 0]})})

    async with open_bench() as bench:
        with pytest.raises(NoOutput):
            await bench.run(source)


async def test_a_blocked_output_is_a_warning_beside_others() -> None:
    nodes: dict[str, tuple[str, dict[str, Any]]] = {
        "1": ("LabSlow", LAB),
        "2": ("LabFail", {"mode": "blocker", "seed": 1, "image": ["1", 0]}),
        "3": ("SaveImage", {"images": ["2", 0], "filename_prefix": "x"}),
        "4": ("SaveImage", {"images": ["1", 0], "filename_prefix": "y"}),
    }

    async with open_bench() as bench:
        updates = await bench.run(graph(nodes))
        del nodes["4"]
        with pytest.raises(NodeFailed, match="blocked on purpose"):
            await bench.run(graph(nodes))

    assert [image.node_id for image in images(updates)] == ["4"]
    assert warnings(updates) == ["PARTIAL_RESULT"]


async def test_half_a_graph_is_refused_and_its_sound_half_stopped() -> None:
    """The server queues what it can: 200 with node_errors."""
    source = graph(
        {
            "1": ("LabSlow", {**LAB, "steps": 1000}),
            "2": ("SaveImage", {"images": ["1", 0], "filename_prefix": "x"}),
            "3": ("LoadImage", {"image": "nope.png"}),
            "4": ("SaveImage", {"images": ["3", 0], "filename_prefix": "y"}),
        }
    )

    async with open_bench() as bench:
        with pytest.raises(Rejected) as refusal:
            await bench.run(source)
        await eventually(lambda: not bench.fake.prompts_of(foreign=False))

    assert refusal.value.violations[0].field == 'graph.json["3"].inputs.image'


async def test_inpainting_keeps_what_is_black_to_the_pixel() -> None:
    mask = Image.new("L", (64, 64), 0)
    mask.paste(255, (0, 0, 32, 64))
    out = io.BytesIO()
    mask.save(out, "PNG")
    source = request(init_image="i" * 64, mask="m" * 64, mask_blur=0, denoise=1.0, count=2, batch_size=2)

    async with open_bench() as bench:
        ready = images(await bench.run(source, files={"i" * 64: png(200), "m" * 64: out.getvalue()}))

    for image in ready:
        picture = Image.open(io.BytesIO(image.data)).convert("RGB")
        assert {picture.getpixel((x, 40)) for x in range(36, 64)} == {(200, 200, 200)}
        assert picture.getpixel((5, 40)) != (200, 200, 200)


async def test_hires_by_a_model() -> None:
    async with open_bench() as bench:
        (image,) = images(await bench.run(request(hires=HiresParameters(scale=1.5, upscaler="fake_x2.pth"))))

    assert Image.open(io.BytesIO(image.data)).size == (96, 96)


async def test_uploads_of_graphs_are_put_in_and_kept_once() -> None:
    nodes = {
        "1": {"class_type": "LoadImage", "inputs": {}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }
    source = RawGraph(json=json.dumps(nodes), images={"1.image": "a" * 64})

    async with open_bench() as bench:
        first = images(await bench.run(source, files={"a" * 64: png(10)}))
        again = images(await bench.run(source, files={"a" * 64: png(10)}))

        stored = [key for key in bench.fake.files.stored if key[0] == "input"]

    assert stored == [("input", "imagegen", "a" * 64 + ".png")]
    assert Image.open(io.BytesIO(first[0].data)).getpixel((0, 0)) == (10, 10, 10)
    assert again[0].data == first[0].data


# --- previews ---


async def test_unwanted_previews_are_not_sent_on() -> None:
    async with open_bench() as bench:
        updates = await bench.run(request(), preview=PreviewWish(enabled=False))

    assert not of(PreviewFrame, updates)


@pytest.mark.parametrize("version", ["0.3.12", "0.3.64"])
async def test_a_server_without_previews_is_told_of(version: str) -> None:
    async with open_bench(version, preview_method="none") as bench:
        updates = await bench.run(request())
        silent = await bench.run(request(), preview=PreviewWish(enabled=False))

    assert warnings(updates) == ["PREVIEWS_UNAVAILABLE"]
    assert warnings(silent) == []


@pytest.mark.parametrize(
    ("server", "is_wanted", "asked"), [("none", True, "auto"), ("taesd", True, None), ("taesd", False, "none")]
)
async def test_newer_servers_are_asked_for_previews_job_by_job(server: str, is_wanted: bool, asked: str | None) -> None:
    async with open_bench("0.38.1", preview_method=server) as bench:
        updates = await bench.run(request(), preview=PreviewWish(enabled=is_wanted))
        (entry,) = bench.fake.worker.history.values()

    assert entry["prompt"][3].get("preview_method") == asked
    assert bool(of(PreviewFrame, updates)) is is_wanted
    assert warnings(updates) == []


# --- what is handed over ---


async def test_options_go_into_extra_data() -> None:
    async with open_bench() as bench:
        workflow = {"extra_pnginfo": {"workflow": {"nodes": []}}, "client_id": "stolen"}
        (image,) = images(await bench.run(request(), options=workflow))
        (entry,) = bench.fake.worker.history.values()

    assert "workflow" in Image.open(io.BytesIO(image.data)).info
    assert entry["prompt"][3]["client_id"] != "stolen"


async def test_the_client_id_can_be_given() -> None:
    async with open_bench() as bench, open_adapter(bench.fake.url, client_id="stable") as adapter:
        assert adapter.handle_for("attempt") == Handle(remote_id="attempt", client_id="stable")


async def test_an_empty_model_is_the_resident_one() -> None:
    async with open_bench() as bench:
        await bench.run(request(model=CHECKPOINTS[1]))
        assert (await bench.adapter.status()).resident_model == CHECKPOINTS[1]

        await bench.run(request(seed=2))

        used = [entry["prompt"][2]["model"]["inputs"]["ckpt_name"] for entry in bench.fake.worker.history.values()]
    assert used == [CHECKPOINTS[1], CHECKPOINTS[1]]


async def test_a_resident_model_is_forgotten_with_the_socket() -> None:
    async with open_bench() as bench:
        await bench.run(request())
        await bench.fake.restart()
        await bench.run(request(seed=2), preview=PreviewWish(enabled=False))
        bench.fake.drop_sockets()

        async def resident() -> str:
            return (await bench.adapter.status()).resident_model

        async with asyncio.timeout(2):
            while await resident():  # noqa: ASYNC110  # only asking tells
                await asyncio.sleep(0.01)


async def test_what_was_installed_meanwhile_is_found() -> None:
    async with open_bench() as bench:
        await bench.adapter.catalog()
        bench.fake.checkpoints = (*CHECKPOINTS, "new.safetensors")
        assert bench.adapter.validate(request(model="new.safetensors"))

        assert images(await bench.run(request(model="new.safetensors")))


async def test_what_is_not_there_is_refused_without_a_prompt() -> None:
    async with open_bench() as bench:
        with pytest.raises(Rejected) as refusal:
            await bench.run(request(model="nope"))

        assert refusal.value.violations[0].field == "image.model"
        assert bench.fake.requests["POST /prompt"] == 0


async def test_the_catalogue_lists_what_the_server_has() -> None:
    async with open_bench() as bench:
        catalog = await bench.adapter.catalog()

    assert [model.name for model in catalog.checkpoints] == list(CHECKPOINTS)
    assert [model.name for model in catalog.upscalers] == ["Latent", "fake_x2.pth"]
    assert [model.name for model in catalog.embeddings] == ["fake_embedding"]
    assert "euler" in [model.name for model in catalog.samplers]


# --- sharing the server ---


async def test_the_place_in_the_servers_queue_is_told() -> None:
    async with open_bench() as bench:
        foreign = bench.fake.queue_foreign()
        async with bench.adapter.run(task(request())) as run:
            waiting = await until(run, lambda update: isinstance(update, PhaseChanged) and "1 ahead" in update.title)
            foreign.is_ended_early = True
            updates = [update async for update in run]

    assert isinstance(waiting, PhaseChanged)
    assert waiting.phase is Phase.WAITING
    assert images(updates)


@pytest.mark.parametrize("version", ["0.3.12", "0.3.64"])
async def test_broadcasts_about_jobs_of_others_are_not_ours(version: str) -> None:
    """A job that was queued without a client id sends progress and previews to everybody."""
    async with open_bench(version) as bench:
        anonymous = bench.fake.queue_foreign(client_id=None, preview="JPEG")
        async with bench.adapter.run(task(request())) as run:
            await until(run, lambda update: isinstance(update, PhaseChanged) and "1 ahead" in update.title)
            anonymous.is_ended_early = True
            updates = [update async for update in run]

    assert {update.steps for update in of(Progressed, updates)} <= {0, 4}
    assert all(frame.node_id == "sample-0" for frame in of(PreviewFrame, updates))
    assert len(images(updates)) == 1


async def test_runs_share_one_socket() -> None:
    async with open_bench() as bench:
        runs = [bench.run(request(seed=seed, count=2)) for seed in range(4)]

        results = await asyncio.gather(*runs)

        assert [[image.seed for image in images(updates)] for updates in results] == [[0, 1], [1, 2], [2, 3], [3, 4]]
        assert bench.fake.sockets.opened == 1
