"""The gateway as a chat model: what Open WebUI, OpenAI's package and others get."""

import asyncio
import base64
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import openai
import pytest
from PIL import Image

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.showing import follow_event
from imagegen_gateway.dialects.telling import PHASES
from imagegen_gateway.pictures import PREVIEW_BYTES
from tests.gateway.dialects.conftest import House
from tests.gateway.dialects.openai.conftest import jobs_of, until_job_is

PATH = "/openai/v1/chat/completions"
CHAT = {"X-Chat-Id": "c8fbe72f-c829", "X-Message-Id": "5feca10d-3136", "X-Task": ""}
RECORDED = (Path(__file__).parents[3] / "recordings/openwebui/chat-requests.jsonl").read_text().splitlines()
SMALL = "--size 64x64 --steps 4"
CANCELLED = job_pb2.JOB_STATE_CANCELLED


@dataclass
class Told:
    """What a stream says, as Open WebUI reads it."""

    status: list[dict[str, Any]] = field(default_factory=list)
    shown: list[list[str]] = field(default_factory=list)
    """Pictures of the message, after each event that replaces them."""
    images: list[str] = field(default_factory=list)
    content: str = ""
    reasoning: str = ""
    error: str = ""
    order: list[str] = field(default_factory=list)
    """Kinds of what came."""

    def take(self, chunk: dict[str, Any]) -> None:
        if "error" in chunk:
            self.error, kind = chunk["error"]["message"], "error"
        elif "event" in chunk:
            assert chunk["choices"] == []
            kind = chunk["event"]["type"]
            if kind == "status":
                self.status.append(chunk["event"]["data"])
            elif kind == "chat:message:files":
                self.shown.append([file["url"] for file in chunk["event"]["data"]["files"]])
            else:
                assert chunk["event"] == follow_event()
        else:
            choice = chunk["choices"][0]
            delta = choice["delta"]
            kind = choice["finish_reason"] or next(iter(delta))
            self.content += delta.get("content", "")
            self.reasoning += delta.get("reasoning_content", "")
            self.images += [image["image_url"]["url"] for image in delta.get("images", ())]
        self.order.append(kind)


def asks(prompt: object, **more: Any) -> dict[str, Any]:
    return {"model": "imagegen", "stream": True, "messages": [{"role": "user", "content": prompt}], **more}


@asynccontextmanager
async def asked(
    http: aiohttp.ClientSession, body: dict[str, Any], headers: dict[str, str] = CHAT
) -> AsyncIterator[Any]:
    async with http.post(PATH, json=body, headers={"User-Agent": "a test", **headers}, read_bufsize=2**22) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream"), await answer.text()
        yield chunks_of(answer)


async def chunks_of(answer: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.content:
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])
        else:
            assert line.strip() in {b"", b": ping", b"data: [DONE]"}


async def told(http: aiohttp.ClientSession, body: dict[str, Any], headers: dict[str, str] = CHAT) -> Told:
    result = Told()
    async with asked(http, body, headers) as chunks:
        async for chunk in chunks:
            result.take(chunk)
    return result


def picture(address: str) -> Image.Image:
    head, _, text = address.partition(",")
    assert head in {"data:image/png;base64", "data:image/jpeg;base64", "data:image/webp;base64"}
    return Image.open(io.BytesIO(base64.b64decode(text)))


def data_address(color: str, size: tuple[int, int]) -> str:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize("speed", ["3"])
async def test_open_webui_sees_the_picture_emerge(http: aiohttp.ClientSession, house: House) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    answer = await told(http, asks("a red fox --steps 12 --seed 5"))
    seconds = loop.time() - began
    assert [line["done"] for line in answer.status] == [False] * (len(answer.status) - 1) + [True]
    assert any(line["description"].startswith("Sampling") for line in answer.status)
    assert len(answer.status) <= 2 * seconds + 3, "two a second, the first, and what the end says at once"
    assert 1 <= len(answer.shown) <= 4 * seconds + 1
    after = [answer.order[place + 1] for place, kind in enumerate(answer.order) if kind == "chat:message:files"]
    assert set(after) == {"chat:completion"}, "the page follows what it shows"
    assert all(len(base64.b64decode(url.partition(",")[2])) < PREVIEW_BYTES for shown in answer.shown for url in shown)
    assert [picture(address).size for address in answer.images] == [(512, 512)]
    assert answer.order[-3:] == ["status", "content", "stop"]
    assert "chat:message:files" not in answer.order[answer.order.index("images") :], "no preview after the picture"
    assert "`--size 512x512 --steps 12 --seed 5`" in answer.content
    assert dict((await jobs_of(house))[-1].spec.labels) == {
        "dialect": "openai-chat",
        "chat_id": CHAT["X-Chat-Id"],
        "message_id": CHAT["X-Message-Id"],
    }


@pytest.mark.parametrize("speed", ["2"])
async def test_each_of_several_pictures_comes_as_soon_as_it_is_finished(http: aiohttp.ClientSession) -> None:
    answer = await told(http, asks("a red fox --n 2 --size 256x256 --steps 20"))
    assert [picture(address).size for address in answer.images] == [(256, 256)] * 2
    first, last = answer.order.index("images"), len(answer.order) - 1 - answer.order[::-1].index("images")
    shown = answer.shown[answer.order[:first].count("chat:message:files") :]
    assert shown, "the second is seen as well"
    assert all(1 <= len(pictures) <= 2 for pictures in shown), "beside the first, or before there is anything of it"
    assert "chat:message:files" not in answer.order[last:]
    assert "`--size 256x256 --steps 20 --seed" in answer.content
    assert "--n 2`" in answer.content


async def test_chats_that_keep_every_file_see_no_previews(http: aiohttp.ClientSession) -> None:
    answer = await told(http, asks(f"a fox {SMALL}"), {**CHAT, "X-Chat-Id": "temporary:abc"})
    assert (len(answer.images), answer.shown) == (1, [])
    assert answer.status[-1]["done"] is True


@pytest.mark.parametrize("speed", ["3"])
async def test_others_read_progress_as_reasoning_and_get_links(http: aiohttp.ClientSession, house: House) -> None:
    answer = await told(http, asks(f"a fox {SMALL}"), {})
    assert (answer.status, answer.shown, len(answer.images)) == ([], [], 1)
    assert answer.reasoning.startswith(("Queued", "Starting", *PHASES.values()))
    link = answer.content.partition("[Picture 1](")[2].rstrip(")")
    async with http.get(link) as found:
        assert base64.b64decode(answer.images[0].partition(",")[2]) == await found.read()
    edited = asks(f"bluer {SMALL} --edit")
    edited["messages"][:0] = [{"role": "assistant", "content": answer.content}]
    await told(http, edited, {})
    assert (await jobs_of(house))[-1].spec.image.init_image == link.rpartition("/")[2]


async def test_a_page_that_reads_for_itself_gets_what_one_read_holds_and_a_link_to_the_whole(
    http: aiohttp.ClientSession,
) -> None:
    """Open WebUI's direct connections lose lines that come in two reads; Chromium's hold 64 kB."""
    origin = {"Origin": str(http._base_url).rstrip("/")}
    answer = await told(http, asks("a fox --size 768x768 --steps 1"), origin)
    (address,) = answer.images
    assert len(address) < 61_000
    async with http.get(answer.content.partition("[Picture 1](")[2].rstrip(")")) as found:
        assert Image.open(io.BytesIO(await found.read())).size == (768, 768)
    assert picture(address).size == (512, 512)


async def test_openais_package_chats(api: openai.AsyncOpenAI) -> None:
    messages: Any = [{"role": "user", "content": f"a fox {SMALL}"}]
    whole = await api.chat.completions.create(model="demo-flow", messages=messages)
    message = whole.choices[0].message
    assert (message.content or "").startswith("Made with `demo-flow`.")
    assert picture(message.model_dump()["images"][0]["image_url"]["url"]).size == (64, 64)
    content = ""
    async with await api.chat.completions.create(model="demo-flow", messages=messages, stream=True) as stream:
        async for chunk in stream:
            content += chunk.choices[0].delta.content or ""
    assert content.startswith("Made with `demo-flow`.")


async def test_open_webui_without_streaming_finds_the_picture_in_the_text(http: aiohttp.ClientSession) -> None:
    async with http.post(PATH, json=asks(f"a fox {SMALL}", stream=False), headers=CHAT) as answer:
        message = (await answer.json())["choices"][0]["message"]
    address = message["content"].partition("](")[2].partition(")")[0]
    assert (picture(address).format, "images" in message) == ("WEBP", False)


async def test_attached_pictures_are_where_it_starts_from(http: aiohttp.ClientSession, house: House) -> None:
    parts = [
        {"type": "text", "text": "bluer --steps 4"},
        {"type": "image_url", "image_url": {"url": data_address("red", (96, 64))}},
    ]
    answer = await told(http, asks(parts))
    assert picture(answer.images[0]).size == (96, 64)
    assert (await jobs_of(house))[-1].spec.image.init_image != ""


async def test_a_photograph_is_brought_down_to_what_models_make(http: aiohttp.ClientSession, house: House) -> None:
    photo = {"type": "image_url", "image_url": {"url": data_address("red", (2400, 1600))}}
    async with asked(http, asks([{"type": "text", "text": "bluer"}, photo])) as chunks:
        await anext(chunks)
    image = (await jobs_of(house))[-1].spec.image
    assert (image.width, image.height) == (1256, 840)


async def test_edit_takes_the_newest_picture_of_the_chat(http: aiohttp.ClientSession, house: House) -> None:
    await told(http, asks(f"a fox {SMALL}"))
    await told(http, asks(f"elsewhere {SMALL}"), {**CHAT, "X-Chat-Id": "another"})
    await told(http, asks(f"a second fox {SMALL}"))
    await told(http, asks("bluer --edit --steps 4"))
    first, _, second, edited = await jobs_of(house)
    assert first.spec.image.init_image == second.spec.image.init_image == "", "nothing is edited unless it is asked for"
    assert edited.spec.image.init_image == second.outputs[0].asset.digest


async def test_recorded_tasks_make_no_picture(http: aiohttp.ClientSession, house: House) -> None:
    for recorded in map(json.loads, RECORDED[1:]):
        async with http.post(PATH, json=recorded["body"], headers=recorded["headers"]) as answer:
            content = json.loads((await answer.json())["choices"][0]["message"]["content"])
        assert len(set(content) & {"title", "tags", "follow_ups"}) == 1
    assert await jobs_of(house) == []


async def test_the_recorded_question_of_open_webui_is_answered(http: aiohttp.ClientSession, house: House) -> None:
    recorded = json.loads(RECORDED[0])
    answer = await told(http, {**recorded["body"], "model": "imagegen", "steps": 4}, recorded["headers"])
    assert (len(answer.images), answer.order[-1]) == (1, "stop")
    assert (await jobs_of(house))[-1].spec.image.prompt == "a fox steps=4 interval=0.3"


async def test_what_is_no_order_is_answered_in_words(http: aiohttp.ClientSession, house: House) -> None:
    for prompt, words in (
        ("help", "| `--size 768x512` |"),
        ("a fox --foo", "There is no flag --foo."),
        ("--n", "as in"),
    ):
        answer = await told(http, asks(prompt))
        assert words in answer.content
        assert answer.order[-1] == "stop"
    assert await jobs_of(house) == []


REFUSED: list[tuple[dict[str, Any], int, str]] = [
    (asks("a fox --sampler eulr"), 400, "no such sampler 'eulr'"),
    (asks("a fox", model="nobody"), 404, "there is no model 'nobody' here"),
    (asks("bluer --edit"), 400, "there is no picture to edit in this chat yet"),
    (asks("  "), 400, "the message is empty"),
    (asks("a fox --denoise 0.5"), 400, "--denoise is for changing a picture"),
    (asks("a fox --size 64x64 --ar 3:2"), 400, "leave out one of them"),
    (asks([{"type": "image_url", "image_url": {"url": "http://127.0.0.1:9/a.png"}}]), 400, "public network"),
    (asks([{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]), 400, "image: the file"),
    ({"messages": "hi"}, 400, "messages: must be a list"),
]


async def test_what_cannot_be_made_is_refused_before_the_stream(http: aiohttp.ClientSession) -> None:
    for body, status, words in REFUSED:
        async with http.post(PATH, json=body, headers=CHAT) as answer:
            error = (await answer.json())["error"]
        assert (answer.status, words in error["message"]) == (status, True), error
        assert words in (answer.reason or "")


@pytest.mark.parametrize("speed", ["0.5"])
async def test_the_stop_button_cancels_the_job(http: aiohttp.ClientSession, house: House) -> None:
    async with asked(http, asks("a fox")) as chunks:
        await anext(chunks)
    await until_job_is(house, CANCELLED)


@pytest.mark.parametrize("speed", ["1"])
async def test_a_job_that_is_cancelled_elsewhere_says_so_and_leaves_no_preview(
    http: aiohttp.ClientSession, house: House
) -> None:
    answer = Told()
    async with asked(http, asks("a fox")) as chunks:
        async for chunk in chunks:
            answer.take(chunk)
            if len(answer.shown) == 1:
                await house.client.cancel((await jobs_of(house))[-1].job_id)
    assert answer.status[-1] == {"description": "Cancelled", "done": True}
    assert (answer.shown[-1], answer.order[-1]) == ([], "error")
    assert "cancelled" in answer.error


@pytest.mark.parametrize("speed", ["0.5"])
async def test_a_gateway_that_goes_down_says_so_and_leaves_the_job_alone(
    http: aiohttp.ClientSession, house: House
) -> None:
    answer = Told()
    async with asked(http, asks("a fox")) as chunks:
        async for chunk in chunks:
            answer.take(chunk)
            if len(answer.order) == 2:
                house.gateway.hubs.close()
    assert (answer.order[-1], answer.status[-1]["done"]) == ("error", True)
    job = await until_job_is(house, job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING)
    await house.client.cancel(job.job_id)


@pytest.mark.parametrize("settings", [{"ping_interval_s": 0.5}])
async def test_a_silent_stream_shows_that_it_lives(http: aiohttp.ClientSession, house: House) -> None:
    await house.client.pause_queue()
    async with http.post(PATH, json=asks(f"a fox {SMALL}"), headers=CHAT) as answer:
        async for line in answer.content:
            if line == b": ping\n":
                break
    await until_job_is(house, CANCELLED)
