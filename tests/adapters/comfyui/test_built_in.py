"""The graphs of every family, and what is said where something is missing for them."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from imagegen_adapters.comfyui.backend import CAPABILITIES
from imagegen_adapters.comfyui.completing import complete
from imagegen_adapters.comfyui.listing import catalog_of
from imagegen_adapters.comfyui.validation import check_parameters
from imagegen_adapters.comfyui.workflow import build, render
from imagegen_adapters.contract import Catalog, HiresParameters, ImageParameters, Lora, NamedModel
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.checking import check_graph
from imagegen_adapters.graphs.node_classes import NodeClasses, read_node_classes

_OBJECT_INFO = Path(__file__).parents[2] / "fakes" / "comfyui" / "object_info.json"
_ENCODERS = [
    "clip_g.safetensors", "clip_g_hidream.safetensors", "clip_l.safetensors", "clip_l_hidream.safetensors",
    "gemma_2_2b_fp16.safetensors", "llama_3.1_8b_instruct_fp8_scaled.safetensors",
    "qwen_2.5_vl_7b_fp8_scaled.safetensors", "qwen_3_4b.safetensors", "t5xxl_fp8_e4m3fn_scaled.safetensors",
    "umt5_xxl_fp8_e4m3fn_scaled.safetensors",
]  # fmt: skip
_MODELS = [
    "flux1-dev.safetensors", "flux1-schnell.safetensors", "flux1-fill-dev.safetensors", "sd3.5_large.safetensors",
    "qwen_image_fp8_e4m3fn.safetensors", "z_image_turbo_bf16.safetensors", "Chroma1-HD-fp8_scaled.safetensors",
    "hidream_i1_full_fp8.safetensors", "hidream_i1_dev_fp8.safetensors", "lumina_2.safetensors",
    "sdxl_unet.safetensors", "hunyuan_image.safetensors",
]  # fmt: skip
_CHECKPOINTS = ["sd15.safetensors", "sd_xl_base_1.0.safetensors", "512-inpainting-ema.safetensors", "flux1-dev-fp8.sft"]
_VAES = ["ae.safetensors", "qwen_image_vae.safetensors", "sd3.5_vae.safetensors", "sdxl_vae.safetensors"]
_CHOICES: Mapping[str, list[str]] = {
    "ckpt_name": _CHECKPOINTS,
    "unet_name": _MODELS,
    "vae_name": _VAES,
    "lora_name": ["detail.safetensors", "styles/ink.safetensors"],
    **dict.fromkeys(("clip_name", "clip_name1", "clip_name2", "clip_name3", "clip_name4"), _ENCODERS),
}
_GGUF = {  # of the extension ComfyUI-GGUF
    "UnetLoaderGGUF": {"input": {"required": {"unet_name": [["flux1-dev-Q4_K_S.gguf"]]}}, "output": ["MODEL"]},
    "DualCLIPLoaderGGUF": {
        "input": {"required": {"clip_name1": [_ENCODERS], "clip_name2": [_ENCODERS], "type": [["sdxl", "flux"]]}},
        "output": ["CLIP"],
    },
    "CLIPLoaderGGUF": {
        "input": {"required": {"clip_name": [["t5-v1_1-xxl-encoder-Q8_0.gguf"]], "type": [["chroma"]]}},
        "output": ["CLIP"],
    },
}  # fmt: skip


def _with_files() -> NodeClasses:
    """The recorded classes, with files to choose from."""
    described: dict[str, Any] = json.loads(_OBJECT_INFO.read_text())
    for entry in described.values():
        for name, spec in entry["input"].get("required", {}).items():
            if name in _CHOICES and spec[0] == "COMBO":
                spec[1]["options"] = _CHOICES[name]
            elif name in _CHOICES:
                spec[0] = _CHOICES[name]
    return read_node_classes({**described, **_GGUF})


CLASSES = _with_files()
CATALOG = catalog_of(CLASSES, (), {})
BASE = ImageParameters(prompt="fox", width=1024, height=1024)
LORAS = (Lora(name="detail.safetensors", weight=0.8), Lora(name="styles/ink.safetensors", text_encoder_weight=0.2))
KINDS: Mapping[str, dict[str, Any]] = {
    "text to image": {},
    "image to image": {"init_image": "a"},
    "inpainting": {"init_image": "a", "mask": "b", "count": 2, "batch_size": 2},
    "hires": {"hires": HiresParameters(scale=1.5)},
    "LoRAs": {"loras": LORAS},
}


def completed(**fields: Any) -> ImageParameters:
    return complete(replace(BASE, **fields), CATALOG)


def nodes(parameters: ImageParameters) -> dict[str, dict[str, Any]]:
    """Inputs by class, of classes that are there once."""
    graph = build(parameters, prefix="x", uploads={"a": "a.png", "b": "b.png"}).graph.api_format
    return {entry["class_type"]: entry["inputs"] for entry in graph.values()}


def faults(catalog: Catalog = CATALOG, classes: NodeClasses | None = CLASSES, **fields: Any) -> tuple[Violation, ...]:
    return check_parameters(complete(replace(BASE, **fields), catalog), CAPABILITIES, catalog, classes)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", [*_CHECKPOINTS, *_MODELS[:-1], "flux1-dev-Q4_K_S.gguf"])
def test_every_graph_of_every_family_is_sound(model: str, kind: str) -> None:
    fields = {"model": model, **KINDS[kind]}

    assert faults(**fields) == ()
    assert check_graph(render(completed(**fields)), CLASSES) == ()


@pytest.mark.parametrize(
    ("model", "loader", "encoders", "vae", "beside"),
    [
        ("flux1-dev.safetensors", "DualCLIPLoader", {"clip_name1": "clip_l.safetensors", "type": "flux"},
         "ae.safetensors", {"FluxGuidance": ("guidance", 3.5), "EmptySD3LatentImage": ("width", 1024)}),
        ("sd3.5_large.safetensors", "TripleCLIPLoader", {"clip_name2": "clip_g.safetensors"}, "sd3.5_vae.safetensors",
         {"KSampler": ("scheduler", "sgm_uniform")}),
        ("hidream_i1_dev_fp8.safetensors", "QuadrupleCLIPLoader", {"clip_name1": "clip_l_hidream.safetensors"},
         "ae.safetensors", {"ModelSamplingSD3": ("shift", 6.0), "KSampler": ("sampler_name", "lcm")}),
        ("qwen_image_fp8_e4m3fn.safetensors", "CLIPLoader", {"type": "qwen_image"}, "qwen_image_vae.safetensors",
         {"ModelSamplingAuraFlow": ("shift", 3.1)}),
        ("z_image_turbo_bf16.safetensors", "CLIPLoader", {"clip_name": "qwen_3_4b.safetensors", "type": "lumina2"},
         "ae.safetensors", {"KSampler": ("sampler_name", "res_multistep")}),
        ("Chroma1-HD-fp8_scaled.safetensors", "CLIPLoader", {"clip_name": "t5xxl_fp8_e4m3fn_scaled.safetensors"},
         "ae.safetensors", {"T5TokenizerOptions": ("min_length", 0), "ModelSamplingAuraFlow": ("shift", 1.0)}),
        ("sdxl_unet.safetensors", "DualCLIPLoader", {"type": "sdxl"}, "sdxl_vae.safetensors",
         {"EmptyLatentImage": ("width", 1024)}),
        ("flux1-dev-Q4_K_S.gguf", "DualCLIPLoader", {}, "ae.safetensors",
         {"UnetLoaderGGUF": ("unet_name", "flux1-dev-Q4_K_S.gguf")}),
    ],
)  # fmt: skip
def test_diffusion_models_get_what_belongs_to_them(
    model: str, loader: str, encoders: dict[str, str], vae: str, beside: dict[str, tuple[str, Any]]
) -> None:
    found = nodes(completed(model=model))

    assert found[loader].items() >= encoders.items()
    assert found["VAELoader"] == {"vae_name": vae}
    assert {class_type: found[class_type][name] for class_type, (name, _) in beside.items()} == {
        class_type: value for class_type, (_, value) in beside.items()
    }
    assert "CheckpointLoaderSimple" not in found


def test_what_the_caller_names_counts() -> None:
    own = ("clip_g.safetensors", "umt5_xxl_fp8_e4m3fn_scaled.safetensors")
    fields: dict[str, Any] = {"model": _MODELS[0], "text_encoders": own, "vae": "sdxl_vae.safetensors"}
    fields["distilled_cfg_scale"] = 2.0
    found = nodes(completed(**fields))

    assert faults(**fields) == ()
    assert (found["DualCLIPLoader"]["clip_name1"], found["DualCLIPLoader"]["clip_name2"]) == own
    assert found["VAELoader"] == {"vae_name": "sdxl_vae.safetensors"}
    assert found["FluxGuidance"]["guidance"] == 2.0


def test_quantized_text_encoders_have_a_loader_of_their_own() -> None:
    names = (NamedModel(name="clip_l.safetensors"), NamedModel(name="t5-v1_1-xxl-encoder-Q8_0.gguf"))
    catalog = replace(CATALOG, text_encoders=names)

    assert "DualCLIPLoaderGGUF" in nodes(complete(replace(BASE, model=_MODELS[0]), catalog))


def test_loras_are_stacked_in_their_order() -> None:
    graph = build(completed(loras=LORAS), prefix="", uploads={}).graph.api_format

    first, second = graph["lora-1"]["inputs"], graph["lora-2"]["inputs"]
    assert (first["strength_model"], first["strength_clip"]) == (0.8, 0.8)
    assert (second["strength_model"], second["strength_clip"]) == (1.0, 0.2)
    assert (second["model"], second["clip"]) == (["lora-1", 0], ["lora-1", 1])
    assert graph["sample-0"]["inputs"]["model"] == ["lora-2", 0]
    assert graph["prompt"]["inputs"]["clip"] == ["lora-2", 1]


def test_a_shifted_schedule_and_bare_prompts_keep_the_loras() -> None:
    chroma = completed(model="Chroma1-HD-fp8_scaled.safetensors", loras=LORAS)
    found = build(chroma, prefix="", uploads={}).graph.api_format

    assert found["sample-0"]["inputs"]["model"] == ["shift", 0]
    assert found["shift"]["inputs"]["model"] == ["lora-2", 0]
    assert found["prompt"]["inputs"]["clip"] == found["negative"]["inputs"]["clip"] == ["tokens", 0]
    assert found["tokens"]["inputs"] == {"clip": ["lora-2", 1], "min_padding": 0, "min_length": 0}


def test_flux_fill_is_run_as_upstream_runs_it() -> None:
    found = nodes(completed(model="flux1-fill-dev.safetensors", init_image="a", mask="b"))

    assert (found["KSampler"]["scheduler"], found["FluxGuidance"]["guidance"]) == ("normal", 30.0)
    assert found["InpaintModelConditioning"]["positive"] == ["guidance", 0]
    assert found["LoadImageMask"] == {"image": "b.png", "channel": "red"}


def test_a_name_in_both_lists_is_a_checkpoint() -> None:
    both = NamedModel(name="flux1-dev-fp8.sft")
    catalog = replace(CATALOG, diffusion_models=(both,))

    assert complete(replace(BASE, model=both.name), catalog).text_encoders == ()


@pytest.mark.parametrize(("model", "masks_noise"), [("512-inpainting-ema.safetensors", True), (_MODELS[2], False)])
def test_models_for_inpainting_are_told_what_is_there(model: str, *, masks_noise: bool) -> None:
    found = nodes(completed(model=model, **KINDS["inpainting"]))

    assert found["InpaintModelConditioning"]["noise_mask"] is masks_noise
    assert found["KSampler"]["positive"][0] == "inpaint"
    assert found["RepeatLatentBatch"]["samples"] == ["inpaint", 2]
    assert "SetLatentNoiseMask" not in found


def test_rendered_graphs_name_their_files_by_digest() -> None:
    rendered = render(completed(**KINDS["inpainting"]))

    assert rendered.images == {"load.image": "a", "mask.image": "b"}
    assert json.loads(rendered.json)["mask"]["inputs"]["image"] == "b"
    assert render(rendered) == rendered


@pytest.mark.parametrize(
    ("fields", "field", "description"),
    [
        ({"model": "flux1-dv.safetensors"}, "image.model", "allowed: flux1-dev.safetensors"),
        ({"model": "hunyuan_image.safetensors"}, "image.model", "no recipe for this diffusion model"),
        ({"loras": (Lora(name="detail"),)}, "image.loras[0].name", "no such LoRA 'detail'; allowed: detail.s"),
        ({"text_encoders": ("clip_l.safetensors",)}, "image.text_encoders", "leave it out"),
        ({"distilled_cfg_scale": 3.0}, "image.distilled_cfg_scale", "distilled with guidance"),
        ({"model": _MODELS[1], "distilled_cfg_scale": 3.0}, "image.distilled_cfg_scale", "distilled with guidance"),
        ({"model": _MODELS[0], "text_encoders": ("clip_l.safetensors",)}, "image.text_encoders",
         "takes 2, in this order: CLIP-L text encoder, T5-XXL text encoder"),
        ({"model": _MODELS[0], "text_encoders": ("clip_l.safetensors", "t5")}, "image.text_encoders[1]",
         "no such text encoder 't5'"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(fields: dict[str, Any], field: str, description: str) -> None:
    (violation,) = faults(**fields)

    assert violation.field == field
    assert description in violation.description


def test_what_is_missing_for_a_diffusion_model_is_named() -> None:
    catalog = replace(CATALOG, vaes=(), text_encoders=(NamedModel(name="clip_l.safetensors"),))

    assert faults(catalog, model=_MODELS[0]) == (
        Violation(
            "image.text_encoders[1]",
            "Flux needs a T5-XXL text encoder, and no name looks like one; the backend has: clip_l.safetensors",
        ),
        Violation(
            "image.vae", "Flux needs a VAE of Flux (ae.safetensors), and no name looks like one; the backend has: none"
        ),
    )


def test_servers_that_are_too_old_for_a_family() -> None:
    fewer = NodeClasses(by_name={name: each for name, each in CLASSES.by_name.items() if name != "T5TokenizerOptions"})
    (violation,) = faults(classes=fewer, model="Chroma1-HD-fp8_scaled.safetensors")
    assert violation == Violation("image.model", "the backend has no node class 'T5TokenizerOptions': update ComfyUI")

    untyped = read_node_classes(
        {**_GGUF, "CLIPLoader": {"input": {"required": {"type": [["sd3"]]}}, "output": ["CLIP"]}}
    )
    older = NodeClasses(by_name={**CLASSES.by_name, "CLIPLoader": untyped.by_name["CLIPLoader"]})
    (violation,) = faults(classes=older, model="Chroma1-HD-fp8_scaled.safetensors")
    assert violation == Violation("image.model", "the backend's CLIPLoader knows no 'chroma': update ComfyUI")


def test_the_first_model_is_a_checkpoint_where_there_is_one() -> None:
    assert completed().model == "sd15.safetensors"
    assert complete(BASE, CATALOG, resident="sd_xl_base_1.0.safetensors").model == "sd_xl_base_1.0.safetensors"
    assert complete(BASE, CATALOG, resident=_MODELS[0]).model == "sd15.safetensors"
    assert complete(BASE, replace(CATALOG, checkpoints=())).model == _MODELS[0]


def test_no_model_is_chosen_that_cannot_be_run_where_another_can() -> None:
    edit, plain = NamedModel(name="flux1-kontext-dev.safetensors"), NamedModel(name="flux1-schnell.safetensors")

    assert complete(BASE, Catalog(diffusion_models=(edit, plain))).model == plain.name
    assert complete(BASE, Catalog(diffusion_models=(edit,))).model == edit.name
    assert complete(BASE, Catalog()).model == ""
