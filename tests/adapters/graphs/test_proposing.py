"""What people would expect to be asked for by graphs in the shapes that ComfyUI's own examples have."""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.graphs.graph import Graph, is_link
from imagegen_adapters.graphs.inputs import Confidence, InputType, Proposal
from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_adapters.graphs.proposing import propose
from tests.adapters.graphs.definitions import node_classes

CLASSES: Final = node_classes()
Nodes = dict[str, dict[str, Any]]


def node(class_type: str, title: str = "", /, **inputs: Any) -> dict[str, Any]:
    """A node; a text "4.1" that begins with "@" is a link to output 1 of node 4."""
    made = {name: _link(value) for name, value in inputs.items()}
    return {"class_type": class_type, "inputs": made, **({"_meta": {"title": title}} if title else {})}


def _link(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith("@"):
        return value
    source, _, slot = value[1:].partition(".")
    return [source, int(slot or 0)]


def text(words: str, clip: str = "@4.1", title: str = "") -> dict[str, Any]:
    return node("CLIPTextEncode", title, text=words, clip=clip)


def sampler(**changed: Any) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "seed": 1,
        "steps": 20,
        "cfg": 7.5,
        "sampler_name": "euler",
        "scheduler": "normal",
        "denoise": 1,
        "model": "@4",
        "positive": "@6",
        "negative": "@7",
        "latent_image": "@5",
    }
    return node("KSampler", **inputs | changed)


def advanced(**changed: Any) -> dict[str, Any]:
    inputs: dict[str, Any] = {
        "noise_seed": 1,
        "steps": 25,
        "cfg": 8,
        "sampler_name": "euler",
        "scheduler": "normal",
        "model": "@4",
        "positive": "@6",
        "negative": "@7",
        "latent_image": "@5",
        "add_noise": "enable",
        "start_at_step": 0,
        "end_at_step": 20,
        "return_with_leftover_noise": "enable",
    }
    return node("KSamplerAdvanced", **inputs | changed)


DEFAULT: Final[Nodes] = {
    "3": sampler(),
    "4": node("CheckpointLoaderSimple", ckpt_name="v1-5-pruned-emaonly-fp16.safetensors"),
    "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
    "6": text("a lighthouse"),
    "7": text("text, watermark"),
    "8": node("VAEDecode", samples="@3", vae="@4.2"),
    "9": node("SaveImage", filename_prefix="ComfyUI", images="@8"),
}
PICTURE: Final = node("LoadImage", "Load Image", image="photo.png")
SAMPLING: Final = "steps=3.steps cfg_scale=3.cfg sampler=3.sampler_name scheduler=3.scheduler"
SIZE: Final = "width=5.width height=5.height count=5.batch_size"
TEXTS: Final = "prompt=6.text negative_prompt=7.text"
MODEL: Final = "model=4.ckpt_name"

INPAINT: Final[Nodes] = DEFAULT | {
    "5": node("VAEEncodeForInpaint", pixels="@20", vae="@4.2", mask="@20.1", grow_mask_by=6),
    "20": PICTURE,
}
HIRES: Final[Nodes] = DEFAULT | {
    "8": node("VAEDecode", samples="@11", vae="@4.2"),
    "10": node("LatentUpscale", samples="@3", upscale_method="bislerp", width=768, height=1152, crop="disabled"),
    "11": sampler(latent_image="@10", steps=14, denoise=0.5, seed=2, sampler_name="dpmpp_2m"),
}
REFINED: Final[Nodes] = DEFAULT | {
    "3": advanced(),
    "8": node("VAEDecode", samples="@11", vae="@12.2"),
    "11": advanced(
        model="@12",
        positive="@15",
        negative="@16",
        latent_image="@3",
        noise_seed=0,
        add_noise="disable",
        start_at_step=20,
        end_at_step=10000,
        return_with_leftover_noise="disable",
    ),
    "12": node("CheckpointLoaderSimple", ckpt_name="sd_xl_refiner_1.0.safetensors"),
    "15": text("a lighthouse", "@12.1"),
    "16": text("text, watermark", "@12.1"),
}
FLUX: Final[Nodes] = {
    "6": text("a lighthouse", "@11"),
    "8": node("VAEDecode", samples="@13", vae="@10"),
    "9": node("SaveImage", filename_prefix="ComfyUI", images="@8"),
    "10": node("VAELoader", vae_name="ae.safetensors"),
    "11": node("DualCLIPLoader", clip_name1="t5xxl_fp16.safetensors", clip_name2="clip_l.safetensors", type="flux"),
    "12": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
    "13": node("SamplerCustomAdvanced", noise="@25", guider="@22", sampler="@16", sigmas="@17", latent_image="@27"),
    "16": node("KSamplerSelect", sampler_name="euler"),
    "17": node("BasicScheduler", model="@30", scheduler="simple", steps=20, denoise=1),
    "22": node("BasicGuider", model="@30", conditioning="@26"),
    "25": node("RandomNoise", noise_seed=3),
    "26": node("FluxGuidance", conditioning="@6", guidance=3.5),
    "27": node("EmptySD3LatentImage", width="@40", height=1024, batch_size=1),
    "30": node("ModelSamplingFlux", model="@12", max_shift=1.15, base_shift=0.5, width="@40", height=1024),
    "40": node("PrimitiveInt", value=1024),
}
AREAS: Final[Nodes] = DEFAULT | {
    "3": sampler(positive="@12"),
    "10": node("ConditioningSetArea", conditioning="@13", width=512, height=256, x=0, y=0, strength=1),
    "11": node("ConditioningCombine", conditioning_1="@10", conditioning_2="@14"),
    "12": node("ConditioningCombine", conditioning_1="@11", conditioning_2="@6"),
    "13": text("night", title="Sky"),
    "14": node("ConditioningSetArea", conditioning="@15", width=512, height=256, x=0, y=256, strength=1),
    "15": text("sea"),
}
CONTROLLED: Final[Nodes] = DEFAULT | {
    "3": sampler(positive="@32", negative="@32.1"),
    "11": node("LoadImage", "Pose", image="pose.png"),
    "12": node("ControlNetLoader", control_net_name="control_v11p_sd15_scribble_fp16.safetensors"),
    "32": node(
        "ControlNetApplyAdvanced",
        positive="@6",
        negative="@7",
        control_net="@12",
        image="@11",
        strength=0.8,
        start_percent=0,
        end_percent=1,
    ),
}
LORAS: Final[Nodes] = DEFAULT | {
    "3": sampler(model="@11"),
    "10": node("LoraLoader", model="@4", clip="@4.1", lora_name="a", strength_model=0.8, strength_clip=1),
    "11": node("LoraLoader", model="@10", clip="@10.1", lora_name="b", strength_model=1, strength_clip=1),
    "6": text("a lighthouse", "@11.1"),
    "7": text("text, watermark", "@11.1"),
}
SDXL_TEXT: Final[dict[str, Any]] = dict.fromkeys(
    ("width", "height", "target_width", "target_height"), 1024
) | dict.fromkeys(("crop_w", "crop_h"), 0)

GRAPHS: Final[dict[str, tuple[Nodes, str]]] = {
    "default": (DEFAULT, f"{TEXTS} {MODEL} {SIZE} {SAMPLING} seed=3.seed"),
    "image to image": (
        DEFAULT | {"5": node("VAEEncode", pixels="@20", vae="@4.2"), "20": PICTURE, "3": sampler(denoise=0.8)},
        f"{TEXTS} init_image=20.image {MODEL} {SAMPLING} denoise=3.denoise seed=3.seed",
    ),
    "inpainting with the transparency of the picture": (
        INPAINT,
        f"{TEXTS} init_image=20.image mask=20.image {MODEL} {SAMPLING} denoise=3.denoise seed=3.seed",
    ),
    "inpainting with a mask of its own": (
        INPAINT
        | {
            "5": node("SetLatentNoiseMask", samples="@19", mask="@22"),
            "19": node("VAEEncode", pixels="@20", vae="@4.2"),
            "22": node("GrowMask", mask="@21", expand=4, tapered_corners=True),
            "21": node("LoadImageMask", image="mask.png", channel="red"),
        },
        f"{TEXTS} init_image=20.image mask=21.image {MODEL} {SAMPLING} denoise=3.denoise seed=3.seed",
    ),
    "outpainting, where the mask is made of the padding": (
        INPAINT
        | {
            "5": node("VAEEncodeForInpaint", pixels="@30", vae="@4.2", mask="@30.1", grow_mask_by=8),
            "30": node("ImagePadForOutpaint", image="@20", left=0, top=128, right=0, bottom=128, feathering=40),
        },
        f"{TEXTS} init_image=20.image {MODEL} {SAMPLING} denoise=3.denoise seed=3.seed",
    ),
    "two LoRAs": (
        LORAS,
        f"{TEXTS} {MODEL} loras=10.lora_name,11.lora_name {SIZE} {SAMPLING} seed=3.seed",
    ),
    "a second pass over the scaled latent": (
        HIRES,
        (
            f"{TEXTS} {MODEL} {SIZE} steps=3.steps cfg_scale=3.cfg,11.cfg sampler=3.sampler_name "
            "scheduler=3.scheduler,11.scheduler seed=3.seed,11.seed hires_width=10.width hires_height=10.height "
            "hires_steps=11.steps hires_sampler=11.sampler_name hires_denoise=11.denoise"
        ),
    ),
    "a base model and its refiner": (
        REFINED,
        (
            f"prompt=6.text,15.text negative_prompt=7.text,16.text {MODEL} {SIZE} steps=3.steps,11.steps "
            "cfg_scale=3.cfg,11.cfg sampler=3.sampler_name,11.sampler_name scheduler=3.scheduler,11.scheduler "
            "seed=3.noise_seed,11.noise_seed switch_step=3.end_at_step,11.start_at_step refiner_model=12.ckpt_name"
        ),
    ),
    "a refiner whose noise is told as a truth": (
        REFINED | {"11": REFINED["11"] | {"inputs": REFINED["11"]["inputs"] | {"add_noise": False}}},
        (
            f"prompt=6.text,15.text negative_prompt=7.text,16.text {MODEL} {SIZE} steps=3.steps,11.steps "
            "cfg_scale=3.cfg,11.cfg sampler=3.sampler_name,11.sampler_name scheduler=3.scheduler,11.scheduler "
            "seed=3.noise_seed,11.noise_seed switch_step=3.end_at_step,11.start_at_step refiner_model=12.ckpt_name"
        ),
    ),
    "a split model with guider, noise and sigmas, and a primitive that holds the width": (
        FLUX,
        (
            "prompt=6.text model=12.unet_name width=40.value height=27.height count=27.batch_size steps=17.steps "
            "distilled_cfg_scale=26.guidance sampler=16.sampler_name scheduler=17.scheduler seed=25.noise_seed "
            "text_encoder=11.clip_name1 text_encoder_2=11.clip_name2 vae=10.vae_name"
        ),
    ),
    "areas: the prompt is the text without one": (
        AREAS,
        f"prompt=6.text prompt_2=13.text prompt_3=15.text negative_prompt=7.text {MODEL} {SIZE} {SAMPLING} seed=3.seed",
    ),
    "a ControlNet": (
        CONTROLLED,
        (
            f"{TEXTS} init_image=11.image {MODEL} {SIZE} {SAMPLING} seed=3.seed "
            "controlnet_strength=32.strength controlnet=12.control_net_name"
        ),
    ),
    "a negative side that is the positive one without what it says": (
        DEFAULT | {"7": node("ConditioningZeroOut", conditioning="@6")},
        f"prompt=6.text {MODEL} {SIZE} {SAMPLING} seed=3.seed",
    ),
    "an encoder of several models, with one text for all or none": (
        DEFAULT | {"6": node("CLIPTextEncodeSDXL", clip="@4.1", text_g="a cat", text_l="", **SDXL_TEXT)},
        f"prompt=6.text_g,6.text_l negative_prompt=7.text {MODEL} {SIZE} {SAMPLING} seed=3.seed",
    ),
    "an encoder of several models, with texts of their own": (
        DEFAULT | {"6": node("CLIPTextEncodeSDXL", clip="@4.1", text_g="cat", text_l="a cat at sea", **SDXL_TEXT)},
        f"prompt=6.text_l prompt_2=6.text_g negative_prompt=7.text {MODEL} {SIZE} {SAMPLING} seed=3.seed",
    ),
    "a text that is put together": (
        DEFAULT
        | {
            "6": text("@40"),
            "40": node("StringConcatenate", string_a="@41", string_b="best quality, very detailed", delimiter=", "),
            "41": node("PrimitiveStringMultiline", value="a lighthouse"),
        },
        f"prompt=41.value prompt_2=40.string_b negative_prompt=7.text {MODEL} {SIZE} {SAMPLING} seed=3.seed",
    ),
    "enlarging without a sampler": (
        {
            "1": PICTURE,
            "2": node("UpscaleModelLoader", model_name="RealESRGAN_x4plus.pth"),
            "3": node("ImageUpscaleWithModel", upscale_model="@2", image="@1"),
            "4": node("ImageScaleBy", image="@3", upscale_method="area", scale_by=0.5),
            "9": node("SaveImage", filename_prefix="ComfyUI", images="@4"),
        },
        "init_image=1.image scale=4.scale_by upscaler=2.model_name",
    ),
    "a sampler that makes the hint of another one has no say": (
        CONTROLLED
        | {
            "32": node("ControlNetApply", conditioning="@6", control_net="@12", image="@52", strength=1),
            "3": sampler(positive="@32"),
            "50": sampler(latent_image="@53", steps=1),
            "52": node("VAEDecode", samples="@50", vae="@4.2"),
            "53": node("VAEEncode", pixels="@11", vae="@4.2"),
        },
        (
            f"{TEXTS} init_image=11.image {MODEL} {SIZE} {SAMPLING} seed=3.seed "
            "controlnet_strength=32.strength controlnet=12.control_net_name"
        ),
    ),
}


def written(proposals: tuple[Proposal, ...]) -> list[str]:
    return [
        f"{each.input.name}={','.join(f'{target.node_id}.{target.input_name}' for target in each.input.targets)}"
        for each in proposals
    ]


@pytest.mark.parametrize("name", GRAPHS)
def test_proposes_what_people_expect(name: str) -> None:
    nodes, expected = GRAPHS[name]
    assert written(propose(Graph(nodes), CLASSES)) == expected.split()


@pytest.mark.parametrize("name", GRAPHS)
def test_finds_much_the_same_where_no_backend_tells_its_classes(name: str) -> None:
    """By the names that inputs have: the texts, the sampler's settings, the model. It is not sure of anything then."""
    nodes, expected = GRAPHS[name]
    found = propose(Graph(nodes), NodeClasses())
    sure = {"prompt", "negative_prompt", "model", "steps", "seed", "init_image", "width", "loras"}
    wanted = {entry for entry in expected.split() if entry.partition("=")[0] in sure}
    assert wanted <= set(written(found))
    assert all(each.confidence is not Confidence.HIGH for each in found if each.input.name in {"prompt", "steps"})


def by_name(nodes: Mapping[str, Any], classes: NodeClasses = CLASSES) -> dict[str, Proposal]:
    return {each.input.name: each for each in propose(Graph(nodes), classes)}


def test_says_why_and_how_sure_it_is() -> None:
    found = by_name(DEFAULT)
    assert {each.confidence for each in found.values()} == {Confidence.HIGH}
    assert found["prompt"].reason == ("the text that CLIPTextEncode (6) encodes for `positive` of KSampler (3)")
    several = by_name(AREAS)
    assert several["prompt"].confidence is Confidence.MEDIUM
    assert several["prompt_2"].input.title == "Sky"
    assert several["prompt_3"].input.title == "Prompt 3"


def test_is_less_sure_beyond_a_node_that_it_does_not_know() -> None:
    nodes = DEFAULT | {"3": sampler(model="@50"), "50": node("Extension.Patch", model="@4")}
    found = by_name(nodes)
    assert found["model"].confidence is Confidence.MEDIUM
    assert found["prompt"].confidence is Confidence.HIGH


def test_knows_samplers_and_loaders_of_extensions_by_what_they_take() -> None:
    nodes: Nodes = {
        "1": node(
            "Efficient Loader",
            ckpt_name="a.safetensors",
            vae_name="Baked VAE",
            positive="a dog",
            negative="bad",
            empty_latent_width=512,
            empty_latent_height=768,
            batch_size=2,
        ),
        "2": node(
            "KSampler (Efficient)",
            seed=1,
            steps=20,
            cfg=7,
            sampler_name="euler",
            scheduler="normal",
            denoise=1,
            model="@1",
            positive="@1.1",
            negative="@1.2",
            latent_image="@1.3",
        ),
        "4": node(
            "UltimateSDUpscale",
            upscale_by=2,
            seed=3,
            steps=20,
            cfg=7,
            sampler_name="euler",
            scheduler="normal",
            denoise=0.2,
            image="@2.5",
            model="@1",
            positive="@1.1",
            negative="@1.2",
        ),
        "3": node("SaveImage", filename_prefix="ComfyUI", images="@4"),
    }
    found = propose(Graph(nodes), CLASSES)
    assert written(found) == [
        "prompt=1.positive",
        "negative_prompt=1.negative",
        "model=1.ckpt_name",
        "width=1.empty_latent_width",
        "height=1.empty_latent_height",
        "count=1.batch_size",
        "steps=2.steps",
        "cfg_scale=2.cfg,4.cfg",
        "sampler=2.sampler_name,4.sampler_name",
        "scheduler=2.scheduler,4.scheduler",
        "seed=2.seed,4.seed",
        "scale=4.upscale_by",
        "hires_steps=4.steps",
        "hires_denoise=4.denoise",
        "vae=1.vae_name",
    ]
    assert {each.confidence for each in found} == {Confidence.MEDIUM}


def test_types_inputs_so_that_forms_can_be_made() -> None:
    found = {name: each.input for name, each in by_name(INPAINT | {"3": sampler(denoise=0.7)}).items()}
    assert {name: each.type for name, each in found.items()} == {
        "prompt": InputType.TEXT,
        "negative_prompt": InputType.TEXT,
        "model": InputType.MODEL,
        "init_image": InputType.IMAGE,
        "mask": InputType.MASK,
        "steps": InputType.INT,
        "cfg_scale": InputType.FLOAT,
        "sampler": InputType.CHOICE,
        "scheduler": InputType.CHOICE,
        "denoise": InputType.FLOAT,
        "seed": InputType.SEED,
    }
    assert found["model"].model_type == "checkpoints"
    assert [name for name, each in found.items() if each.required] == ["init_image"]
    assert found["init_image"].help == "Its transparent parts are repainted"


def test_limits_a_primitive_by_the_input_that_it_is_linked_to() -> None:
    width = by_name(FLUX)["width"].input
    kind = CLASSES.by_name["EmptySD3LatentImage"].inputs["width"]
    assert (width.minimum, width.maximum, width.step) == (kind.minimum, kind.maximum, kind.step)
    height = by_name(FLUX)["height"].input
    assert (height.minimum, height.maximum, height.step) == (None, None, None)


def test_an_inverted_mask_is_not_called_mask() -> None:
    nodes = INPAINT | {
        "5": node("SetLatentNoiseMask", samples="@19", mask="@22"),
        "19": node("VAEEncode", pixels="@20", vae="@4.2"),
        "22": node("InvertMask", mask="@21"),
        "21": node("LoadImageMask", image="mask.png", channel="red"),
    }
    found = by_name(nodes)
    assert "mask" not in found
    assert found["init_image_2"].input.targets[0].node_id == "21"


def test_a_mask_that_is_inverted_twice_is_one() -> None:
    nodes = INPAINT | {
        "5": node("SetLatentNoiseMask", samples="@19", mask="@23"),
        "19": node("VAEEncode", pixels="@20", vae="@4.2"),
        "23": node("InvertMask", mask="@22"),
        "22": node("InvertMask", mask="@21"),
        "21": node("LoadImageMask", image="mask.png", channel="red"),
    }
    assert by_name(nodes)["mask"].input.targets[0].node_id == "21"


def test_passes_over_another_picture_are_no_second_passes() -> None:
    nodes = DEFAULT | {
        "50": sampler(latent_image="@53", seed=5),
        "51": sampler(latent_image="@50", steps=9, denoise=0.4),
        "52": node("SaveLatent", samples="@51", filename_prefix="x"),
        "53": node("EmptyLatentImage", width=64, height=64, batch_size=1),
    }
    assert not [name for name in by_name(nodes) if name.startswith("hires_")]


def test_a_picture_beside_the_latent_leaves_nothing_to_denoise_in_part() -> None:
    beside = node("InstructPixToPixConditioning", positive="@6", negative="@7", vae="@4.2", pixels="@20")
    nodes = DEFAULT | {
        "3": sampler(latent_image="@30.2", positive="@30", negative="@30.1"),
        "20": PICTURE,
        "30": beside,
    }
    assert "denoise" not in by_name(nodes)
    assert "init_image" in by_name(nodes)


def test_a_switch_is_where_both_samplers_say_the_same_step() -> None:
    other = advanced(**{name: REFINED["11"]["inputs"][name] for name in ("add_noise",)} | {"start_at_step": 15})
    assert "switch_step" not in by_name(
        REFINED | {"11": other | {"inputs": other["inputs"] | {"latent_image": ["3", 0]}}}
    )


def test_a_vision_model_is_no_text_encoder() -> None:
    nodes = DEFAULT | {
        "6": node("unCLIPConditioning", conditioning="@60", clip_vision_output="@61", strength=1, noise_augmentation=0),
        "60": text("a lighthouse"),
        "61": node("CLIPVisionEncode", clip_vision="@62", image="@20", crop="center"),
        "62": node("CLIPVisionLoader", clip_name="vision.safetensors"),
        "20": PICTURE,
    }
    found = by_name(nodes)
    assert "text_encoder" not in found
    assert found["clip_vision"].input.model_type == "clip_visions"


def test_the_second_of_two_conditionings_is_of_the_negative_side() -> None:
    nodes = DEFAULT | {
        "3": node("SamplerCustomAdvanced", noise="@25", guider="@22", sampler="@16", sigmas="@17", latent_image="@5"),
        "16": node("KSamplerSelect", sampler_name="euler"),
        "17": node("BasicScheduler", model="@4", scheduler="simple", steps=20, denoise=1),
        "22": node(
            "DualCFGGuider", model="@4", cond1="@6", cond2="@23", negative="@7", cfg_conds=8, cfg_cond2_negative=8
        ),
        "23": text("an old picture"),
        "25": node("RandomNoise", noise_seed=3),
    }
    places = {name: each.input.targets[0].node_id for name, each in by_name(nodes).items() if "prompt" in name}
    assert places.pop("prompt") == "6"
    assert (sorted(places), sorted(places.values())) == (["negative_prompt", "negative_prompt_2"], ["23", "7"])


def test_a_third_pass_shares_with_the_others_what_is_equal() -> None:
    nodes = HIRES | {
        "8": node("VAEDecode", samples="@13", vae="@4.2"),
        "12": node("LatentComposite", samples_to="@11", samples_from="@3", x=0, y=0, feather=0),
        "13": sampler(latent_image="@12", steps=5, denoise=0.2, sampler_name="dpmpp_2m"),
    }
    found = by_name(nodes)
    assert [target.node_id for target in found["hires_sampler"].input.targets] == ["11", "13"]
    assert found["hires_steps_2"].input.targets[0].node_id == "13"
    assert found["hires_steps_2"].input.title == "Steps (second pass) 2"


def test_a_mask_for_something_else_than_the_sampler_is_less_sure() -> None:
    nodes = CONTROLLED | {
        "11": node("ImageCompositeMasked", destination="@20", source="@20", x=0, y=0, resize_source=False, mask="@21"),
        "20": PICTURE,
        "21": node("LoadImageMask", image="mask.png", channel="alpha"),
    }
    found = by_name(nodes)
    assert found["init_image"].input.targets[0].node_id == "20"
    assert found["mask"].input.targets[0].node_id == "21"
    assert found["mask"].confidence is Confidence.MEDIUM


def test_a_primitive_that_computes_is_not_set() -> None:
    """What gives the size of a picture, or a sum, has no value of its own."""
    nodes = DEFAULT | {
        "5": node("EmptyLatentImage", width="@30", height="@31", batch_size="@32"),
        "20": PICTURE,
        "30": node("GetImageSize", image="@20"),
        "33": node("Extension.Constant", value=1),
        "31": node("Extension.Sum", a=1, b=2),
        "32": node("Extension.Loop", value="@32"),
        "3": sampler(cfg="@34", sampler_name="@33"),
        "34": node("Extension.Constant", value="high"),
    }
    assert not {"cfg_scale", "sampler"} & by_name(nodes).keys()
    assert not {"width", "height", "count"} & by_name(nodes).keys()


def test_a_picture_that_the_backend_has_need_not_be_given() -> None:
    kind = CLASSES.by_name["LoadImage"].inputs["image"]
    assert kind.options
    nodes = CONTROLLED | {"11": node("LoadImage", image=kind.options[0])}
    assert not by_name(nodes)["init_image"].input.required
    assert by_name(CONTROLLED)["init_image"].input.required


def test_guesses_by_names_where_there_is_no_sampler() -> None:
    nodes: Nodes = {
        "1": node("SomeService", prompt="a cat", negative_prompt="", seed=3, size="1024x1024", quality="high"),
        "9": node("SaveImage", filename_prefix="ComfyUI", images="@1"),
    }
    found = propose(Graph(nodes), CLASSES)
    assert written(found) == ["prompt=1.prompt", "negative_prompt=1.negative_prompt", "seed=1.seed"]
    assert {each.confidence for each in found} == {Confidence.LOW}


def test_values_of_another_kind_are_no_targets() -> None:
    found = by_name(DEFAULT | {"3": sampler(steps="20", cfg=True)})
    assert "steps" not in found
    assert "cfg_scale" not in found


def test_takes_no_longer_for_a_graph_of_ten_thousand_nodes_than_for_its_parts() -> None:
    """Chains of every kind that is followed; what is found is bounded, too."""
    nodes: Nodes = dict(DEFAULT)
    previous = {"model": "4", "conditioning": "6", "samples": "5"}
    for number in range(2000):
        for name, class_type in (("model", "FreeU"), ("conditioning", "FluxGuidance"), ("samples", "LatentFlip")):
            node_id = f"{name}{number}"
            nodes[node_id] = node(class_type, **{name: f"@{previous[name]}"})
            previous[name] = node_id
        nodes[f"s{number}"] = sampler(
            model=f"@{previous['model']}",
            positive=f"@{previous['conditioning']}",
            latent_image=f"@{previous['samples']}",
        )
        nodes[f"p{number}"] = node("LoadImage", image="x.png")
        nodes[f"o{number}"] = node("SaveImage", filename_prefix="x", images=f"@p{number}")
        previous["samples"] = f"s{number}"
    nodes["end"] = node("VAEDecode", samples=f"@{previous['samples']}", vae="@4.2")
    nodes["o"] = node("SaveImage", filename_prefix="x", images="@end")
    found = propose(Graph(nodes), CLASSES)
    assert len(found) <= 128
    assert all(len(each.input.targets) <= 64 for each in found)


def test_takes_no_longer_for_each_encoder_of_a_text_that_is_put_together_of_thousands() -> None:
    nodes: Nodes = dict(DEFAULT)
    for number in range(1000):
        nodes[f"t{number}"] = node("StringConcatenate", string_a=f"@t{number - 1}", string_b=f"@t{number - 1}")
        nodes[f"e{number}"] = text("@t999")
        nodes[f"c{number}"] = node(
            "ConditioningCombine", conditioning_1=f"@c{number - 1}", conditioning_2=f"@e{number}"
        )
    assert "prompt" not in by_name(nodes | {"3": sampler(positive="@c999")})


def links(ids: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.tuples(ids, st.integers(0, 3)).map(list)


@st.composite
def tangled_graphs(draw: st.DrawFn) -> Nodes:
    """Graphs of known and unknown classes with any links: dangling ones, cycles, links where values belong."""
    ids = [str(number) for number in range(draw(st.integers(1, 8)))]
    targets = st.sampled_from([*ids, "nowhere"])
    value = st.one_of(
        links(targets), st.integers(-5, 5), st.text(max_size=3), st.booleans(), st.none(), st.lists(st.none())
    )
    nodes: Nodes = {}
    for node_id in ids:
        class_type = draw(st.sampled_from(["Unknown", *sorted(CLASSES.by_name)]))
        known = CLASSES.find(class_type)
        names = list(known.inputs) if known else ["model", "positive", "seed", "text", "latent_image", "image", "mask"]
        nodes[node_id] = {"class_type": class_type, "inputs": {name: draw(value) for name in names[:8]}}
    return nodes


@given(tangled_graphs())
def test_whatever_the_graph_is_targets_are_literals_and_names_are_unique(nodes: Nodes) -> None:
    before = json.dumps(nodes)
    found = propose(Graph(nodes), CLASSES)
    names = [each.input.name for each in found]
    assert len(names) == len(set(names))
    places = [(target, each.input.type is InputType.MASK) for each in found for target in each.input.targets]
    assert len(places) == len(set(places))
    for target, _ in places:
        assert not is_link(nodes[target.node_id]["inputs"][target.input_name])
    assert all(each.input.targets and each.reason for each in found)
    assert json.dumps(nodes) == before


@pytest.mark.parametrize(
    ("clip_l", "t5xxl", "expected"),
    [
        ("a lighthouse, storm, long list of words", "a lighthouse", ["6.t5xxl", "6.clip_l"]),
        ("a lighthouse", "", ["6.clip_l+6.t5xxl"]),
    ],
)
def test_the_prompt_is_what_the_larger_model_reads(clip_l: str, t5xxl: str, expected: list[str]) -> None:
    """Callers who know one prompt only set that one, and CLIP alone changes little of a picture."""
    encoder = node("CLIPTextEncodeFlux", clip="@11", clip_l=clip_l, t5xxl=t5xxl, guidance=3.5)

    found = by_name({**FLUX, "6": encoder})

    texts = [each.input.targets for name, each in found.items() if name.startswith("prompt")]
    assert ["+".join(f"{target.node_id}.{target.input_name}" for target in targets) for targets in texts] == expected
