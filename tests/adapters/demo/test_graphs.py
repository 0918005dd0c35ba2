"""ComfyUI graphs on the demo: its node classes, what they report and what they make."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from imagegen_adapters.contract import (
    Adapter,
    ModelLoading,
    Phase,
    PhaseChanged,
    Planned,
    PlanNode,
    PreviewFrame,
    Progressed,
)
from imagegen_adapters.demo.graphs.definitions import CLASSES, DEFINITIONS
from imagegen_adapters.demo.graphs.nodes import NODES
from imagegen_adapters.demo.graphs.sampling import SAMPLERS
from imagegen_adapters.errors import Rejected
from imagegen_adapters.graphs.node_classes import read_node_classes
from tests.adapters.conformance.observing import performed, photograph, pixels_of, png_of, task_of, until_moving
from tests.adapters.demo.graphs import (
    Graph,
    Made,
    changed,
    image_to_image,
    node,
    picture_only,
    raw,
    run,
    scale,
    text_to_image,
)

RECORDED = json.loads((Path(__file__).parents[2] / "fakes" / "comfyui" / "object_info.json").read_text())
OUTPUTS = {"SaveImage", "PreviewImage"}
PATIENCE_S = 10.0
PHOTO = photograph(192, 128, (240, 120, 60))
RIGHT_HALF = (np.arange(192)[None, :] >= 96).repeat(128, axis=0).astype(np.uint8) * 255


def sizes(made: Made) -> list[tuple[int, int]]:
    return [pixels_of(image.data).shape[1::-1] for image in made.images]


# --- the classes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_class_is_described_as_comfyui_does(name: str) -> None:
    ours, theirs = DEFINITIONS[name], RECORDED[name]
    said = {"input", "description"}
    assert {key: value for key, value in ours.items() if key not in said} == {
        key: value for key, value in theirs.items() if key not in said
    }
    assert ours["input"].keys() == theirs["input"].keys()
    for input_name, kind in read_node_classes({name: theirs}).by_name[name].inputs.items():
        mine = CLASSES.by_name[name].inputs[input_name]
        assert (mine.type, mine.is_required, mine.is_upload) == (kind.type, kind.is_required, kind.is_upload)


def test_every_class_is_understood() -> None:
    assert DEFINITIONS.keys() == NODES.keys() | SAMPLERS | OUTPUTS


# --- what is reported ------------------------------------------------------------------------------------------------


def test_a_plan_names_the_nodes_in_their_order() -> None:
    graph = text_to_image()
    graph["9"]["_meta"] = {"title": "Keep it"}
    graph["unused"] = node("CLIPTextEncode", text="", clip=["4", 1])
    (plan,) = run(graph).of(Planned)
    assert plan.images == 1
    assert [each.node_id for each in plan.nodes] == ["4", "6", "7", "5", "3", "8", "9"]
    assert plan.nodes[-1] == PlanNode(node_id="9", class_type="SaveImage", title="Keep it")


def test_each_node_has_its_phase() -> None:
    phases = [(update.node_id, update.phase) for update in run(text_to_image()).of(PhaseChanged)]
    assert phases == [
        ("4", Phase.LOADING_MODEL),
        ("6", Phase.ENCODING),
        ("7", Phase.ENCODING),
        ("5", Phase.PROCESSING),
        ("3", Phase.SAMPLING),
        ("8", Phase.DECODING),
        ("9", Phase.SAVING),
    ]


def test_progress_goes_by_nodes_and_steps() -> None:
    made = run(changed("5", batch_size=2), wants_preview=True)
    assert [plan.images for plan in made.of(Planned)] == [2]
    steps = [(update.node_id, update.step, update.steps) for update in made.of(Progressed) if update.steps]
    assert steps == [("3", step, 8) for step in range(1, 9)]
    assert [(preview.node_id, preview.step) for preview in made.of(PreviewFrame)] == [("3", s) for s in range(1, 9)]
    fractions = [update.fraction for update in made.of(Progressed)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


def test_a_style_is_loaded_unless_it_is_there() -> None:
    assert run(text_to_image()).of(ModelLoading) == []
    assert run(text_to_image(), resident="").of(ModelLoading) == [ModelLoading(model="demo-landscape")]


async def test_the_style_of_a_graph_becomes_the_resident_one(demo: Adapter) -> None:
    seen = await performed(demo, raw(changed("4", ckpt_name="demo-flow")), PATIENCE_S)
    assert [loading.model for loading in seen.of(ModelLoading)] == ["demo-flow"]
    assert (await demo.status()).resident_model == "demo-flow"


async def test_a_graph_can_be_cancelled(demo: Adapter) -> None:
    async with demo.run(task_of(raw(text_to_image(steps=10_000)))) as endless:
        await until_moving(endless, PATIENCE_S)
    assert (await demo.status()).queue_depth == 0


# --- what comes out --------------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_picture_and_the_file_holds_the_graph() -> None:
    first, again, other = (run(text_to_image(seed=seed)).images[0] for seed in (7, 7, 2**64 - 1))
    assert first.data == again.data != other.data
    assert (first.media_type, first.seed, first.intermediate) == ("image/png", None, False)
    with Image.open(io.BytesIO(first.data)) as opened:
        assert json.loads(opened.info["prompt"]) == text_to_image()


def test_a_batch_gives_as_many_pictures_and_each_can_be_made_alone() -> None:
    batch = run(changed("5", batch_size=3)).images
    assert [(image.node_id, image.image_index) for image in batch] == [("9", 0), ("9", 1), ("9", 2)]
    alone = run(text_to_image(seed=9)).images[0]
    assert np.array_equal(pixels_of(batch[2].data), pixels_of(alone.data))
    assert not np.array_equal(pixels_of(batch[1].data), pixels_of(alone.data))


def test_the_words_count_wherever_they_come_from() -> None:
    fox, castle = (pixels_of(run(changed("6", text=text)).images[0].data) for text in ("a red fox", "a castle"))
    assert not np.array_equal(fox, castle)


def test_numbers_may_be_texts_as_comfyui_takes_them() -> None:
    assert sizes(run(changed("5", width="192", height=128.5))) == [(192, 128)]


def test_each_output_node_gives_its_pictures() -> None:
    graph = {**text_to_image(), "look": node("PreviewImage", images=["8", 0])}
    made = run(graph)
    assert [plan.images for plan in made.of(Planned)] == [2]
    assert [(i.node_id, i.image_index, i.intermediate) for i in made.images] == [("9", 0, False), ("look", 1, True)]
    assert made.images[0].data == made.images[1].data


def test_an_initial_image_shows_through() -> None:
    made = run(image_to_image(), load=PHOTO)
    kept = run(image_to_image(denoise=0), load=PHOTO)
    assert sizes(made) == [(192, 128)]
    assert np.abs(pixels_of(kept.images[0].data).astype(int) - pixels_of(PHOTO)).max() <= 1
    assert not np.array_equal(pixels_of(made.images[0].data), pixels_of(PHOTO))


@pytest.mark.parametrize(
    "nodes",
    [
        {"encode": node("VAEEncodeForInpaint", pixels=["load", 0], vae=["4", 2], mask=["mask", 0], grow_mask_by=6)},
        {
            "plain": node("VAEEncode", pixels=["load", 0], vae=["4", 2]),
            "encode": node("SetLatentNoiseMask", samples=["plain", 0], mask=["mask", 0]),
        },
    ],
    ids=["VAEEncodeForInpaint", "SetLatentNoiseMask"],
)
def test_what_the_mask_leaves_out_stays(nodes: dict[str, Any]) -> None:
    mask = node("LoadImageMask", image="mask.png", channel="red")
    graph = image_to_image(denoise=1, mask=mask, **nodes)
    made = run(graph, load=PHOTO, mask=png_of(RIGHT_HALF))
    difference = np.abs(pixels_of(made.images[0].data).astype(int) - pixels_of(PHOTO))
    assert difference[:, :80].max() <= 1
    assert difference[:, 112:].mean() > 1


def test_what_is_transparent_is_a_mask() -> None:
    masked = node("SetLatentNoiseMask", samples=["plain", 0], mask=["load", 1])
    plain = node("VAEEncode", pixels=["load", 0], vae=["4", 2])
    made = run(
        image_to_image(denoise=1, plain=plain, encode=masked), load=png_of(np.dstack([pixels_of(PHOTO), RIGHT_HALF]))
    )
    difference = np.abs(pixels_of(made.images[0].data).astype(int) - pixels_of(PHOTO))
    assert difference[:, 112:].max() <= 1
    assert difference[:, :80].mean() > 1


@pytest.mark.parametrize(
    ("last", "size"),
    [
        (scale(width=96, height=64), (96, 64)),
        (scale(width=96, height=0), (96, 64)),
        (scale(width=0, height=32), (48, 32)),
        (scale(width=0, height=0), (192, 128)),
        (scale(width=300, height=301, crop="center"), (300, 301)),
        (scale(width=33, height=21, upscale_method="nearest-exact"), (33, 21)),
        (node("ImageScaleBy", image=["load", 0], upscale_method="area", scale_by=1.5), (288, 192)),
        (node("ImageUpscaleWithModel", image=["load", 0], upscale_model=["up", 0]), (384, 256)),
    ],
)
def test_pictures_are_scaled(last: dict[str, Any], size: tuple[int, int]) -> None:
    graph = picture_only(up=node("UpscaleModelLoader", model_name="demo-nearest"), last=last)
    assert sizes(run(graph, load=PHOTO)) == [size]


def test_cutting_keeps_the_middle_and_stretching_keeps_all() -> None:
    half = np.zeros((64, 128, 3), np.uint8)
    half[:, 32:96] = 255
    cut, stretched = (
        pixels_of(run(picture_only(last=scale(width=64, height=64, crop=crop)), load=png_of(half)).images[0].data)
        for crop in ("center", "disabled")
    )
    assert cut.min() == 255
    assert stretched.min() == 0


@pytest.mark.parametrize(
    ("larger", "size"),
    [
        (node("LatentUpscale", samples=["3", 0], upscale_method="bislerp", width=200, height=0, crop="disabled"), 200),
        (node("LatentUpscaleBy", samples=["3", 0], upscale_method="nearest-exact", scale_by=1.57), 200),
        (node("LatentUpscaleBy", samples=["3", 0], upscale_method="area", scale_by=0.01), 64),
    ],
)
def test_a_second_pass_repeats_the_picture_at_another_size(larger: dict[str, Any], size: int) -> None:
    graph = text_to_image()
    graph["larger"] = larger
    graph["again"] = node("KSampler", **{**graph["3"]["inputs"], "latent_image": ["larger", 0], "denoise": 0.5})
    graph["8"]["inputs"]["samples"] = ["again", 0]
    made = run(graph)
    assert sizes(made) == [(size, size)]
    first = Image.open(io.BytesIO(run(text_to_image()).images[0].data)).resize((size, size))
    assert np.abs(pixels_of(made.images[0].data).astype(int) - np.asarray(first)).mean() < 12


def advanced(**inputs: Any) -> dict[str, Any]:
    sampler = {**text_to_image()["3"]["inputs"], "noise_seed": 7, "add_noise": "enable", **inputs}
    del sampler["seed"], sampler["denoise"]
    return node("KSamplerAdvanced", **{"return_with_leftover_noise": "disable", **sampler})


def test_a_sampler_may_do_a_part_of_the_steps() -> None:
    graph = text_to_image()
    graph["3"] = advanced(steps=10, start_at_step=0, end_at_step=8, return_with_leftover_noise="enable")
    graph["more"] = advanced(steps=10, start_at_step=8, end_at_step=10_000, latent_image=["3", 0], add_noise="disable")
    graph["none"] = advanced(steps=10, start_at_step=10, end_at_step=10_000, latent_image=["more", 0])
    graph["8"]["inputs"]["samples"] = ["none", 0]
    made = run(graph)
    last = {update.node_id: update.steps for update in made.of(Progressed) if update.steps}
    assert last == {"3": 8, "more": 2}
    assert len(made.images) == 1


def test_what_was_never_painted_is_gray() -> None:
    graph = text_to_image()
    graph["8"]["inputs"]["samples"] = ["5", 0]
    assert np.unique(pixels_of(run(graph).images[0].data)).tolist() == [128]


def several(*order: str) -> Graph:
    """A picture of 192 x 128 for each letter, shown in this order."""
    graph: Graph = {"load": node("LoadImage", image="photo.png")}
    graph |= {letter: scale(width=192, height=128) for letter in order}
    return graph | {f"show-{i}": node("PreviewImage", images=[letter, 0]) for i, letter in enumerate(order)}


def test_pictures_that_nobody_needs_any_more_are_let_go() -> None:
    assert len(run(several(*"aabbccdd"), load=PHOTO, max_held_pixels=2 * 192 * 128).images) == 8


def test_pictures_that_are_needed_later_are_too_many_at_some_point() -> None:
    with pytest.raises(Rejected, match="the graph needs 73728 pixels of pictures at a time; at most 49152") as caught:
        run(several(*"abcabc"), load=PHOTO, max_held_pixels=2 * 192 * 128)
    assert caught.value.violations[0].field == 'graph.json["b"]'
