"""Every field of a request is mapped, changes nothing, goes to a backend of A1111's kind, or is refused."""

import json
from typing import Any

import pytest
from google.protobuf import json_format

from imagegen.v1 import backend_pb2, job_pb2
from imagegen_gateway.dialects.a1111.faults import Refused
from imagegen_gateway.dialects.a1111.fields import IMG2IMG, TXT2IMG, read
from imagegen_gateway.dialects.a1111.names import CHECKPOINT, DIFFUSION_MODEL, LORA, SAMPLER, VAE, Stock
from imagegen_gateway.dialects.a1111.options import Choice
from imagegen_gateway.dialects.a1111.orders import Order, order_of
from tests.gateway.dialects.a1111.test_names import model, stock

MODELS = (
    model(CHECKPOINT, "tiny", "auto", "busy", description="tiny.safetensors [bf31090b88]"),
    model(CHECKPOINT, "xl.safetensors", "comfy"),
    model(VAE, "soft.vae", "comfy"),
    model(LORA, "tiny_lora", "auto"),
    model(LORA, "styles/film.safetensors", "comfy"),
    model(DIFFUSION_MODEL, "flux.safetensors", "comfy"),
    model(SAMPLER, "euler_ancestral", "comfy"),
    model(SAMPLER, "euler", "comfy"),
    model(SAMPLER, "Euler a", "auto", "busy"),
)


def backend(name: str, kind: str, **fields: Any) -> backend_pb2.Backend:
    return backend_pb2.Backend(name=name, kind=kind, health=backend_pb2.BACKEND_HEALTH_HEALTHY, **fields)


COMFY = stock(*MODELS, backends=[backend("comfy", "comfyui")])
WITH_A1111 = stock(
    *MODELS,
    backends=[
        backend("comfy", "comfyui"),
        backend("off", "a1111", drained=True),
        backend("busy", "a1111", queue_depth=3),
        backend("auto", "a1111"),
    ],
)


def txt2img(there: Stock = COMFY, choice: Choice | None = None, **values: Any) -> Order:
    wanted = read(json.dumps(values).encode(), TXT2IMG)
    return order_of(wanted, there, choice or Choice(), random_seed=99)


def img2img(there: Stock = COMFY, **values: Any) -> Order:
    body = {"init_images": ["picture"], **values}
    return order_of(read(json.dumps(body).encode(), IMG2IMG), there, Choice(), random_seed=99)


def faults(refused: Refused) -> list[list[str]]:
    return [item["loc"][1:] for item in refused.document["detail"]]


def test_defaults_are_those_of_a1111() -> None:
    image = txt2img().spec.image
    assert image == job_pb2.ImageParameters(
        width=512, height=512, steps=50, cfg_scale=7.0, sampler="euler", seed=99, count=1
    )


def test_a_default_sampler_that_nobody_has_is_left_to_the_backend() -> None:
    nobody = stock(model(SAMPLER, "own", "x"))
    assert txt2img(nobody).spec.image.sampler == ""
    assert txt2img(nobody, sampler_index="Euler").spec.image.sampler == "Euler"


def test_parameters_are_mapped() -> None:
    order = txt2img(
        prompt="a fox", negative_prompt="dog", seed=5, batch_size=2, n_iter=3, width=100, height=70, steps=9,
        cfg_scale=4.5, sampler_name="Euler a", scheduler="automatic", force_task_id="task(1)",
        override_settings={"sd_model_checkpoint": "xl.safetensors", "sd_vae": "soft.vae"},
    )  # fmt: skip
    assert order.spec.image == job_pb2.ImageParameters(
        prompt="a fox", negative_prompt="dog", seed=5, count=6, width=96, height=64, steps=9, cfg_scale=4.5,
        sampler="euler_ancestral", model="xl.safetensors", vae="soft.vae",
    )  # fmt: skip
    assert (order.count, order.seed, order.task_id) == (6, 5, "task(1)")
    assert order.choice == Choice()


def test_an_override_that_is_not_restored_is_a_choice() -> None:
    override = {"sd_model_checkpoint": "xl.safetensors"}
    order = txt2img(override_settings=override, override_settings_restore_afterwards=False)
    assert order.choice == Choice(model="xl.safetensors")


def test_the_clients_choice_holds_where_the_request_says_nothing() -> None:
    image = txt2img(choice=Choice("xl.safetensors", "soft.vae")).spec.image
    assert (image.model, image.vae, image.sampler) == ("xl.safetensors", "soft.vae", "euler")


WEBUIAPI: dict[str, Any] = {
    "enable_hr": False, "hr_scale": 2, "hr_upscaler": "Latent", "denoising_strength": 0.7, "styles": [], "subseed": -1,
    "subseed_strength": 0.0, "seed_resize_from_h": 0, "seed_resize_from_w": 0, "restore_faces": False, "tiling": False,
    "do_not_save_samples": True, "save_images": True, "eta": 1.0, "s_churn": 0, "s_tmax": 0, "s_tmin": 0, "s_noise": 1,
    "override_settings": {}, "script_args": [1], "alwayson_scripts": {}, "comments": {"a": 1},
    "hr_checkpoint_name": "Use same checkpoint", "hr_prompt": "other", "firstphase_width": 64,
}  # fmt: skip
"""What programs always send, and what counts only together with something else."""


def test_values_that_change_nothing_change_nothing() -> None:
    assert txt2img(**WEBUIAPI).spec == txt2img().spec
    override = {"CLIP_stop_at_last_layers": 1.0, "show_progress_every_n_steps": 3, "samples_format": "png"}
    assert txt2img(override_settings=override).spec == txt2img().spec
    assert img2img(image_cfg_scale=1.5, initial_noise_multiplier=1, inpainting_fill=3).spec == img2img().spec


PECULIAR = [
    ("styles", ["x"]), ("subseed_strength", 0.5), ("tiling", True), ("restore_faces", True), ("eta", 0.5),
    ("s_churn", 1), ("s_noise", 1.1), ("disable_extra_networks", True), ("firstpass_image", "x"),
    ("refiner_checkpoint", "tiny"), ("seed_resize_from_w", 64), ("override_settings", {"CLIP_stop_at_last_layers": 2}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), PECULIAR)
def test_what_only_a1111_can_do_goes_to_the_least_busy_one(field: str, value: Any) -> None:
    spec = txt2img(WITH_A1111, **{field: value}).spec
    assert spec.backend == "auto"
    assert json_format.MessageToDict(spec.backend_options)["a1111"][field] == value


@pytest.mark.parametrize(("field", "value"), PECULIAR)
def test_what_only_a1111_can_do_is_refused_where_there_is_none(field: str, value: Any) -> None:
    for there, more in ((COMFY, {}), (WITH_A1111, {"sd_model_checkpoint": "xl.safetensors"})):
        override = more | (value if field == "override_settings" else {})
        with pytest.raises(Refused) as caught:
            txt2img(there, **{field: value, "override_settings": override})
        assert caught.value.status == 422
        assert field in [place[0] for place in faults(caught.value)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"hr_prompt": "other"}, "hr_prompt"),
        ({"hr_sampler_name": "LMS"}, "hr_sampler_name"),
        ({"hr_scheduler": "Karras"}, "hr_scheduler"),
        ({"hr_checkpoint_name": "tiny"}, "hr_checkpoint_name"),
    ],
)
def test_a_second_pass_of_its_own_kind_is_peculiar(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(Refused) as caught:
        txt2img(enable_hr=True, **values)
    assert faults(caught.value) == [[expected]]


def test_a_network_without_an_end_is_a_word() -> None:
    """However long it is: it would take hours if each part of it were tried as the name."""
    assert txt2img(prompt="<lora:" + "a" * 1_000_000).spec.backend == ""


def test_words_that_load_networks_are_for_a1111() -> None:
    prompt = "a fox <lora:tiny_lora:0.8>"
    assert txt2img(WITH_A1111, prompt=prompt).spec.backend == "auto"
    assert txt2img(WITH_A1111, prompt=prompt).spec.backend_options.fields == {}
    with pytest.raises(Refused, match="no such network"):
        txt2img(WITH_A1111, prompt="a fox <lora:nope:1>")


@pytest.mark.parametrize(
    ("words", "lora"),
    [
        ("<lora:film>", job_pb2.Lora(name="styles/film.safetensors")),
        ("<lora:film.safetensors:0.8>", job_pb2.Lora(name="styles/film.safetensors", weight=0.8)),
        ("<lora:film:.5:-1>", job_pb2.Lora(name="styles/film.safetensors", weight=-1, text_encoder_weight=0.5)),
    ],
)
def test_loras_are_asked_for_as_such_where_no_a1111_is_there(words: str, lora: job_pb2.Lora) -> None:
    spec = txt2img(prompt=f"a fox {words}", override_settings={"sd_model_checkpoint": "xl"}).spec
    assert (spec.backend, spec.image.prompt, list(spec.image.loras)) == ("", "a fox", [lora])


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": "<hypernet:film:1>"},
        {"prompt": "<lora:film:much>"},
        {"prompt": "x", "negative_prompt": "<lora:film:1>"},
        {"prompt": "<lora:tiny_lora:1>", "override_settings": {"sd_model_checkpoint": "xl"}},
    ],
)
def test_networks_that_nobody_has_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Refused, match="only an A1111 backend"):
        txt2img(**fields)


def test_a_lora_that_there_is_not_is_said_to_be_none_with_or_without_a1111() -> None:
    with pytest.raises(Refused, match="no such network; /sdapi/v1/loras lists them"):
        txt2img(prompt="<lora:nope:1>")
    with pytest.raises(Refused, match=r"did you mean film\?"):
        txt2img(prompt="<lora:flim:1>")
    with pytest.raises(Refused, match=r"did you mean tiny_lora\?"):
        txt2img(WITH_A1111, prompt="<lora:tiny_lra:1>")


def test_a_diffusion_model_is_chosen_as_a_checkpoint() -> None:
    assert txt2img(override_settings={"sd_model_checkpoint": "flux"}).spec.image.model == "flux.safetensors"


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ({}, 2.0),
        ({"hr_scale": 1.5}, 1.5),
        ({"hr_resize_x": 768, "hr_resize_y": 768}, 1.5),
        ({"hr_resize_x": 1024}, 2.0),
    ],
)
def test_hires(values: dict[str, Any], scale: float) -> None:
    hires = txt2img(enable_hr=True, denoising_strength=0.4, hr_second_pass_steps=7, **values).spec.image.hires
    assert hires == job_pb2.HiresParameters(scale=scale, steps=7, denoise=0.4)
    assert txt2img(enable_hr=True, hr_upscaler="ESRGAN").spec.image.hires.upscaler == "ESRGAN"


def test_an_initial_picture_is_fitted_and_a_mask_is_prepared() -> None:
    order = img2img(
        width=128, height=64, mask="mask", mask_blur=3, inpainting_mask_invert=1, mask_round=False, resize_mode=1,
        inpaint_full_res_padding=16,
    )  # fmt: skip
    assert (order.init_image, order.mask) == ("picture", "mask")
    assert (order.spec.image.denoise, order.spec.image.mask_blur) == (0.75, 3)
    fitting = order.fitting
    assert fitting is not None
    assert (fitting.size, fitting.resize_mode, fitting.mask_blur) == ((128, 64), 1, 3)
    assert (fitting.is_mask_inverted, fitting.has_hard_mask, fitting.fills) == (True, False, True)
    assert fitting.only_masked_padding == 16
    whole = img2img(mask="mask", inpaint_full_res=False, inpainting_fill=1).fitting
    assert whole is not None
    assert (whole.only_masked_padding, whole.fills) == (None, False)


def test_an_infotext_fills_in_what_is_not_said() -> None:
    text = (
        "a dog\nNegative prompt: blur\nSteps: 3, Sampler: Euler a, CFG scale: 4, Seed: 77, Size: 64x72, "
        "Model: tiny, Version: 1"
    )
    image = txt2img(infotext=text, steps=2, prompt="a fox").spec.image
    assert (image.prompt, image.negative_prompt, image.steps, image.seed) == ("a fox", "blur", 2, 77)
    assert (image.width, image.height, image.sampler, image.model) == (64, 72, "Euler a", "tiny")


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"steps": 0}, "steps"),
        ({"cfg_scale": 101}, "cfg_scale"),
        ({"seed": -2}, "seed"),
        ({"seed": 2**63 - 1, "n_iter": 2}, "seed"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 9, "n_iter": 8}, "n_iter"),
        ({"width": 63}, "width"),
        ({"height": 5000}, "height"),
        ({"enable_hr": True, "hr_scale": 1}, "hr_scale"),
        ({"enable_hr": True, "hr_resize_x": 768, "hr_resize_y": 600}, "hr_resize_x"),
        ({"enable_hr": True, "firstphase_width": 64}, "firstphase_width"),
        ({"infotext": "x\nSteps: 3, Hires upscale: 2"}, "infotext"),
        ({"infotext": "x\nSteps: many"}, "infotext"),
    ],
)
def test_what_cannot_be_is_refused_by_name(values: dict[str, Any], place: str) -> None:
    with pytest.raises(Refused) as caught:
        txt2img(**values)
    assert faults(caught.value) == [[place]]


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"init_images": None}, 404),
        ({"init_images": []}, 422),
        ({"init_images": ["a", "b"]}, 422),
        ({"init_images": [1]}, 422),
        ({"mask": "m", "mask_blur_x": 3}, 422),
        ({"mask": "m", "inpainting_fill": 2}, 422),
        ({"resize_mode": 3}, 422),
        ({"resize_mode": 4}, 422),
        ({"denoising_strength": 2}, 422),
        ({"script_name": "loopback"}, 422),
        ({"alwayson_scripts": {"ControlNet": {"args": []}}}, 422),
    ],
)
def test_refused_of_pictures(values: dict[str, Any], status: int) -> None:
    with pytest.raises(Refused) as caught:
        img2img(**values)
    assert caught.value.status == status


def test_previews_can_be_switched_off() -> None:
    spec = txt2img(override_settings={"live_previews_enable": False}).spec
    assert spec.preview.mode == job_pb2.PREVIEW_MODE_OFF
