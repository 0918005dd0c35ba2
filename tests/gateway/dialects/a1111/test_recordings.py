"""What a real A1111 server was asked, asked of the gateway: the answers have the same status and shape."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from PIL import Image

from imagegen_server.config import BackendSettings
from tests.fakes.a1111 import FakeA1111, open_fake
from tests.gateway.dialects.a1111.conftest import QUICK, RECORDINGS, Program, as_text

EXCHANGES: list[dict[str, Any]] = json.loads((RECORDINGS / "exchanges.json").read_text())
OPTIONAL = {"ctx"}
"""Keys that tell no program anything."""


@pytest.fixture(name="fake")
async def fake_fixture() -> AsyncIterator[FakeA1111]:
    async with open_fake(step_s=0.0) as fake:
        yield fake


@pytest.fixture(name="backends")
def backends_fixture(fake: FakeA1111) -> tuple[BackendSettings, ...]:
    """As it was recorded: one A1111 server."""
    return (BackendSettings(name="auto", kind="a1111", url=fake.url),)


EXACT = {
    "progress_idle",
    "internal_progress_unknown",
    "internal_pending-tasks",
    "interrupt_idle",
    "skip_idle",
    "method_not_allowed",
    "pending-tasks_wrong_path",
    "no_body",
    "json_array_body",
    "txt2img_steps_string_bad",
    "txt2img_prompt_list",
    "txt2img_unknown_script",
    "05_options_set_unknown_model",
    "06_options_set_unknown_key",
    "05_no_init_images",
    "06_bad_base64",
    "png-info_bad",
    "01_unknown_upscaler",
}
"""Answers that are the recorded ones to the letter."""


def shape_of(value: Any, other: Any, place: str = "") -> list[str]:
    """Where two answers differ in keys or types; null stands for any type."""
    if isinstance(value, str) and isinstance(other, str) and place.endswith(".info") and value.startswith("{"):
        return shape_of(json.loads(value), json.loads(other), place + "()")
    if isinstance(value, dict) and isinstance(other, dict):
        if place.endswith((".loaded", ".metadata", ".options", ".extra_generation_params")):  # by names of things
            return []
        differing = (value.keys() ^ other.keys()) - OPTIONAL
        inner = [
            fault for key in value.keys() & other.keys() for fault in shape_of(value[key], other[key], f"{place}.{key}")
        ]
        return [f"{place}: {sorted(differing)}"] * bool(differing) + inner
    if isinstance(value, list) and isinstance(other, list):
        return shape_of(value[0], other[0], f"{place}[]") if value and other else []
    if value is None or other is None or isinstance(value, type(other)):
        return []
    both_numbers = isinstance(value, int | float) and isinstance(other, int | float)
    return [] if both_numbers else [f"{place}: {type(value).__name__} and {type(other).__name__}"]


@pytest.fixture(autouse=True)
async def _there_are_models(program: Program) -> None:
    async with asyncio.timeout(5):
        while True:
            if await program.get("/sdapi/v1/sd-models"):
                return
            await asyncio.sleep(0.02)


def prepared(exchange: dict[str, Any]) -> dict[str, Any]:
    """The request, with a picture for one that was cut, and in a size that jobs can have."""
    if "json" not in exchange or not isinstance(exchange["json"], dict):
        return {key: exchange[key] for key in ("json", "data") if key in exchange}
    body = dict(exchange["json"])
    for name, value in body.items():
        if isinstance(value, str) and "CUT" in value:
            body[name] = as_text(Image.new("RGB", (8, 8)))
    return {"json": body}


async def test_answers_have_the_recorded_shape(program: Program) -> None:
    faults: dict[str, Any] = {}
    for exchange in EXCHANGES:
        path = "/a1111" + exchange["path"]
        async with program.http.request(exchange["method"], path, **prepared(exchange)) as response:
            answer = await response.json()
        if response.status != exchange["status"]:
            faults[exchange["name"]] = (response.status, answer)
        elif exchange["path"].endswith("png-info") and response.status == 200:
            faults |= {exchange["name"]: answer} if answer["info"] else {}
        elif differing := shape_of(exchange["answer"], answer):
            faults[exchange["name"]] = differing
    assert faults == {}


async def test_some_answers_are_the_recorded_ones(program: Program) -> None:
    for exchange in (each for each in EXCHANGES if each["name"] in EXACT):
        async with program.http.request(
            exchange["method"], "/a1111" + exchange["path"], **prepared(exchange)
        ) as response:
            assert (response.status, await response.json()) == (exchange["status"], exchange["answer"])


async def test_open_webui_is_answered(program: Program) -> None:
    """As it was recorded with the `automatic1111` engine: settings, a change of the checkpoint, lists, a picture."""
    lines = [json.loads(line) for line in (RECORDINGS / "openwebui.jsonl").read_text().splitlines()]
    models = await program.get("/sdapi/v1/sd-models")
    for asked, recorded in zip(lines[::2], lines[1::2], strict=True):
        body = asked["body"]
        if asked["path"].endswith("/options") and body is not None:
            # It sends back all that it was given, with another checkpoint.
            body = {**await program.get("/sdapi/v1/options"), "sd_model_checkpoint": models[-1]["title"]}
        answer = await (program.get(asked["path"]) if asked["method"] == "GET" else program.post(asked["path"], body))
        expected = recorded["body"]
        if isinstance(expected, dict) and "images" in expected:
            assert len(answer["images"]) == len(expected["images"])
            assert expected["parameters"].keys() <= answer["parameters"].keys()
            assert json.loads(answer["info"])["sd_model_name"] == models[-1]["model_name"]
        elif isinstance(expected, dict):
            assert "sd_model_checkpoint" in answer
        else:
            assert shape_of(expected, answer) == []


async def test_unknown_paths_and_methods_are_answered_as_there(http: aiohttp.ClientSession) -> None:
    for method, path, status, detail in (
        ("GET", "sdapi/v1/nothing", 404, "Not Found"),
        ("GET", "sdapi/v1/interrupt", 405, "Method Not Allowed"),
    ):
        async with http.request(method, f"/a1111/{path}") as response:
            assert (response.status, await response.json()) == (status, {"detail": detail})
    for path in ("interrogate", "unload-checkpoint", "train/embedding", "server-kill"):
        async with http.post(f"/a1111/sdapi/v1/{path}") as response:
            assert (response.status, (await response.json())["error"]) == (404, "HTTPException")


async def test_what_only_a1111_can_do_reaches_it(program: Program, fake: FakeA1111) -> None:
    body = {**QUICK, "tiling": True, "styles": ["Cinematic"], "override_settings": {"CLIP_stop_at_last_layers": 2}}
    info = json.loads((await program.post("/sdapi/v1/txt2img", body))["info"])
    received = fake.engine.received[-1]
    assert (received["tiling"], received["styles"]) == (True, ["Cinematic"])
    assert received["override_settings"]["CLIP_stop_at_last_layers"] == 2
    assert info["styles"] == ["Cinematic"]


async def test_a_job_that_fails_is_answered_as_there(program: Program, fake: FakeA1111) -> None:
    body = {**QUICK, "force_task_id": "task(f)", "styles": ["nope"]}
    status, document = await program.refusal("/sdapi/v1/txt2img", body)
    assert (status, document["detail"][0]["loc"]) == (422, ["body", "styles"])
    fake.faults.gives_nan = True
    status, document = await program.refusal("/sdapi/v1/txt2img", {**QUICK, "force_task_id": "task(f)"})
    assert (status, sorted(document), document["error"]) == (500, ["body", "detail", "error", "errors"], "NodeFailed")
    assert "NaN" in document["errors"]
    assert (await program.post("/internal/progress", {"id_task": "task(f)"}))["completed"] is False
