"""Which kind of server listens at an address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from imagegen_adapters.errors import AdapterError, Unauthenticated, Unintelligible, Unreachable
from imagegen_adapters.recognition import MAX_ANSWER_BYTES, find_kind
from tests.fakes import a1111, comfyui


async def test_comfyui_and_a1111_are_told_apart() -> None:
    async with comfyui.open_fake() as one, a1111.open_fake() as two:
        assert await find_kind(one.url) == "comfyui"
        assert await find_kind(two.url + "/") == "a1111"


async def test_a_password_is_used_and_never_told() -> None:
    async with a1111.open_fake(api_auth="me:hidden") as fake:
        assert await find_kind(fake.url.replace("//", "//me:hidden@")) == "a1111"
        with pytest.raises(Unauthenticated) as caught:
            await find_kind(fake.url.replace("//", "//me:wrong@"))
    assert "wrong" not in str(caught.value)


@asynccontextmanager
async def answering(path: str, answer: web.Response) -> AsyncIterator[str]:
    """A server that has this and nothing else."""

    async def handle(_: web.Request) -> web.Response:
        return answer

    app = web.Application()
    app.router.add_get(path, handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "answer", "error", "message"),
    [
        ("/", web.Response(text="hello"), Unintelligible, "neither ComfyUI nor A1111"),
        ("/system_stats", web.Response(text="[]"), Unintelligible, "neither"),
        ("/system_stats", web.Response(text="[" * 10_000), Unintelligible, "neither"),
        ("/system_stats", web.Response(text='{"system": "' + "x" * MAX_ANSWER_BYTES + '"}'), Unintelligible, "neither"),
        ("/system_stats", web.Response(status=302, headers={"Location": "/"}), Unintelligible, "elsewhere"),
        ("/system_stats", web.Response(status=401), Unauthenticated, "refused"),
        ("/system_stats", web.Response(status=502), Unreachable, "proxy"),
        ("/system_stats", web.Response(status=508), Unintelligible, "this imagegen server itself"),
        ("/internal/ping", web.json_response({}), Unintelligible, "--api"),
    ],
)
async def test_what_is_neither_is_said_in_words(
    path: str, answer: web.Response, error: type[AdapterError], message: str
) -> None:
    async with answering(path, answer) as url:
        with pytest.raises(error, match=message):
            await find_kind(url)


async def test_where_nothing_listens_nothing_is_found() -> None:
    async with answering("/", web.Response()) as url:
        pass
    with pytest.raises(Unreachable, match="nothing listens"):
        await find_kind(url)
