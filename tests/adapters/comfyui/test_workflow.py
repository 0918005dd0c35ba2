"""Graphs made from requests."""

import json
from typing import Any

import pytest

from imagegen_adapters.comfyui.progress import GraphProgress, checkpoint_of, model_named_by, phase_of
from imagegen_adapters.comfyui.workflow import Workflow, build, build_raw
from imagegen_adapters.contract import HiresParameters, ImageParameters, Phase, RawGraph
from imagegen_adapters.graphs.checking import check_graph
from imagegen_adapters.graphs.graph import Graph
from tests.adapters.comfyui.recordings import recorded_classes

CLASSES = recorded_classes()
MODEL = CLASSES.options("CheckpointLoaderSimple", "ckpt_name")[0]
UPLOADS = {"image-digest": "imagegen/image.png", "mask-digest": "imagegen/mask.png"}


def made(**fields: Any) -> Workflow:
    base = {"prompt": "fox", "model": MODEL, "sampler": "euler", "scheduler": "normal", "seed": 100}
    return build(ImageParameters(**{**base, **fields}), prefix="imagegen/abc", uploads=UPLOADS)


def nodes(workflow: Workflow, class_type: str) -> dict[str, dict[str, Any]]:
    return {
        node_id: entry["inputs"]
        for node_id, entry in workflow.graph.api_format.items()
        if entry["class_type"] == class_type
    }


REQUESTS: list[dict[str, Any]] = [
    {},
    {"vae": "pixel_space"},
    {"count": 5, "batch_size": 2},
    {"init_image": "image-digest", "denoise": 0.5},
    {"init_image": "image-digest", "count": 3, "batch_size": 3},
    {"init_image": "image-digest", "mask": "mask-digest"},
    {"init_image": "image-digest", "mask": "mask-digest", "count": 2, "batch_size": 2},
    {"hires": HiresParameters(scale=2)},
]


@pytest.mark.parametrize("fields", REQUESTS)
def test_graphs_are_sound(fields: dict[str, Any]) -> None:
    workflow = made(**fields)

    assert check_graph(RawGraph(json=json.dumps(workflow.graph.api_format)), CLASSES) == ()
    assert len(workflow.graph.execution_order(workflow.graph.outputs(CLASSES))) == len(workflow.graph.nodes)


def test_each_pass_has_its_own_chain_and_seed() -> None:
    workflow = made(count=5, batch_size=2)

    samplers, savers = nodes(workflow, "KSampler"), nodes(workflow, "SaveImage")
    sizes = [inputs["batch_size"] for inputs in nodes(workflow, "EmptyLatentImage").values()]

    assert [inputs["seed"] for inputs in samplers.values()] == [100, 102, 104]
    assert sizes == [2, 2, 1]
    assert [workflow.passes[node_id].image_index for node_id in savers] == [0, 2, 4]
    assert [workflow.passes[node_id].seed for node_id in savers] == [100, 102, 104]
    assert len(nodes(workflow, "CheckpointLoaderSimple")) == 1


def test_image_to_image_starts_from_the_scaled_image() -> None:
    workflow = made(init_image="image-digest", denoise=0.4, width=256, height=128)

    (scale,) = nodes(workflow, "ImageScale").values()
    (sampler,) = nodes(workflow, "KSampler").values()

    assert (scale["width"], scale["height"]) == (256, 128)
    assert sampler["denoise"] == 0.4
    assert not nodes(workflow, "EmptyLatentImage")
    assert next(iter(nodes(workflow, "LoadImage").values()))["image"] == "imagegen/image.png"


def test_text_to_image_ignores_denoise() -> None:
    (sampler,) = nodes(made(denoise=0.4), "KSampler").values()

    assert sampler["denoise"] == 1.0


def test_inpainting_puts_the_rest_back() -> None:
    workflow = made(init_image="image-digest", mask="mask-digest", count=2, batch_size=2)

    (composite,) = nodes(workflow, "ImageCompositeMasked").values()
    (saver,) = nodes(workflow, "SaveImage").values()

    assert saver["images"][0] in nodes(workflow, "ImageCompositeMasked")
    assert composite["destination"][0] in nodes(workflow, "RepeatImageBatch")
    assert nodes(workflow, "SetLatentNoiseMask")


def test_hires_scales_the_latent_and_samples_again() -> None:
    workflow = made(width=64, height=96, hires=HiresParameters(scale=1.5, steps=7, denoise=0.3))

    (upscale,) = nodes(workflow, "LatentUpscale").values()
    first, second = nodes(workflow, "KSampler").values()

    assert (upscale["width"], upscale["height"]) == (96, 144)
    assert (first["denoise"], second["denoise"], second["steps"]) == (1.0, 0.3, 7)
    assert first["seed"] == second["seed"]
    assert workflow.field_of("refine-0", "steps") == "image.hires.steps"


@pytest.mark.parametrize(("side", "scale", "larger"), [(160, 1.15, 184), (64, 1.3, 80)])
def test_hires_sizes_are_multiples_of_eight_not_cut_by_rounding(side: int, scale: float, larger: int) -> None:
    """160 * 1.15 is 183.99999999999997."""
    (upscale,) = nodes(made(width=side, height=side, hires=HiresParameters(scale=scale)), "LatentUpscale").values()

    assert (upscale["width"], upscale["height"]) == (larger, larger)


def test_hires_with_a_model_scales_the_picture() -> None:
    workflow = made(width=64, height=64, hires=HiresParameters(scale=2, upscaler="x2.pth"))

    (scale,) = nodes(workflow, "ImageScale").values()

    assert nodes(workflow, "UpscaleModelLoader") == {"upscaler": {"model_name": "x2.pth"}}
    assert (scale["width"], scale["height"]) == (128, 128)
    assert workflow.field_of("upscaler", "model_name") == "image.hires.upscaler"


def test_inputs_lead_back_to_the_fields_of_the_request() -> None:
    workflow = made()

    assert workflow.field_of("model", "ckpt_name") == "image.model"
    assert workflow.field_of("sample-0", "sampler_name") == "image.sampler"
    assert workflow.field_of("save-0", "images") == "image"
    assert build_raw(RawGraph(json='{"a\\"b": {"class_type": "X"}}'), uploads={}).field_of('a"b', "x") == (
        'graph.json["a\\"b"].inputs.x'
    )


def test_seeds_stay_within_what_the_sampler_takes() -> None:
    workflow = made(seed=2**64 - 1, count=2)

    assert [inputs["seed"] for inputs in nodes(workflow, "KSampler").values()] == [2**64 - 1, 0]


def test_uploads_are_put_into_raw_graphs() -> None:
    """Node ids may hold dots, and uploads may give an input that the graph leaves out."""
    source = RawGraph(
        json='{"a.b": {"class_type": "LoadImage"}, "c": {"class_type": "LoadImage", "inputs": {"image": "x"}}}',
        images={"a.b.image": "image-digest", "c.image": "mask-digest"},
    )

    graph = build_raw(source, uploads=UPLOADS).graph

    assert graph.nodes["a.b"].inputs == {"image": "imagegen/image.png"}
    assert graph.nodes["c"].inputs == {"image": "imagegen/mask.png"}


def test_nodes_of_raw_graphs_are_sent_with_inputs() -> None:
    graph = build_raw(RawGraph(json='{"1": {"class_type": "Preview"}}'), uploads={}).graph

    assert graph.api_format == {"1": {"class_type": "Preview", "inputs": {}}}


# --- the graph's order and weight ---


def test_nodes_come_after_what_they_need_and_others_are_left_out() -> None:
    graph = Graph(
        {
            "save": {"class_type": "SaveImage", "inputs": {"images": ["b", 0]}},
            "b": {"class_type": "B", "inputs": {"x": ["a", 0], "y": ["gone", 0]}},
            "a": {"class_type": "A", "inputs": {}},
            "idle": {"class_type": "A", "inputs": {}},
        }
    )

    assert [node.node_id for node in graph.execution_order(["save"])] == ["a", "b", "save"]
    assert len(graph.execution_order([])) == 4


def test_cycles_are_found_and_do_no_harm() -> None:
    graph = Graph(
        {"a": {"class_type": "A", "inputs": {"x": ["b", 0]}}, "b": {"class_type": "A", "inputs": {"x": ["a", 0]}}}
    )

    assert set(graph.cycle) == {"a", "b"}
    assert len(graph.execution_order(["a"])) == 2


@pytest.mark.parametrize(
    ("class_type", "inputs", "weight"),
    [
        ("KSampler", {"steps": 8}, 8),
        ("KSamplerAdvanced", {"steps": 20, "start_at_step": 5, "end_at_step": 15}, 10),
        ("KSamplerAdvanced", {"steps": 20, "start_at_step": 5, "end_at_step": 10000}, 15),
        ("SamplerCustom", {"sigmas": ["split", 0]}, 12),
        ("SamplerCustomAdvanced", {}, 20),
        ("KSamplerSelect", {"sampler_name": "euler"}, 1),
        ("VAEDecode", {}, 1),
    ],
)
def test_samplers_weigh_as_much_as_they_have_steps(class_type: str, inputs: dict[str, Any], weight: int) -> None:
    graph = Graph(
        {
            "it": {"class_type": class_type, "inputs": inputs},
            "split": {"class_type": "SplitSigmas", "inputs": {"steps": ["scheduler", 0]}},
            "scheduler": {"class_type": "BasicScheduler", "inputs": {"steps": 12}},
        }
    )
    progress = GraphProgress(graph, [graph.nodes["it"], graph.nodes["split"]])

    progress.finish("split")

    assert progress.fraction == pytest.approx(1 / (weight + 1))


def test_a_graph_from_the_cache_has_no_fraction() -> None:
    graph = Graph({"a": {"class_type": "A", "inputs": {}}})
    progress = GraphProgress(graph, graph.execution_order([]))

    progress.skip(["a", "unknown"])

    assert progress.fraction == 0.0


@pytest.mark.parametrize(
    ("class_type", "phase"),
    [
        ("KSampler", Phase.SAMPLING),
        ("SamplerCustomAdvanced", Phase.SAMPLING),
        ("KSamplerSelect", Phase.PROCESSING),
        ("UNETLoader", Phase.LOADING_MODEL),
        ("VAEDecodeTiled", Phase.DECODING),
        ("CLIPTextEncode", Phase.ENCODING),
        ("SaveImageWebsocket", Phase.SAVING),
        ("ImageScale", Phase.PROCESSING),
    ],
)
def test_phases_by_class(class_type: str, phase: Phase) -> None:
    assert phase_of(class_type) is phase


def test_the_checkpoint_of_a_graph() -> None:
    assert checkpoint_of(made().graph) == MODEL
    assert checkpoint_of(Graph({})) == ""


@pytest.mark.parametrize(
    ("class_type", "inputs", "model"),
    [
        ("CheckpointLoaderSimple", {"ckpt_name": "a.safetensors"}, "a.safetensors"),
        ("DualCLIPLoader", {"type": "flux", "clip_name1": "b.safetensors"}, "b.safetensors"),
        ("LoraLoader", {"model": ["1", 0], "lora_name": ["2", 0]}, ""),
    ],
)
def test_loaders_name_their_model(class_type: str, inputs: dict[str, Any], model: str) -> None:
    graph = Graph({"it": {"class_type": class_type, "inputs": inputs}})

    assert model_named_by(graph.nodes["it"]) == model


def test_a_diffusion_model_stands_for_the_checkpoint() -> None:
    graph = Graph(
        {
            "clip": {"class_type": "CLIPLoader", "inputs": {"clip_name": "c"}},
            "unet": {"class_type": "UNETLoader", "inputs": {"unet_name": "flux.safetensors"}},
        }
    )

    assert checkpoint_of(graph) == "flux.safetensors"
