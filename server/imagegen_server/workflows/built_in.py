"""The workflows that are always there. Pure.

What the first three ask for are the fields of ImageParameters, under the same names but for these: the text encoders
are one input each, and what belongs to `hires` begins with `hires_`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_server.workflows.model import Field, Workflow

TEXT_ENCODERS: Final = ("text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4")
HIRES: Final = {
    "hires_scale": "scale",
    "hires_upscaler": "upscaler",
    "hires_steps": "steps",
    "hires_denoise": "denoise",
}
"""Fields of `hires` by the name of the input."""
NEEDS: Final = {
    **{name: "hires_scale" for name in HIRES if name != "hires_scale"},
    **dict(zip(TEXT_ENCODERS[1:], TEXT_ENCODERS, strict=False)),
}
"""Inputs that mean nothing without another one."""

_MAX_SEED: Final = 2**63 - 1  # of ImageParameters, whose seed is signed
_MAX_PROMPT: Final = 32_768
_PARTS, _HIRES, _MORE = "Parts of the model", "Second pass (hires fix)", "More"


def _size(name: str) -> GraphInput:
    text = "In pixels, a multiple of 8; left out: what suits the picture or the model"
    return GraphInput(name=name, type=InputType.INT, minimum=64, maximum=4096, step=8, help=text)


def _named(name: str, model_type: str, help_text: str, **more: Any) -> GraphInput:
    return GraphInput(name=name, type=InputType.MODEL, model_type=model_type, help=help_text, **more)


_PROMPTS: Final = (
    GraphInput(name="prompt", type=InputType.TEXT, maximum=_MAX_PROMPT, help="What the picture should show"),
    GraphInput(
        name="negative_prompt", type=InputType.TEXT, maximum=_MAX_PROMPT, help="What the picture should not show"
    ),
    _named("model", "checkpoints", "A checkpoint or diffusion model; left out: the default one"),
)
_SAMPLING: Final = (
    GraphInput(
        name="steps", type=InputType.INT, minimum=1, maximum=500, help="Left out: what the model is made for, mostly 20"
    ),
    GraphInput(
        name="cfg_scale",
        type=InputType.FLOAT,
        minimum=0,
        maximum=100,
        step=0.5,
        title="CFG scale",
        help="How closely to follow the prompt; left out: what the model is made for",
    ),
    GraphInput(name="sampler", type=InputType.CHOICE, help="Left out: the backend's default"),
    GraphInput(name="scheduler", type=InputType.CHOICE, help="The noise schedule; left out: the backend's default"),
    GraphInput(
        name="seed", type=InputType.SEED, maximum=_MAX_SEED, help="Of the first picture; left out: chosen at random"
    ),
    GraphInput(
        name="count", type=InputType.INT, default=1, minimum=1, maximum=64, help="How many pictures, with a seed each"
    ),
    GraphInput(
        name="loras",
        type=InputType.LORAS,
        model_type="loras",
        title="LoRAs",
        help="Applied in their order",
    ),
)
_MODEL_PARTS: Final = (
    _named("vae", "vaes", "Left out: the model's own", title="VAE", group=_PARTS),
    *(
        _named(name, "text_encoders", "For a diffusion model; left out: those that fit it", group=_PARTS)
        for name in TEXT_ENCODERS
    ),
)
_SELDOM: Final = (
    GraphInput(
        name="distilled_cfg_scale",
        type=InputType.FLOAT,
        minimum=0,
        maximum=100,
        step=0.5,
        title="Distilled CFG scale",
        help="For models that were distilled with it, as Flux; left out: 3.5 there",
        group=_MORE,
    ),
    GraphInput(
        name="batch_size",
        type=InputType.INT,
        default=1,
        minimum=1,
        maximum=16,
        help="How many pictures to compute in one pass",
        group=_MORE,
    ),
)
_SECOND_PASS: Final = (
    GraphInput(
        name="hires_scale",
        type=InputType.FLOAT,
        minimum=1.05,
        maximum=4,
        step=0.05,
        title="Scale",
        help="Sample again at a size larger by this factor; left out: no second pass",
        group=_HIRES,
    ),
    _named("hires_upscaler", "upscalers", "Left out: the latent is scaled", title="Upscaler", group=_HIRES),
    GraphInput(
        name="hires_steps",
        type=InputType.INT,
        minimum=1,
        maximum=500,
        title="Steps",
        help="Left out: as many as in the first pass",
        group=_HIRES,
    ),
    GraphInput(
        name="hires_denoise",
        type=InputType.FLOAT,
        minimum=0,
        maximum=1,
        step=0.05,
        title="Denoise",
        help="How much of the scaled picture is replaced; left out: 0.5",
        group=_HIRES,
    ),
)
_INITIAL: Final = GraphInput(
    name="init_image", type=InputType.IMAGE, required=True, title="Initial image", help="The picture to start from"
)
_MASK: Final = GraphInput(
    name="mask", type=InputType.MASK, required=True, help="White is repainted, black and what is transparent is kept"
)
_MASK_BLUR: Final = GraphInput(
    name="mask_blur", type=InputType.INT, default=4, minimum=0, maximum=64, help="Of the mask's edge, in pixels"
)
_DENOISE: Final = GraphInput(
    name="denoise",
    type=InputType.FLOAT,
    default=0.75,
    minimum=0,
    maximum=1,
    step=0.05,
    help="How much of the initial picture is replaced, from 0 (nothing) to 1 (everything)",
)
_SIZE: Final = (_size("width"), _size("height"))

_UPSCALE_GRAPH: Final = {
    "picture": {"class_type": "LoadImage", "inputs": {"image": ""}, "_meta": {"title": "Picture"}},
    "upscaler": {"class_type": "UpscaleModelLoader", "inputs": {"model_name": ""}, "_meta": {"title": "Upscaler"}},
    "enlarge": {
        "class_type": "ImageUpscaleWithModel",
        "inputs": {"upscale_model": ["upscaler", 0], "image": ["picture", 0]},
        "_meta": {"title": "Enlarge"},
    },
    "resize": {
        "class_type": "ImageScaleBy",
        "inputs": {"image": ["enlarge", 0], "upscale_method": "lanczos", "scale_by": 1.0},
        "_meta": {"title": "Resize"},
    },
    "save": {
        "class_type": "SaveImage",
        "inputs": {"images": ["resize", 0], "filename_prefix": "imagegen"},
        "_meta": {"title": "Save"},
    },
}
_UPSCALE: Final = (
    Field(
        input=GraphInput(
            name="init_image",
            type=InputType.IMAGE,
            targets=(Target("picture", "image"),),
            required=True,
            title="Picture",
            help="The picture to enlarge",
        ),
        target_classes=("LoadImage",),
    ),
    Field(
        input=_named(
            "upscaler", "upscalers", "Left out: the first that there is", targets=(Target("upscaler", "model_name"),)
        ),
        target_classes=("UpscaleModelLoader",),
    ),
    Field(
        input=GraphInput(
            name="scale",
            type=InputType.FLOAT,
            targets=(Target("resize", "scale_by"),),
            default=1.0,
            minimum=0.05,
            maximum=4,
            step=0.05,
            help="Applied after the upscaler's own factor: 0.5 makes of an upscaler that makes four times as wide one "
            "that makes twice as wide",
        ),
        target_classes=("ImageScaleBy",),
    ),
)


def _of_parameters(workflow_id: str, title: str, description: str, inputs: Sequence[GraphInput]) -> Workflow:
    return Workflow(
        workflow_id=workflow_id,
        revision=1,
        title=title,
        description=description,
        inputs=tuple(inputs),
        form=tuple(Field(input=each) for each in inputs),
        is_built_in=True,
    )


_ALL: Final = (
    _of_parameters(
        "text-to-image",
        "Text to image",
        "Makes pictures out of a description, on every kind of backend",
        [*_PROMPTS, *_SIZE, *_SAMPLING, *_SECOND_PASS, *_MODEL_PARTS, *_SELDOM],
    ),
    _of_parameters(
        "image-to-image",
        "Image to image",
        "Makes new pictures out of a picture and a description, on every kind of backend",
        [_INITIAL, *_PROMPTS, _DENOISE, *_SIZE, *_SAMPLING, *_MODEL_PARTS, *_SELDOM],
    ),
    _of_parameters(
        "inpaint",
        "Inpaint",
        "Repaints a part of a picture, on every kind of backend",
        [_INITIAL, _MASK, *_PROMPTS, _DENOISE, _MASK_BLUR, *_SIZE, *_SAMPLING, *_MODEL_PARTS, *_SELDOM],
    ),
    Workflow(
        workflow_id="upscale",
        revision=1,
        title="Upscale",
        description="Enlarges a picture by an upscaler, on backends that take graphs",
        graph_json=json.dumps(_UPSCALE_GRAPH),
        inputs=tuple(field.input for field in _UPSCALE),
        form=_UPSCALE,
        is_built_in=True,
    ),
)

BUILT_IN: Final[Mapping[str, Workflow]] = {workflow.workflow_id: workflow for workflow in _ALL}
"""By id, in the order in which they are listed."""
