"""The image API with the real `openai` package, over a real server."""

import asyncio
import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest

from imagegen.v1 import job_pb2
from imagegen_server.config import OwnerSettings
from tests.gateway.dialects.conftest import House
from tests.gateway.dialects.openai.conftest import jobs_of, until_job_is
from tests.gateway.dialects.pictures import encoded, opened, png

FOX = "a red fox"
SMALL = {"size": "64x64", "steps": 2}


def decoded(image: openai.types.Image) -> bytes:
    assert image.b64_json is not None
    return base64.b64decode(image.b64_json)


async def test_a_prompt_becomes_pictures(house: House) -> None:
    def ask() -> openai.types.ImagesResponse:
        with openai.OpenAI(base_url=f"{house.url}/openai/v1", api_key="any") as api:
            return api.images.generate(
                model="dall-e-2", prompt=FOX, n=2, size="128x64", user="anna", extra_body={"seed": 7, "steps": 4}
            )

    answer = await asyncio.to_thread(ask)
    assert answer.data is not None
    pictures = [opened(decoded(image)) for image in answer.data]
    assert [(picture.format, picture.size) for picture in pictures] == [("PNG", (128, 64))] * 2
    assert (answer.size, answer.output_format, answer.background) == ("128x64", "png", "opaque")
    (job,) = await jobs_of(house)
    assert (job.spec.image.seed, job.spec.image.steps, job.spec.image.count) == (7, 4, 2)
    assert dict(job.spec.labels) == {"dialect": "openai", "user": "anna"}
    assert job.owner == ""  # `user` is what the program says, not who asks


async def test_an_edit_repaints_what_the_mask_leaves_transparent(house: House, api: openai.AsyncOpenAI) -> None:
    mask = opened(png(64, 64, (0, 0, 0, 255)))
    mask.paste((0, 0, 0, 0), (0, 0, 32, 64))
    answer = await api.images.edit(
        image=("fox.png", png(64, 64)),
        mask=("mask.png", encoded(mask, "PNG")),
        prompt="a blue fox",
        extra_body={"denoise": "0.5", "steps": "2"},
    )
    assert answer.data is not None
    assert opened(decoded(answer.data[0])).size == (64, 64)
    (job,) = await jobs_of(house)
    assert (job.spec.image.denoise, job.spec.image.steps) == (0.5, 2)
    stored = opened(await house.client.download(job.spec.image.mask)).convert("L")
    assert [stored.getpixel((x, 8)) for x in (8, 56)] == [255, 0]


async def test_an_edit_may_come_as_json(house: House, http: aiohttp.ClientSession) -> None:
    text = base64.b64encode(png()).decode()
    ways: list[dict[str, Any]] = [{"image": text}, {"images": [{"image_url": f"data:image/png;base64,{text}"}]}]
    ways[1]["mask"] = {"image_url": base64.b64encode(png(64, 64, (0, 0, 0, 0))).decode()}
    for way in ways:
        async with http.post("/openai/v1/images/edits", json={**way, "prompt": FOX, "steps": 2}) as response:
            assert response.status == 200
    plain, masked = await jobs_of(house)
    assert plain.spec.image.init_image == masked.spec.image.init_image
    assert (bool(plain.spec.image.mask), bool(masked.spec.image.mask)) == (False, True)


async def test_pictures_come_as_the_caller_wants_them(http: aiohttp.ClientSession) -> None:
    wanted: dict[str, Any] = {"prompt": FOX, "size": "64x64", "steps": 2, "seed": 1, "output_format": "webp"}
    sizes = []
    for compression in (5, 95):
        async with http.post("/openai/v1/images/generations", json={**wanted, "output_compression": compression}) as r:
            picture = base64.b64decode((await r.json())["data"][0]["b64_json"])
        assert opened(picture).format == "WEBP"
        sizes.append(len(picture))
    assert sizes[0] < sizes[1]
    async with http.post("/openai/v1/images/generations", json={**wanted, "response_format": "url"}) as response:
        (image,) = (await response.json())["data"]
    assert "b64_json" not in image
    async with http.get(image["url"]) as response:
        assert opened(await response.read()).format == "WEBP"


ERRORS: list[tuple[dict[str, Any], int, str | None, str]] = [
    ({"prompt": FOX, "style": "vivid"}, 400, "style", "style: is no parameter here"),
    ({"prompt": FOX, "sampler": "eulr"}, 400, "sampler", "sampler: "),
    ({"prompt": FOX, "backend": "Ü"}, 400, "backend", "backend: "),
    ({"prompt": FOX, "model": "sdxl"}, 404, None, "there is no model 'sdxl' here"),
    ({"n": 1}, 400, "prompt", "prompt: is missing"),
]


async def test_errors_are_openais_and_stand_in_the_status_line(http: aiohttp.ClientSession) -> None:
    for body, status, param, says in ERRORS:
        async with http.post("/openai/v1/images/generations", json=body) as response:
            error = (await response.json())["error"]
            assert (response.status, error["type"], error["param"]) == (status, "invalid_request_error", param)
            assert says in error["message"]
            assert says in (response.reason or "")


JSON = "application/json"
FORM = "multipart/form-data; boundary=x"
GARBAGE: list[tuple[str, str, bytes]] = [
    ("generations", JSON, b"{"),
    ("generations", JSON, b"[]"),
    ("generations", JSON, b'{"prompt": "\xff"}'),
    ("generations", JSON, b""),
    ("generations", FORM, b"--x--"),
    ("edits", "multipart/form-data", b""),
    ("edits", FORM, b"nothing"),
    ("edits", FORM, b"--x\r\n\r\nno name\r\n--x--\r\n"),
    ("edits", FORM, b'--x\r\nContent-Disposition: form-data; name="st\xffeps"\r\n\r\n1\r\n--x--\r\n'),
    ("edits", FORM, b"--x\r\nContent-Disposition: form-d;ata; na=steps\r\n\r\n1\r\n--x--\r\n"),
    ("edits", FORM, b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n\xff\r\n--x--\r\n'),
    ("edits", FORM, b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\ncut'),
    ("edits", FORM, b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\n\r\n--x--\r\n'),
    ("edits", FORM, b'--x\r\nContent-Disposition: form-data; name="n"\r\n\r\n1\r\n' * 2 + b"--x--\r\n"),
    ("edits", FORM, b"--x\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n--y--\r\n--x--\r\n"),
    (
        "edits",
        FORM,
        (
            b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nno picture\r\n'
            b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\nfox\r\n--x--\r\n'
        ),
    ),
    ("edits", JSON, b'{"prompt": "fox"}'),
    ("edits", JSON, b'{"prompt": "fox", "image": "no picture"}'),
    ("edits", JSON, b'{"prompt": "fox", "image": 7}'),
    ("edits", JSON, b'{"prompt": "fox", "image": [' + b'"aaaa",' * 16 + b'"aaaa"]}'),
    ("edits", JSON, b'{"prompt": "fox", "images": [{"file_id": "f"}]}'),
    ("edits", JSON, b'{"prompt": "fox", "image": "http://127.0.0.1:1/fox.png"}'),
]


@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionHeader")  # as the gateway's process does
async def test_garbage_is_refused_in_openais_words(http: aiohttp.ClientSession) -> None:
    for path, content_type, body in GARBAGE:
        headers = {"Content-Type": content_type}
        async with http.post(f"/openai/v1/images/{path}", data=body, headers=headers) as response:
            assert response.status == 400, body
            assert set((await response.json())["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize("settings", [{"max_upload_bytes": 1000}])
async def test_a_body_that_is_too_large_is_refused(http: aiohttp.ClientSession) -> None:
    async with http.post("/openai/v1/images/generations", data=io.BytesIO(b" " * (2 << 20))) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (413, "asset_too_large")


@pytest.mark.parametrize("settings", [{"keys": [{"name": "chat", "key": "k" * 16, "acts_for_users": True}]}])
async def test_a_key_is_needed_where_there_are_keys(house: House, api: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.AuthenticationError, match="this key is not known here"):
        await api.images.generate(prompt=FOX)
    known = api.with_options(api_key="k" * 16)
    headers = {"X-OpenWebUI-User-Email": "anna@example.org"}
    await known.images.generate(prompt=FOX, extra_headers=headers, extra_body=SMALL)
    assert [job.owner for job in await jobs_of(house)] == ["anna@example.org"]


@pytest.mark.parametrize("speed", ["0.25"])
@pytest.mark.parametrize("server_settings", [{"owners": {"*": OwnerSettings(max_queued_jobs=1, max_running_jobs=1)}}])
async def test_a_full_queue_says_when_to_come_back(house: House, api: openai.AsyncOpenAI) -> None:
    waiting = []
    try:
        for state in (job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_QUEUED):
            waiting.append(asyncio.create_task(api.images.generate(prompt=FOX)))
            await until_job_is(house, state)
        with pytest.raises(
            openai.RateLimitError, match="of this owner waits already; at most 1 may; try again in"
        ) as e:
            await api.with_options(max_retries=0).images.generate(prompt=FOX)
        assert int(e.value.response.headers["Retry-After"]) >= 1
        assert e.value.code == "quota_exceeded"
        assert "x-should-retry" not in e.value.response.headers
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("speed", ["0.25"])
async def test_a_caller_that_goes_away_has_its_job_cancelled(house: House, api: openai.AsyncOpenAI) -> None:
    asking = asyncio.create_task(api.images.generate(prompt=FOX))
    await until_job_is(house, job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    await until_job_is(house, job_pb2.JOB_STATE_CANCELLED)


@pytest.mark.parametrize("speed", ["0.25"])
@pytest.mark.parametrize("asks_chat", [False, True])
async def test_nobody_is_to_ask_again_once_a_job_was_accepted(
    house: House, api: openai.AsyncOpenAI, *, asks_chat: bool
) -> None:
    async def ask() -> object:
        if asks_chat:
            return await api.chat.completions.create(model="imagegen", messages=[{"role": "user", "content": FOX}])
        return await api.images.generate(prompt=FOX)

    asking = asyncio.create_task(ask())
    job = await until_job_is(house, job_pb2.JOB_STATE_RUNNING)
    await house.client.cancel(job.job_id)
    with pytest.raises(openai.APIStatusError, match="cancelled") as e:
        await asking
    assert e.value.response.headers["x-should-retry"] == "false"


async def test_a_key_that_comes_again_gets_the_same_pictures(house: House, api: openai.AsyncOpenAI) -> None:
    async def ask(prompt: str) -> bytes:
        answer = await api.images.generate(prompt=prompt, extra_headers={"Idempotency-Key": "k1"}, extra_body=SMALL)
        assert answer.data is not None
        return decoded(answer.data[0])

    assert await ask(FOX) == await ask(FOX)
    assert len(await jobs_of(house)) == 1
    with pytest.raises(openai.ConflictError, match="this Idempotency-Key was used before"):
        await ask("a wolf")


@pytest.mark.parametrize("settings", [{"max_upload_bytes": 1000}])
async def test_the_parts_of_a_form_share_one_limit(house: House) -> None:
    async def form() -> AsyncIterator[bytes]:  # without a length, that would be refused at once
        for number in range(3):
            yield b'--b\r\nContent-Disposition: form-data; name="image[]"; filename="%d"\r\n\r\n' % number
            yield bytes(500_000) + b"\r\n"
        yield b"--b--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{house.url}/openai/v1/images/edits", data=form(), headers=headers) as answer,
    ):
        assert (answer.status, (await answer.json())["error"]["code"]) == (413, "asset_too_large")


async def test_two_users_at_once_get_their_own(house: House, api: openai.AsyncOpenAI) -> None:
    async def ask(user: str, seed: int) -> str:
        headers = {"X-OpenWebUI-User-Id": user}
        answer = await api.images.generate(prompt=FOX, extra_headers=headers, extra_body={**SMALL, "seed": seed})
        assert answer.data is not None
        return str((answer.data[0].model_extra or {})["seed"])

    assert list(await asyncio.gather(ask("anna", 1), ask("bert", 2))) == ["1", "2"]
    assert {(job.owner, job.spec.image.seed) for job in await jobs_of(house)} == {("anna", 1), ("bert", 2)}
