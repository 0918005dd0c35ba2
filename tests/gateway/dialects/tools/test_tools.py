"""The tools as Open WebUI calls them: what the chat sees, what the language model reads."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from PIL import Image

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.chats import ChatMessage
from imagegen_gateway.dialects.tools.drawing import Drawing, Shelf
from imagegen_gateway.dialects.tools.openwebui import MAX_FAILURES, open_openwebui
from imagegen_gateway.pictures import PREVIEW_BYTES
from tests.fakes.openwebui import FakeOpenWebUI, StoredFile, open_fake
from tests.fakes.openwebui.state import USER_TOKEN
from tests.gateway.dialects.conftest import House
from tests.gateway.dialects.openai.conftest import jobs_of, until_job_is

CHAT, MESSAGE = "859c05c6-caae-4c11", "3233628e-38a4-4042"
HEADERS = {"Authorization": f"Bearer {USER_TOKEN}", "X-Chat-Id": CHAT, "X-Message-Id": MESSAGE}
SMALL = {"size": "64x64", "steps": 4}
KEY = "a-key-of-sixteen-or-more"


@pytest.fixture(name="webui")
async def webui_fixture() -> AsyncIterator[FakeOpenWebUI]:
    async with open_fake() as fake:
        yield fake


@pytest.fixture(name="settings")
def settings_fixture(webui: FakeOpenWebUI) -> dict[str, Any]:
    return {"openwebui_url": webui.url}


async def call(
    http: aiohttp.ClientSession, tool: str, arguments: dict[str, Any], headers: dict[str, str] = HEADERS
) -> tuple[int, dict[str, Any]]:
    async with http.post(f"/tools/{tool}", json=arguments, headers=headers) as answer:
        return answer.status, await answer.json()


def events(webui: FakeOpenWebUI, kind: str) -> list[dict[str, Any]]:
    return [event.data for event in webui.events if event.type == kind]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  # the fake has no event for everything
            await asyncio.sleep(0.01)


def png(color: str, size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


def stored(webui: FakeOpenWebUI, content: bytes) -> dict[str, Any]:
    file = StoredFile(id="6b95dd4d-983c", user="user", name="a.png", content_type="image/png", content=content)
    webui.files[file.id] = file
    return {"type": "image", "id": file.id, "url": file.id}


@pytest.mark.parametrize("speed", ["3"])
async def test_the_chat_sees_the_picture_emerge(http: aiohttp.ClientSession, webui: FakeOpenWebUI) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    status, answer = await call(http, "generate_image", {"prompt": "a red fox", "steps": 12, "seed": 5})
    seconds = loop.time() - began
    assert (status, answer["status"], answer["message"]) == (200, "success", "The picture is shown to the user.")
    assert (answer["size"], answer["seed"]) == ("512x512", 5)
    assert {(event.user, event.chat, event.message) for event in webui.events} == {("user", CHAT, MESSAGE)}
    lines = events(webui, "status")
    assert any(line["description"].startswith("Sampling") for line in lines)
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert len(lines) <= 2 * seconds + 3
    previews = [file["url"] for shown in events(webui, "chat:message:files") for file in shown["files"]]
    assert 1 <= len(previews) <= 4 * seconds + 1
    assert all(len(base64.b64decode(preview.partition(",")[2])) < PREVIEW_BYTES for preview in previews)
    (file,) = webui.files.values()
    (final,) = events(webui, "files")
    assert [entry["url"] for entry in final["files"]] == [f"/api/v1/files/{file.id}/content"]
    assert (file.content_type, file.content[:4], file.user) == ("image/png", b"\x89PNG", "user")
    assert [event.type for event in webui.events][-2:] == ["files", "status"]


@pytest.mark.parametrize("speed", ["3"])
async def test_a_second_picture_in_one_answer_leaves_the_first(
    http: aiohttp.ClientSession, webui: FakeOpenWebUI
) -> None:
    for prompt, steps in (("a fox", 1), ("a bear", 12)):
        before = len(events(webui, "chat:message:files"))
        await call(http, "generate_image", {"prompt": prompt, "n": 2, "steps": steps})
    first, second = (shown["files"] for shown in events(webui, "files"))
    assert (len(first), len(second)) == (2, 2)
    *previews, final = (shown["files"] for shown in events(webui, "chat:message:files")[before:])
    assert previews
    assert all([file["url"] for file in shown[:2]] == [file["url"] for file in first] for shown in previews)
    assert final == [*first, *second]


NO_MESSAGE: list[dict[str, str]] = [
    {},
    {**HEADERS, "Authorization": "Bearer of-somebody-else"},
    {"Authorization": f"Bearer {USER_TOKEN}"},
    {**HEADERS, "X-Chat-Id": "temporary:abc"},
]


async def test_without_a_message_to_write_to_the_model_gets_addresses(
    http: aiohttp.ClientSession, webui: FakeOpenWebUI
) -> None:
    for headers in NO_MESSAGE:
        status, answer = await call(http, "generate_image", {"prompt": "a fox", **SMALL}, headers)
        assert (status, webui.events) == (200, [])
        address = answer["message"].partition("![picture](")[2].rstrip(")")
        if USER_TOKEN in headers.get("Authorization", ""):
            assert address == f"/api/v1/files/{list(webui.files)[-1]}/content"
        else:
            async with http.get(address) as found:
                assert found.content_type == "image/png"


@pytest.mark.parametrize("speed", ["3"])
async def test_what_cannot_be_posted_fails_no_job_and_is_given_up(
    http: aiohttp.ClientSession, webui: FakeOpenWebUI
) -> None:
    event = f"/api/v1/chats/{CHAT}/messages/{MESSAGE}/event"
    webui.failing |= {event, "/api/v1/files/"}
    status, answer = await call(http, "generate_image", {"prompt": "a fox", "steps": 12})
    assert (status, answer["status"]) == (200, "success")
    assert "/api/v1/assets/" in answer["message"]
    assert webui.requests.count(f"POST {event}") == MAX_FAILURES


async def test_an_attached_file_is_changed(http: aiohttp.ClientSession, webui: FakeOpenWebUI, house: House) -> None:
    file = stored(webui, png("red", (96, 64)))
    for image in (file["id"], f"/api/v1/files/{file['id']}/content", f"{webui.url}/api/v1/files/{file['id']}/content"):
        arguments = {"prompt": "a blue fox", "image": image, "strength": 0.5, "steps": 4}
        status, answer = await call(http, "edit_image", arguments)
        assert (status, answer.get("size")) == (200, "96x64"), answer
    assert (await jobs_of(house))[-1].spec.image.denoise == 0.5


async def test_the_newest_picture_of_the_chat_is_changed_by_default(
    http: aiohttp.ClientSession, webui: FakeOpenWebUI, house: House
) -> None:
    await call(http, "generate_image", {"prompt": "a fox", **SMALL})
    made = (await jobs_of(house))[-1].outputs[0].asset.digest
    await call(http, "edit_image", {"prompt": "bluer", "steps": 4})
    assert (await jobs_of(house))[-1].spec.image.init_image == made, "as far as the gateway remembers"
    older = {"type": "image", "url": "data:image/png;base64," + base64.b64encode(png("red", (72, 64))).decode()}
    webui.histories[CHAT] = {
        MESSAGE: {"parentId": "question", "files": []},
        "question": {"parentId": "start", "files": [older, stored(webui, png("green", (88, 64)))]},
        "start": {"parentId": None, "files": [older]},
    }
    assert (await call(http, "edit_image", {"prompt": "bluer", "steps": 4}))[1]["size"] == "88x64"


async def test_what_was_made_is_changed_by_the_name_that_the_model_was_told(http: aiohttp.ClientSession) -> None:
    _, first = await call(http, "generate_image", {"prompt": "a fox", **SMALL})
    status, _ = await call(http, "edit_image", {"prompt": "bluer", "image": first["images"][0], "steps": 4})
    assert status == 200


WRONG: list[tuple[str, dict[str, Any], int, str]] = [
    ("generate_image", {"prompt": "a fox", "size": "9000x9000"}, 400, "size: 9000x9000"),
    ("generate_image", {}, 400, "prompt: Field required"),
    ("generate_image", {"prompt": "a fox", "quality": "hd"}, 400, "quality: Extra inputs are not permitted"),
    ("generate_image", {"prompt": "a fox", "model": "dream"}, 400, "there is no 'dream'; there are imagegen, demo-"),
    ("edit_image", {"prompt": "a fox"}, 400, "there is no picture in this chat"),
    ("edit_image", {"prompt": "a fox", "image": "http://127.0.0.1/a.png"}, 400, "image: must be the url or id"),
    ("edit_image", {"prompt": "a fox", "image": "/api/v1/files/../../users"}, 400, "image: must be the url or id"),
    ("edit_image", {"prompt": "a fox", "image": "unheard-of"}, 400, "the file unheard-of cannot be had"),
    ("image_status", {"job_id": "00000000-0000-0000-0000-000000000000"}, 404, "no job"),
]


async def test_the_model_reads_what_is_wrong(http: aiohttp.ClientSession) -> None:
    for tool, arguments, status, words in WRONG:
        found, answer = await call(http, tool, arguments)
        assert (found, set(answer), words in answer["detail"]) == (status, {"detail"}, True), answer


@pytest.mark.parametrize("speed", ["0.5"])
async def test_the_stop_button_cancels_the_job_and_takes_the_preview_away(
    http: aiohttp.ClientSession, webui: FakeOpenWebUI, house: House
) -> None:
    calling = asyncio.create_task(call(http, "generate_image", {"prompt": "a fox"}))
    await until(lambda: bool(events(webui, "status")))
    calling.cancel()
    await until_job_is(house, job_pb2.JOB_STATE_CANCELLED)
    await until(lambda: events(webui, "status")[-1]["done"])
    assert events(webui, "status")[-1] == {"description": "Cancelled", "done": True}
    assert events(webui, "chat:message:files")[-1] == {"files": []}


async def test_a_stop_while_the_picture_is_put_into_the_message_puts_it_there_once(webui: FakeOpenWebUI) -> None:
    message = ChatMessage(chat_id="chat", message_id="message")
    async with open_openwebui(webui.url, USER_TOKEN, message) as openwebui:
        drawing = Drawing(None, Shelf(), message, openwebui)  # type: ignore[arg-type]  # what is made is made already
        drawing.uploaded.append(stored(webui, png("red", (8, 8))))
        finishing = asyncio.create_task(drawing.finish("Done"))
        await until(lambda: bool(events(webui, "files")))
        finishing.cancel()
        await asyncio.wait([finishing])
        await drawing.finish("Cancelled")
    assert len(events(webui, "files")) == 1


@pytest.mark.parametrize("speed", ["0.5"])
async def test_a_job_that_fails_is_told_to_both(
    http: aiohttp.ClientSession, webui: FakeOpenWebUI, house: House
) -> None:
    calling = asyncio.create_task(call(http, "generate_image", {"prompt": "a fox"}))
    await until(lambda: bool(events(webui, "status")))
    job = await until_job_is(house, job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING)
    assert (await call(http, "image_status", {"job_id": job.job_id}))[1]["status"] in {"queued", "running"}
    await house.client.cancel(job.job_id)
    status, answer = await calling
    assert (status, "cancelled" in answer["detail"]) == (499, True)
    assert events(webui, "status")[-1]["done"] is True
    assert (await call(http, "image_status", {"job_id": job.job_id}))[1]["status"] == "cancelled"


class TestKeys:
    """With keys, ours comes in a header of its own, and the user's token goes to nobody but Open WebUI."""

    @pytest.fixture(name="settings")
    def settings_fixture(self, webui: FakeOpenWebUI) -> dict[str, Any]:
        key = {"name": "webui", "key": KEY, "acts_for_users": True}
        return {"openwebui_url": webui.url, "keys": [key]}

    async def test_the_user_is_the_owner(self, http: aiohttp.ClientSession, webui: FakeOpenWebUI, house: House) -> None:
        headers = {**HEADERS, "X-Api-Key": KEY, "X-OpenWebUI-User-Email": "anna@example.com"}
        _, answer = await call(http, "generate_image", {"prompt": "a fox", **SMALL}, headers)
        assert (await jobs_of(house))[-1].owner == "anna@example.com"
        assert {event.user for event in webui.events} == {"user"}
        bob = {**headers, "X-OpenWebUI-User-Email": "bob@example.com"}
        assert (await call(http, "image_status", {"job_id": answer["job_id"]}, bob))[0] == 404
        assert (await call(http, "image_status", {"job_id": answer["job_id"]}, headers))[1]["status"] == "succeeded"

    async def test_our_own_key_goes_nowhere(self, http: aiohttp.ClientSession, webui: FakeOpenWebUI) -> None:
        headers = {**HEADERS, "Authorization": f"Bearer {KEY}"}
        assert (await call(http, "generate_image", {"prompt": "a fox", **SMALL}, headers))[0] == 200
        assert webui.requests == []

    async def test_without_it_nothing_is_made(self, http: aiohttp.ClientSession) -> None:
        status, answer = await call(http, "generate_image", {"prompt": "a fox"})
        assert (status, set(answer)) == (401, {"detail"})
