"""Answers that were recorded from a real server, and some that no server should give."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from imagegen_adapters.a1111 import catalog as lists
from imagegen_adapters.a1111 import listing, protocol, requests
from imagegen_adapters.a1111.faults import error_from
from imagegen_adapters.a1111.verdict import find_replacements, read_images
from imagegen_adapters.contract import HiresParameters, ImageParameters, ImageReady
from imagegen_adapters.errors import (
    AdapterError,
    GpuFault,
    NodeFailed,
    OutOfMemory,
    Rejected,
    Unauthenticated,
    Unintelligible,
    Unreachable,
)
from tests.adapters.a1111.conftest import REQUEST, picture, task_for

RECORDINGS = Path(__file__).parents[2] / "recordings" / "a1111"
PIXEL = requests._encode(picture("red", (8, 8)))


def recorded(name: str) -> Any:
    return json.loads((RECORDINGS / f"{name}.json").read_text())


def recorded_list(name: str) -> bytes:
    return (RECORDINGS / "catalog" / f"{name}.json").read_bytes()


def answer_with(info: object, images: int = 1) -> protocol.Answer:
    text = info if isinstance(info, str) else json.dumps(info)
    return protocol.decode_answer(orjson.dumps({"images": [PIXEL] * images, "info": text}))


CATALOG = lists.ServerCatalog(
    checkpoints=listing.decode_checkpoints(recorded_list("sd-models")),
    vaes=listing.decode_files(recorded_list("sd-vae")),
    samplers=listing.decode_samplers(recorded_list("samplers")),
    schedulers=listing.decode_schedulers(recorded_list("schedulers")),
    upscalers=listing.decode_names(recorded_list("upscalers")),
    latent_upscalers=listing.decode_names(recorded_list("latent-upscale-modes")),
    loras=listing.decode_loras(recorded_list("loras")),
    embeddings=listing.decode_embeddings(recorded_list("embeddings")),
    styles=listing.decode_names(recorded_list("prompt-styles")),
)
NAMES = lists.Names(checkpoint="dreamlike_tiny", vae="", sampler="Euler", scheduler="automatic", upscaler="")


# --- answers --------------------------------------------------------------------------------------------------------


def test_a_whole_answer() -> None:
    answer = protocol.decode_answer((RECORDINGS / "answer_plain.json").read_bytes())
    assert (answer.sampler, answer.schedule, answer.model, answer.vae) == ("DPM++ 2M", "Karras", "dreamlike_tiny", "")
    assert answer.version == "1.10.1"
    [image] = answer.images
    assert image.media_type == "image/png"
    assert protocol.picture_size(image) == (64, 64)


def test_saved_grids_are_left_out() -> None:
    recording = recorded("infos")["03_save_images_batch_adds_grid"]
    answer = answer_with(recording["info"], recording["images"])
    assert len(answer.images) == 2
    assert answer.seeds == (11, 12)


@pytest.mark.parametrize(
    ("name", "names", "replaced"),
    [
        ("txt2img_sampler_alias_k_euler", replace(NAMES, sampler="k_euler"), ["sampler"]),
        ("txt2img_bad_scheduler", replace(NAMES, scheduler="karras"), ["scheduler"]),
        ("05_full_options_request", replace(NAMES, sampler="Euler a", scheduler="karras"), []),
        ("08b_txt2img_with_vae", replace(NAMES, vae="tiny_vae.safetensors"), []),
        ("08b_txt2img_with_vae", replace(NAMES, vae="other.safetensors", checkpoint="other_tiny"), ["model", "VAE"]),
        ("08_interrupt_during_model_load_zero_images", replace(NAMES, checkpoint="other_tiny"), []),
    ],
)
def test_what_the_server_replaced(name: str, names: lists.Names, replaced: list[str]) -> None:
    answer = answer_with(recorded("infos")[name]["info"])
    assert [warning.message.split()[3] for warning in find_replacements(answer, names, CATALOG)] == replaced


def test_images_of_another_size_or_seed_are_told() -> None:
    post = requests.plan_posts("a", replace(REQUEST, seed=5))[0]
    found = list(read_images(replace(REQUEST, seed=5), post, answer_with({"all_seeds": [6]}, images=3)))
    assert [getattr(item, "code", "image") for item in found] == ["SETTING_REPLACED", "SIZE_ADJUSTED", "image"]
    assert isinstance(found[-1], ImageReady)
    assert found[-1].seed == 6


def test_an_answer_without_seeds_is_believed_to_have_ours() -> None:
    post = requests.plan_posts("a", REQUEST)[0]
    *_, image = read_images(REQUEST, post, answer_with({}))
    assert isinstance(image, ImageReady)
    assert image.seed == REQUEST.seed


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"images": [], "info": "nonsense"}',
        b'{"images": [], "info": "[]"}',
        b'{"images": [3], "info": "{}"}',
        b'{"images": ["!!!"], "info": "{}"}',
        b'{"images": ["aGVsbG8="], "info": "{}"}',
        b'{"images": [], "info": "{\\"index_of_first_image\\": \\"x\\"}"}',
    ],
)
def test_answers_that_make_no_sense(body: bytes) -> None:
    with pytest.raises(Unintelligible):
        protocol.decode_answer(body)


def test_a_broken_picture_is_unintelligible() -> None:
    with pytest.raises(Unintelligible):
        protocol.picture_size(protocol.Picture(data=b"\x89PNG\r\n\x1a\nbroken", media_type="image/png"))


def test_the_kinds_of_pictures() -> None:
    assert protocol.sniff_media_type(b"\xff\xd8\xff\xe0") == "image/jpeg"
    assert protocol.sniff_media_type(b"RIFF\0\0\0\0WEBPVP8 ") == "image/webp"
    assert protocol.sniff_media_type(b"GIF89a") == ""


# --- documents ------------------------------------------------------------------------------------------------------


def test_an_idle_document() -> None:
    idle = protocol.decode_global_progress(recorded_list("progress_idle"))
    assert idle.is_idle
    assert idle.elapsed_s is None


def test_an_unknown_task() -> None:
    task = protocol.decode_task_progress(recorded_list("internal_progress_unknown"))
    assert not task.is_known


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"state": {"job_count": "x"}}', b'{"state": {"job_count": true}}'])
def test_progress_that_makes_no_sense(body: bytes) -> None:
    with pytest.raises(Unintelligible):
        protocol.decode_global_progress(body)
    with pytest.raises(Unintelligible):
        protocol.decode_task_progress(body)


def test_a_preview_that_cannot_be_read_is_none() -> None:
    body = b'{"state": {"job_count": 1}, "current_image": "%%%"}'
    assert protocol.decode_global_progress(body).preview is None


def test_small_documents() -> None:
    assert protocol.decode_app_id(b'{"app_id": 18446744073709551615}') == "18446744073709551615"
    assert protocol.decode_pending(recorded_list("internal_pending-tasks")) >= 0
    assert protocol.decode_options(b'{"samples_format": "png"}') == {"samples_format": "png"}
    assert not protocol.decode_memory(recorded_list("memory")).is_cuda
    cuda = b'{"ram": {"error": "x"}, "cuda": {"system": {"free": 5, "used": 1, "total": 6}}}'
    assert protocol.decode_memory(cuda) == protocol.Memory(is_cuda=True, free_bytes=5, total_bytes=6)
    assert protocol.decode_memory(b'{"ram": 3}').total_bytes == 0


# --- errors ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "fields"),
    [
        ("00_none", Unauthenticated, None),
        ("txt2img_steps_string_bad", Rejected, ["image.steps"]),
        ("not_json", Rejected, ["backend_options.a1111.1"]),
        ("txt2img_unknown_script", Rejected, []),
        ("05_no_init_images", Rejected, ["image.init_image"]),
        ("06_bad_base64", Rejected, ["image.init_image"]),
        ("txt2img_hr_unknown_upscaler", Rejected, ["image.hires.upscaler"]),
        ("txt2img_huge_size", OutOfMemory, None),
        ("txt2img_seed_huge", NodeFailed, None),
        ("txt2img_unknown_override_key", NodeFailed, None),
        ("txt2img_batch_size_0", NodeFailed, None),
        ("txt2img_null_prompt", NodeFailed, None),
        ("05_options_set_unknown_model", NodeFailed, None),
        ("pending-tasks_wrong_path", Unreachable, None),
    ],
)
def test_recorded_errors(name: str, kind: type[AdapterError], fields: list[str] | None) -> None:
    recording = recorded("errors")[name]
    error = error_from(recording["status"], orjson.dumps(recording["body"]))
    assert type(error) is kind
    assert str(error)
    if isinstance(error, Rejected):
        assert [violation.field for violation in error.violations] == fields


@pytest.mark.parametrize(
    ("status", "body", "kind", "text"),
    [
        (500, {"error": "OutOfMemoryError", "errors": "CUDA out of memory. Tried"}, OutOfMemory, "CUDA out of memory"),
        (500, {"error": "RuntimeError", "message": "CUDA error: out of memory"}, OutOfMemory, "out of memory"),
        (500, {"error": "RuntimeError", "message": "CUDA error: device-side assert"}, GpuFault, "device-side"),
        (500, {"error": "NansException", "errors": "NaNs was produced in Unet"}, NodeFailed, "NansException: NaNs"),
        (500, {"error": "AssertionError", "errors": ""}, NodeFailed, "AssertionError"),
        (500, {"error": "X", "errors": "a\n" * 900}, NodeFailed, "X: a a"),
        (500, {"detail": ["one", {"msg": "two"}, {"loc": ["body", "x"], "msg": "three"}]}, NodeFailed, "one; two; x: "),
        (422, {"detail": [{"loc": "body", "msg": "odd"}, 3]}, Rejected, "odd"),
        (404, "page", Unreachable, "--api"),
        (502, "page", Unreachable, "proxy"),
        (500, "page", Unintelligible, "not JSON"),
        (307, "", Unintelligible, "redirects"),
        (418, {"code": 418}, NodeFailed, "418"),
    ],
)
def test_other_errors(status: int, body: object, kind: type[AdapterError], text: str) -> None:
    error = error_from(status, orjson.dumps(body) if isinstance(body, dict) else str(body).encode())
    assert type(error) is kind
    assert text in str(error)
    assert len(str(error)) < 500


# --- lists ----------------------------------------------------------------------------------------------------------


def test_a_model_is_found_by_what_people_call_it() -> None:
    for name in ("dreamlike_tiny", "dreamlike_tiny.safetensors", "dreamlike_tiny.safetensors [bf31090b88]"):
        found = CATALOG.find_checkpoint(name)
        assert found is not None
        assert found.name == "dreamlike_tiny"
    assert CATALOG.find_checkpoint("") is None


def test_a_model_called_as_another_ones_file_wins_by_its_own_name() -> None:
    first = lists.Checkpoint(name="a", other_names=frozenset({"b"}))
    second = lists.Checkpoint(name="b")
    assert lists.ServerCatalog(checkpoints=(first, second)).find_checkpoint("b") is second


def test_defaults_are_those_of_the_server() -> None:
    names = lists.resolve_names(replace(REQUEST, sampler="", hires=HiresParameters(scale=2)), CATALOG)
    assert names == lists.Names(
        checkpoint="dreamlike_tiny", vae="", sampler="Euler", scheduler="automatic", upscaler="Latent"
    )
    old = lists.ServerCatalog(samplers=(lists.Sampler(name="DPM2"),))
    assert lists.resolve_names(ImageParameters(prompt=""), old) == lists.Names(
        checkpoint="", vae="", sampler="DPM2", scheduler="", upscaler=""
    )
    assert lists.ServerCatalog().default_sampler == "Euler"


def test_long_lists_are_cut_in_messages() -> None:
    many = lists.ServerCatalog(samplers=tuple(lists.Sampler(name=f"s{i}") for i in range(40)))
    [violation] = lists.find_violations(replace(REQUEST, model="", sampler="nope"), many)
    assert violation.description.endswith("s19 and 20 more")
    [violation] = lists.find_violations(replace(REQUEST, model="x", sampler=""), lists.ServerCatalog())
    assert violation.description == "no such model 'x'; the backend has none"


def test_styles_must_be_a_list() -> None:
    assert [v.description for v in lists.find_style_violations("Cinematic", CATALOG)] == ["must be a list of names"]
    assert not lists.find_style_violations(["Cinematic"], CATALOG)


@pytest.mark.parametrize(
    "decode",
    [
        listing.decode_checkpoints,
        listing.decode_samplers,
        listing.decode_names,
        listing.decode_loras,
        listing.decode_embeddings,
    ],
)
def test_lists_that_make_no_sense(decode: Any) -> None:
    with pytest.raises(Unintelligible):
        decode(b'"nothing"')


def test_odd_entries_are_left_out() -> None:
    body = b'[3, {}, {"name": 4}, {"name": "good", "aliases": null}]'
    assert listing.decode_samplers(body) == (lists.Sampler(name="good"),)


# --- requests -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "passes"),
    [
        (replace(REQUEST, steps=20), (20,)),
        (replace(REQUEST, steps=10, init_image="x", denoise=0.6), (7,)),
        (replace(REQUEST, steps=10, init_image="x", denoise=0.75), (8,)),
        (replace(REQUEST, steps=10, init_image="x", denoise=0.0), (1,)),
        (replace(REQUEST, steps=10, init_image="x", denoise=1.0), (10,)),
        (replace(REQUEST, steps=8, hires=HiresParameters(scale=2)), (8, 8)),
        (replace(REQUEST, steps=8, hires=HiresParameters(scale=2, steps=5)), (8, 5)),
    ],
)
def test_steps_are_counted_as_the_server_does(request_: ImageParameters, passes: tuple[int, ...]) -> None:
    assert requests.count_steps(request_) == passes


def test_an_honest_answer_is_within_its_limit() -> None:
    request = replace(REQUEST, width=1024, height=1024, hires=HiresParameters(scale=2), batch_size=4, count=4)
    [post] = requests.plan_posts("a", request)
    assert requests.answer_limit_bytes(request, post) > 4 * 2048 * 2048 * 3 * 4 / 3


def test_hires_sizes_are_whole_eights() -> None:
    assert requests.expected_size(replace(REQUEST, width=512, height=512, hires=HiresParameters(scale=1.3))) == (
        664,
        664,
    )


def test_hires_of_a_picture_is_refused() -> None:
    request = replace(REQUEST, init_image="x", hires=HiresParameters(scale=2))
    assert [violation.field for violation in requests.find_request_violations(request)] == ["image.hires"]


def test_whole_numbers_are_no_floats() -> None:
    assert repr(requests.whole_numbers({"a": 2.0, "b": [1.5, 3.0], "c": True})) == "{'a': 2, 'b': [1.5, 3], 'c': True}"


@pytest.mark.parametrize(
    ("vae", "current", "vae_option", "expected"),
    [
        ("", {}, "sd_vae", {}),
        ("", {"sd_vae": "Automatic"}, "sd_vae", {}),
        ("", {"sd_vae": "x.pt"}, "sd_vae", {"sd_vae": "Automatic"}),
        ("y.pt", {"sd_vae": "x.pt"}, "sd_vae", {"sd_vae": "y.pt"}),
        ("", {}, "forge_additional_modules", {}),
        ("y.pt", {}, "forge_additional_modules", {"forge_additional_modules": ["y.pt"]}),
        ("None", {}, "forge_additional_modules", {"forge_additional_modules": []}),
    ],
)
def test_the_vae_is_an_override(
    vae: str, current: dict[str, str], vae_option: str, expected: dict[str, object]
) -> None:
    names = replace(NAMES, checkpoint="", vae=vae)
    settings = requests.override_settings(
        task_for(), names, vae_option=vae_option, current=current, preview_every_n_steps=None
    )
    assert settings == expected


def test_a_server_without_schedulers_gets_none() -> None:
    [post] = requests.plan_posts("a", REQUEST)
    body = orjson.loads(requests.build_body(task_for(), REQUEST, post, replace(NAMES, scheduler=""), {}))
    assert not {"scheduler", "override_settings"} & body.keys()
