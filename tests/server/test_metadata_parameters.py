"""A1111's text, both ways. The texts marked as recorded are what A1111 1.10.1 wrote."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.contract import HiresParameters, ImageParameters, Lora
from imagegen_server.metadata.infotext import MAX_CHARS, Infotext, read
from imagegen_server.metadata.infotext import write as write_infotext
from imagegen_server.metadata.parameters import Known, is_parameters, parse, united
from imagegen_server.metadata.writing import write

# Recorded:
HIRES = (
    "a cat\nSteps: 8, Sampler: Euler, Schedule type: Automatic, CFG scale: 7.0, Seed: 100, Size: 128x128, "
    "Model hash: bf31090b88, Model: dreamlike_tiny, Denoising strength: 0.7, Hires upscale: 1.5, Hires steps: 5, "
    "Hires upscaler: Latent, Version: 1.10.1"
)
RESIZED = (
    "a cat\nSteps: 6, Sampler: Euler, Schedule type: Automatic, CFG scale: 7.0, Seed: 100, Size: 128x128, "
    "Model hash: bf31090b88, Model: dreamlike_tiny, Denoising strength: 0.5, Hires resize: 192x160, "
    "Hires upscaler: Lanczos, Version: 1.10.1"
)
INPAINTED = (
    "a cat\nSteps: 10, Sampler: Euler, Schedule type: Automatic, CFG scale: 7.0, Seed: 5, Size: 96x96, "
    "Model hash: bf31090b88, Model: dreamlike_tiny, Denoising strength: 0.75, Mask blur: 2, "
    "Inpaint area: Only masked, Masked area padding: 16, Masked content: fill, Version: 1.10.1"
)
STYLED = (
    "cinematic still a cat, film grain\nNegative prompt: bad, lowres\nSteps: 5, Sampler: Euler a, "
    "Schedule type: Karras, CFG scale: 5.5, Seed: 42, Size: 64x72, Model hash: bf31090b88, Model: dreamlike_tiny, "
    "Variation seed: 7, Variation seed strength: 0.3, Clip skip: 2, Tiling: True, Eta: 0.5, Version: 1.10.1"
)
WITH_VAE = (
    "a cat\nSteps: 2, Sampler: Euler, Schedule type: Automatic, CFG scale: 7.0, Seed: 11, Size: 64x64, "
    "Model hash: bf31090b88, Model: dreamlike_tiny, VAE hash: 14ca0bb108, VAE: tiny_vae.safetensors, Version: 1.10.1"
)
EMBEDDING = (
    "tinyemb cat\nSteps: 2, Sampler: Euler, Schedule type: Automatic, CFG scale: 7.0, Seed: 2423583863, "
    'Size: 64x64, Model hash: bf31090b88, Model: dreamlike_tiny, TI hashes: "tinyemb: c7c98c94f815", Version: 1.10.1'
)
# As Civitai's generator writes it, with JSON as it is at the end:
CIVITAI = (
    "a cat\nSteps: 20, Sampler: Euler a, Seed: 3, Clip skip: 1, Created Date: 2024-01-01T00:00:00Z, "
    'Civitai resources: [{"type":"checkpoint","Steps: 1, modelVersionId":1}], Civitai metadata: {}'
)
BASE = {"prompt": "a cat", "sampler": "Euler", "cfg_scale": 7, "model": "dreamlike_tiny"}
FROM_PICTURE = "it was made from another picture, which has to be given as init_image"


@pytest.mark.parametrize(
    ("text", "image", "notes"),
    [
        (
            HIRES,
            BASE
            | {"steps": 8, "seed": 100, "width": 128, "height": 128}
            | {"hires": HiresParameters(scale=1.5, steps=5, denoise=0.7)},
            (),
        ),
        (
            RESIZED,
            BASE | {"steps": 6, "seed": 100, "width": 128, "height": 128},
            tuple(
                f"{lost} is not carried"
                for lost in ("Denoising strength: 0.5", "Hires resize: 192x160", "Hires upscaler: Lanczos")
            ),
        ),
        (
            RESIZED.replace("192x160", "192x192"),
            BASE
            | {"steps": 6, "seed": 100, "width": 128, "height": 128}
            | {"hires": HiresParameters(scale=1.5, upscaler="Lanczos", denoise=0.5)},
            (),
        ),
        (
            INPAINTED,
            BASE | {"steps": 10, "seed": 5, "width": 96, "height": 96, "denoise": 0.75, "mask_blur": 2},
            (
                FROM_PICTURE,
                *(
                    f"{lost} is not carried"
                    for lost in ("Inpaint area: Only masked", "Masked area padding: 16", "Masked content: fill")
                ),
            ),
        ),
        (
            STYLED,
            {"prompt": "cinematic still a cat, film grain", "negative_prompt": "bad, lowres", "steps": 5}
            | {"sampler": "Euler a", "scheduler": "Karras", "cfg_scale": 5.5, "seed": 42, "width": 64, "height": 72}
            | {"model": "dreamlike_tiny"},
            tuple(
                f"{lost} is not carried"
                for lost in (
                    "Variation seed: 7",
                    "Variation seed strength: 0.3",
                    "Clip skip: 2",
                    "Tiling: True",
                    "Eta: 0.5",
                )
            ),
        ),
        (
            WITH_VAE,
            BASE | {"steps": 2, "seed": 11, "width": 64, "height": 64, "vae": "tiny_vae.safetensors"},
            (),
        ),
        (
            EMBEDDING,
            BASE | {"prompt": "tinyemb cat", "steps": 2, "seed": 2423583863, "width": 64, "height": 64},
            (),
        ),
        # As Forge writes it for a model that comes in parts.
        (
            "a\nSteps: 4, Sampler: Euler, CFG scale: 1, Distilled CFG Scale: 3.5, Module 1: ae, Module 2: clip_l",
            {"prompt": "a", "steps": 4, "sampler": "Euler", "cfg_scale": 1, "distilled_cfg_scale": 3.5}
            | {"vae": "ae", "text_encoders": ("clip_l",)},
            (),
        ),
        # As it was before 1.9, with lines of prompts, and with Windows' ends of lines.
        (
            "a cat,\r\non a mat\r\nNegative prompt: blur\r\nbad\r\nSteps: 20, Sampler: DPM++ 2M Karras, Seed: 3",
            {"prompt": "a cat,\non a mat", "negative_prompt": "blur\nbad", "steps": 20, "seed": 3}
            | {"sampler": "DPM++ 2M", "scheduler": "Karras"},
            (),
        ),
        (
            CIVITAI,
            {"prompt": "a cat", "steps": 20, "sampler": "Euler a", "seed": 3},
            ("Civitai resources: ... is not carried",),
        ),
        ("a cat", {"prompt": "a cat"}, ()),
        ("a\nSteps: 1, Seed: 1, CFG scale: 2, Steps: 3", {"prompt": "a", "steps": 1, "seed": 1, "cfg_scale": 2}, ()),
        (
            'a\nSteps: 1, Seed: 1, Model: "half \\ud800"',
            {"prompt": "a", "steps": 1, "seed": 1, "model": "half ?"},
            (),
        ),
        (
            'a\nSteps: 1, Seed: 1, Size: 8x8, Model hash: bf31090b88, Lora: "half \\q"',
            {"prompt": "a", "steps": 1, "seed": 1},
            (
                "the model is only known by its hash, bf31090b88",
                "Size: 8x8 is not carried",
                "Lora: half \\q is not carried",
            ),
        ),
        ("", {"prompt": ""}, ()),
        ("Steps: 1, Seed: 2, CFG scale: 3", {"prompt": "", "steps": 1, "seed": 2, "cfg_scale": 3}, ()),
        (
            "a\nSteps: 1, Seed: -1, CFG scale: x, Size: 100x70\nTemplate: a",
            {"prompt": "a", "steps": 1, "width": 96, "height": 64},
            (
                "Size: 100x70 was made as 96x64",
                "what stands behind the settings is not carried",
                "CFG scale: x is not carried",
                "Seed: -1 is not carried",
            ),
        ),
    ],
)
def test_a_text_is_understood(text: str, image: dict[str, Any], notes: tuple[str, ...]) -> None:
    parsed = parse(text)
    assert parsed.image == image
    assert sorted(parsed.notes) == sorted(notes)
    ImageParameters(**parsed.image)


@pytest.mark.parametrize(
    ("tag", "lora"),
    [
        ("<lora:one:0.8>", Lora(name="one", weight=0.8)),
        ("<lora:one>", Lora(name="one", weight=1)),
        ("<lora:one:0.5:0.8>", Lora(name="one", weight=0.8, text_encoder_weight=0.5)),
        ("<lora:one:te=0:unet=-1>", Lora(name="one", weight=-1, text_encoder_weight=0)),
        ("<lora:one:0.5:unet=0.8>", Lora(name="one", weight=0.8, text_encoder_weight=0.5)),
    ],
)
def test_loras_are_taken_out_of_the_prompt(tag: str, lora: Lora) -> None:
    assert parse(f"a {tag} cat\nSteps: 1, Seed: 1, CFG scale: 1").image["prompt"] == "a cat"
    assert parse(tag).image == {"prompt": "", "loras": (lora,)}


def test_a_lora_that_cannot_be_asked_for_is_told() -> None:
    parsed = parse("a cat <lora:one:1:1:8>")
    assert (parsed.image, parsed.notes) == ({"prompt": "a cat"}, ("<lora:one:1:1:8> is not carried",))


def test_names_are_told_in_the_words_of_the_backends() -> None:
    known = Known(
        models=("other.safetensors", "sd15\\Dreamlike_tiny.safetensors"),
        vaes=("x/tiny_vae.safetensors",),
        loras=("style/one.safetensors",),
        samplers=("euler", "euler_ancestral"),
        schedulers=("karras",),
    )
    assert (
        parse(STYLED, known).image.items()
        >= {
            "model": "sd15\\Dreamlike_tiny.safetensors",
            "sampler": "euler_ancestral",
            "scheduler": "karras",
        }.items()
    )
    assert parse(WITH_VAE, known).image["vae"] == "x/tiny_vae.safetensors"
    assert parse("<lora:one:1>", known).image["loras"] == (Lora(name="style/one.safetensors"),)


def test_a_lora_that_no_backend_has_is_told() -> None:
    known = Known(loras=("style/one.safetensors",))
    parsed = parse("a fox <lora:one:1> <lora:two:0.5>", known)
    assert [lora.name for lora in parsed.image["loras"]] == ["style/one.safetensors", "two"]
    assert parsed.notes == ("no backend has a LoRA called two",)
    assert parse("a fox <lora:two:0.5>").notes == ()


def test_names_are_those_of_backends_that_have_the_model() -> None:
    here = Known(models=("other",), samplers=("Euler a",), schedulers=("karras",))
    there = Known(models=("dreamlike_tiny.ckpt",), samplers=("euler", "euler_ancestral"))
    both = united([here, there])
    assert both is not None
    assert parse(STYLED, both).image["sampler"] == "euler_ancestral"
    assert parse(STYLED.replace("dreamlike_tiny", "other"), both).image["sampler"] == "Euler a"
    assert parse(STYLED.replace("dreamlike_tiny", "unknown"), both).image["sampler"] == "Euler a"
    assert united([]) is None


def test_a_model_that_was_renamed_is_found_by_its_hash() -> None:
    known = Known(models=("renamed.ckpt",), hashes={"renamed.ckpt": "bf31090b88".ljust(64, "0")})
    assert parse(HIRES, known).image["model"] == "renamed.ckpt"
    too_short = HIRES.replace("Model hash: bf31090b88, Model: dreamlike_tiny", "Model hash: bf31090")
    assert "model" not in parse(too_short, known).image
    unknown = parse(HIRES, Known(models=("other",)))
    assert (unknown.image["model"], unknown.notes) == (
        "dreamlike_tiny",
        ("no backend has a model called dreamlike_tiny",),
    )


def test_a_setting_may_have_lines() -> None:
    text = Infotext(prompt="a", settings={"Steps": "1", "Seed": "2", "Template": "one\ntwo"})
    assert read(write_infotext(text)) == text


def test_a_text_is_written_as_a1111_writes_it() -> None:
    parameters = ImageParameters(
        prompt="a cat",
        negative_prompt="blur",
        model="sd15/dream, like.safetensors",
        steps=8,
        sampler="dpmpp_2m",
        scheduler="karras",
        width=128,
        height=64,
        hires=HiresParameters(scale=1.5, steps=5, denoise=0.7),
        loras=(Lora(name="x/one.safetensors", weight=0.8),),
    )
    assert write(parameters, seed=100, model_hash="bf31090b88" * 6, version="imagegen") == (
        "a cat <lora:one:0.8>\nNegative prompt: blur\nSteps: 8, Sampler: DPM++ 2M, Schedule type: Karras, "
        'CFG scale: 7, Seed: 100, Size: 128x64, Model hash: bf31090b88, Model: "dream, like", '
        "Denoising strength: 0.7, Hires upscale: 1.5, Hires steps: 5, Hires upscaler: Latent, Version: imagegen"
    )


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        (STYLED, True),
        ("Steps: 1, Seed: 2, CFG scale: 3", True),
        ("a cat", False),
        ("twenty steps\nSteps: 3 of them, all new", False),
        ('{"3": {"class_type": "KSampler", "inputs": {}}}', False),
        ("a" * MAX_CHARS + "\nSteps: 1, Seed: 2, CFG scale: 3", False),
        ("", False),
    ],
)
def test_it_is_found_out_whether_a_text_is_one(text: str, is_one: bool) -> None:
    assert is_parameters(text) is is_one


@pytest.mark.parametrize("hostile", [" ", "a", "a: ", 'a: "', '"\\', "\n", "Steps: 1, ", "<lora:", "Steps: 1\n"])
def test_a_hostile_text_is_read_in_time(hostile: str) -> None:
    """Twenty seconds are what a test has; quadratic reading would take hours."""
    parse((hostile * MAX_CHARS)[:MAX_CHARS])


NAMES = st.text("abcXYZ019_- .,:()", min_size=1, max_size=12).map(str.strip).filter(bool)
FILES = st.text("abcxyz019_-,", min_size=1, max_size=12)
PROMPTS = (
    st.text(st.characters(exclude_characters="<\r", exclude_categories=["Cs"]), max_size=60)
    .map(str.strip)
    .filter(lambda text: not any(line.lstrip().startswith("Negative prompt:") for line in text.split("\n")))
)
WEIGHTS = st.floats(-10, 10).map(lambda number: round(number, 4))
LORAS = st.builds(Lora, name=FILES, weight=WEIGHTS, text_encoder_weight=st.none() | st.just(0.123456789))
SHARES = st.floats(0, 1)


@given(
    st.builds(
        ImageParameters,
        prompt=PROMPTS,
        negative_prompt=PROMPTS,
        model=st.just("") | FILES,
        vae=st.just("") | FILES.filter(lambda name: name != "None"),
        width=st.integers(8, 512).map(lambda eighth: eighth * 8),
        height=st.integers(8, 512).map(lambda eighth: eighth * 8),
        steps=st.integers(1, 500),
        cfg_scale=st.floats(0, 100),
        sampler=st.sampled_from(["", "euler_ancestral", "dpmpp_2m_sde", "DPM++ 2M SDE", "demo", "res_multistep"]),
        scheduler=st.sampled_from(["", "karras", "ddim_uniform", "SGM Uniform", "beta"]),
        seed=st.integers(0, 2**63 - 1),
        hires=st.none()
        | st.builds(
            HiresParameters,
            scale=st.floats(1, 4, exclude_min=True),
            upscaler=st.just("") | NAMES.filter(lambda name: name != "Latent"),
            steps=st.none() | st.integers(1, 500),
            denoise=SHARES,
        ),
        loras=st.lists(LORAS, max_size=3).map(tuple),
        distilled_cfg_scale=st.none() | st.floats(0, 100),
        text_encoders=st.lists(FILES.filter(lambda name: "vae" not in name), max_size=4).map(tuple),
    )
)
def test_what_is_written_is_read_again(parameters: ImageParameters) -> None:
    known = Known(
        models=[parameters.model],
        vaes=[parameters.vae],
        loras=[lora.name for lora in parameters.loras],
        samplers=[parameters.sampler],
        schedulers=[parameters.scheduler],
        text_encoders=parameters.text_encoders,
    )
    parsed = parse(write(parameters, seed=parameters.seed), known)
    assert ImageParameters(**parsed.image) == parameters
    assert parsed.notes == ()
