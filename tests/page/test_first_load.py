"""What the first look at the page costs."""

import aiohttp
from playwright.async_api import Page, Response

from tests.page.stack import Stack

BUDGET_BYTES = 250_000


async def test_the_first_load_is_small_and_all_ours(page: Page, stack: Stack) -> None:
    loaded: list[str] = []

    def note(response: Response) -> None:
        loaded.append(response.url)

    page.on("response", note)
    await page.goto(stack.url)
    await page.get_by_role("button", name="Generate").first.wait_for()
    await page.wait_for_load_state("load")
    assert {url.split("/")[2] for url in loaded} == {stack.url.split("/")[2]}
    parts = [url for url in loaded if "/api/" not in url and not url.endswith("/session")]
    assert len(parts) > 3
    assert sum([await packed_size(url) for url in parts]) < BUDGET_BYTES
    scripts = [url for url in parts if url.endswith(".js")]
    sources = [await page.evaluate("url => fetch(url).then((answer) => answer.text())", url) for url in scripts]
    assert not any("svelte-flow" in source for source in sources)  # the editor of graphs is fetched when it is opened


async def packed_size(url: str) -> int:
    """Bytes on the wire for a browser of today."""
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(url, headers={"Accept-Encoding": "br"}) as answer,
    ):
        return len(await answer.read())
