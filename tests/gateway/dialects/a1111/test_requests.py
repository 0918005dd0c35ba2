"""Requests for pictures over real sockets: made, watched, stopped, and left by their callers."""

import asyncio
import base64
import io
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from PIL import ExifTags, Image, ImageDraw

from imagegen.v1 import job_pb2
from imagegen_gateway.app import serve_gateway
from imagegen_gateway.config import GatewaySettings
from tests.gateway.dialects.a1111.conftest import QUICK, Program, as_picture, as_text
from tests.gateway.dialects.conftest import House

SLOW = {**QUICK, "steps": 500}
TXT2IMG, IMG2IMG = "/sdapi/v1/txt2img", "/sdapi/v1/img2img"


async def until(program: Program, condition: Callable[[Any], object], task_id: str = "") -> Any:
    """Asks for progress until it is as wanted; without a task for the client's."""
    async with asyncio.timeout(10):
        while True:
            if task_id:
                document = await program.post("/internal/progress", {"id_task": task_id})
            else:
                document = await program.get("/sdapi/v1/progress")
            if condition(document):
                return document
            await asyncio.sleep(0.02)


def is_sampling(document: Any) -> bool:
    return bool(document["state"]["sampling_step"])


async def states(house: House) -> list[str]:
    """Of all jobs, newest first."""
    return [job_pb2.JobState.Name(job.state).removeprefix("JOB_STATE_") async for job in house.client.list_jobs()]


async def until_states(house: House, wanted: list[str]) -> None:
    async with asyncio.timeout(10):
        while True:
            if await states(house) == wanted:
                return
            await asyncio.sleep(0.02)


async def test_images_come_in_order_with_their_seeds_and_texts(program: Program) -> None:
    answer = await program.post(TXT2IMG, {**QUICK, "batch_size": 2, "n_iter": 2, "send_images": True})
    info = json.loads(answer["info"])
    assert info["all_seeds"] == [7, 8, 9, 10]
    assert (info["sampler_name"], info["sd_model_name"]) == ("Euler", "demo-landscape")
    assert answer["parameters"]["batch_size"] == 2
    for text, seed in zip(answer["images"], info["all_seeds"], strict=True):
        with as_picture(text) as picture:
            assert picture.size == (64, 64)
            assert f"Seed: {seed}," in picture.info["parameters"]
    again = await program.post(TXT2IMG, {**QUICK, "seed": 9})
    assert again["images"] == [answer["images"][2]]


async def test_a_random_seed_is_told(program: Program) -> None:
    answer = await program.post(TXT2IMG, {**QUICK, "seed": -1, "send_images": False})
    assert answer["images"] == []
    assert answer["parameters"]["seed"] == -1
    assert 0 <= json.loads(answer["info"])["seed"] < 2**32


async def test_a_picture_is_repainted_where_the_mask_says_so(program: Program) -> None:
    initial, mask = Image.new("RGB", (160, 96), "navy"), Image.new("L", (160, 96), 0)
    ImageDraw.Draw(mask).rectangle((60, 30, 99, 69), fill=255)
    body = {**QUICK, "init_images": [as_text(initial)], "mask": f"data:image/png;base64,{as_text(mask)}"}
    answer = await program.post(IMG2IMG, body)
    assert (answer["parameters"]["init_images"], answer["parameters"]["mask"]) == (None, None)
    with as_picture(answer["images"][0]) as picture:
        assert picture.size == (160, 96)
        assert picture.convert("RGB").getpixel((5, 5)) == (0, 0, 128)
        assert picture.convert("RGB").crop((60, 30, 100, 70)).getcolors(1) is None
        assert "Mask blur: 4" in picture.info["parameters"]


@pytest.mark.parametrize("speed", ["2"])
async def test_an_interrupt_answers_with_what_there_is(program: Program, house: House) -> None:
    waiting = asyncio.create_task(program.post(TXT2IMG, {**SLOW, "force_task_id": "task(a)"}))
    during = await until(program, is_sampling)
    assert during["state"]["job"] == "scripts_txt2img"
    assert 0 < during["progress"] < 1
    assert (await until(program, lambda document: document["current_image"]))["textinfo"].startswith("Sampling")
    assert await program.post("/sdapi/v1/interrupt") == {}
    answer = await waiting
    assert answer["images"] == []
    assert json.loads(answer["info"])["all_seeds"] == []
    after = await program.get("/sdapi/v1/progress")
    assert (after["progress"], after["state"]["job_count"], after["state"]["interrupted"]) == (0.0, 0, True)
    assert after["state"]["job_timestamp"] == json.loads(answer["info"])["job_timestamp"]
    assert (await program.post("/internal/progress", {"id_task": "task(a)"}))["completed"]
    assert await states(house) == ["CANCELLED"]


@pytest.mark.parametrize("speed", ["4"])
async def test_a_skipped_image_is_left_out(program: Program) -> None:
    waiting = asyncio.create_task(program.post(TXT2IMG, {**QUICK, "steps": 30, "n_iter": 3}))
    await until(program, lambda document: document["state"]["job_no"] >= 1)
    assert await program.post("/sdapi/v1/skip") is None
    answer = await waiting
    assert json.loads(answer["info"])["all_seeds"] in ([7, 9], [7, 8])  # which one is at work is a matter of time
    assert len(answer["images"]) == 2


@pytest.mark.parametrize("speed", ["2"])
async def test_progress_and_interrupts_are_each_clients_own(program: Program, house: House) -> None:
    anna, ben = program.of("anna"), program.of("ben")
    first = asyncio.create_task(anna.post(TXT2IMG, {**SLOW, "force_task_id": "task(1)"}))
    await until(anna, is_sampling)
    second = asyncio.create_task(ben.post(TXT2IMG, {**SLOW, "force_task_id": "task(1)"}))
    queued = await until(ben, lambda document: document["queued"], "task(1)")
    assert queued["textinfo"].startswith("Queued") or queued["textinfo"] == "Waiting..."
    assert (await ben.get("/sdapi/v1/progress"))["state"]["job_count"] == 0
    assert await ben.get("/internal/pending-tasks") == {"size": 1, "tasks": ["task(1)"]}
    assert await program.get("/internal/pending-tasks") == {"size": 0, "tasks": []}
    assert (await anna.post("/internal/progress", {"id_task": "task(1)", "live_preview": False}))["active"]
    # Nobody's interrupt hits another's work; a client that only waits gives up its place.
    await program.post("/sdapi/v1/interrupt")
    await until_states(house, ["QUEUED", "RUNNING"])
    await ben.post("/sdapi/v1/interrupt")
    assert (await second)["images"] == []
    assert await states(house) == ["CANCELLED", "RUNNING"]
    await anna.post("/sdapi/v1/interrupt")
    assert (await first)["images"] == []


@pytest.mark.parametrize("speed", ["2"])
async def test_previews_of_a_task_come_once_each(program: Program) -> None:
    waiting = asyncio.create_task(program.post(TXT2IMG, {**SLOW, "force_task_id": "task(p)"}))
    seen = await until(program, lambda document: document["live_preview"], "task(p)")
    assert seen["live_preview"].startswith("data:image/jpeg;base64,")
    question = {"id_task": "task(p)", "id_live_preview": seen["id_live_preview"], "live_preview": False}
    again = await program.post("/internal/progress", question)
    assert (again["live_preview"], again["id_live_preview"]) == (None, seen["id_live_preview"])
    await program.post("/sdapi/v1/interrupt")
    await waiting


@pytest.mark.parametrize("speed", ["2"])
async def test_a_caller_that_goes_away_stops_its_job(program: Program, house: House) -> None:
    waiting = asyncio.create_task(program.post(TXT2IMG, SLOW))
    await until(program, is_sampling)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await until_states(house, ["CANCELLED"])
    assert (await program.get("/sdapi/v1/progress"))["state"]["job_count"] == 0


@pytest.mark.parametrize("speed", ["2"])
async def test_a_task_is_found_again_by_another_gateway(program: Program, house: House) -> None:
    waiting = asyncio.create_task(program.post(TXT2IMG, {**SLOW, "force_task_id": "task(r)"}))
    await until(program, lambda document: document["active"], "task(r)")
    settings = GatewaySettings(http="127.0.0.1:0", server=house.client.address)
    async with serve_gateway(settings) as other, aiohttp.ClientSession(other.url) as session:
        elsewhere = Program(session, {})
        found = await until(elsewhere, lambda document: document["progress"], "task(r)")
        assert found["active"]
        assert not (await elsewhere.post("/internal/progress", {"id_task": "task(x)"}))["queued"]
        assert not (await elsewhere.of("ben").post("/internal/progress", {"id_task": "task(r)"}))["active"]
        await program.post("/sdapi/v1/interrupt")
        await waiting
        assert (await until(elsewhere, lambda document: document["completed"], "task(r)"))["progress"] is None


async def test_a_choice_is_each_clients_own(program: Program) -> None:
    anna, ben = program.of("anna"), program.of("ben")
    names = [item["title"] for item in await anna.get("/sdapi/v1/sd-models")]
    await anna.post("/sdapi/v1/options", {**await anna.get("/sdapi/v1/options"), "sd_model_checkpoint": names[-1]})
    models = []
    for client in (anna, ben):
        answer = await client.post(TXT2IMG, {**QUICK, "override_settings": {}, "send_images": False})
        models.append(json.loads(answer["info"])["sd_model_name"])
    assert models[0] == names[-1] == (await anna.get("/sdapi/v1/options"))["sd_model_checkpoint"]
    assert models[0] != models[1] or len(names) == 1


async def test_pictures_are_enlarged(program: Program) -> None:
    picture = Image.new("RGB", (40, 24), "olive")
    picture.info["x"] = "y"
    text = as_text(picture)
    body = {"image": text, "upscaler_1": "Lanczos", "upscaling_resize": 2.5}
    answer = await program.post("/sdapi/v1/extra-single-image", body)
    assert answer["html_info"] == "<p>Postprocess upscale by: 2.5, Postprocess upscaler: Lanczos</p>"
    with as_picture(answer["image"]) as made:
        assert made.size == (96, 56)  # multiples of 8
    sized = {"resize_mode": 1, "upscaling_resize_w": 50, "upscaling_resize_h": 50, "upscaler_1": "demo-smooth"}
    images = [{"data": text, "name": "a"}, {"data": text, "name": "b"}]
    answer = await program.post("/sdapi/v1/extra-batch-images", {"imageList": images, **sized})
    assert [as_picture(image).size for image in answer["images"]] == [(50, 50)] * 2
    unchanged = await program.post("/sdapi/v1/extra-single-image", {"image": text})
    assert unchanged["image"] == text


async def test_a_picture_tells_how_it_was_made(program: Program) -> None:
    made = await program.post(TXT2IMG, QUICK)
    answer = await program.post("/sdapi/v1/png-info", {"image": made["images"][0]})
    assert answer["info"].startswith("a red fox\nSteps: 4,")
    assert (answer["parameters"]["Prompt"], answer["parameters"]["Size-1"]) == ("a red fox", "64")
    comment = Image.Exif()
    comment.get_ifd(ExifTags.IFD.Exif)[0x9286] = b"UNICODE\0" + "ein Käfer\nSteps: 3, Seed: 5".encode("utf-16-be")
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG", exif=comment)
    answer = await program.post("/sdapi/v1/png-info", {"image": base64.b64encode(out.getvalue()).decode()})
    assert (answer["parameters"]["Prompt"], answer["parameters"]["Seed"]) == ("ein Käfer", "5")


@pytest.mark.parametrize("settings", [{"keys": [{"name": "art", "key": "sixteen-characters", "acts_for_users": True}]}])
async def test_a_key_is_shown_as_a_password(http: aiohttp.ClientSession) -> None:
    path = "/a1111/sdapi/v1/options"
    right = {"Authorization": aiohttp.encode_basic_auth("anybody", "sixteen-characters")}
    wrong = {"Authorization": aiohttp.encode_basic_auth("anybody", "wrong")}
    async with http.get(path, headers=right) as response:
        assert response.status == 200
    for headers in ({}, wrong):
        async with http.get(path, headers=headers) as response:
            document = await response.json()
            assert (response.status, sorted(document)) == (401, ["body", "detail", "error", "errors"])
            assert document["error"] == "HTTPException"
