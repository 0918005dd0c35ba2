"""What a person sees in a browser."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright
from pydantic import SecretStr

from imagegen_gateway.app import serve_gateway
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.keys import KeySettings
from tests.e2e.conftest import Stack

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(90),
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian: apt-get install chromium)"),
]


@pytest_asyncio.fixture(loop_scope="module")
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )
        page = await browser.new_page()
        yield page
        await browser.close()


# Only observes: the <img> itself needs no script.
OBSERVE = """
async ([live, assetOf]) => {
  const image = document.createElement('img')
  image.src = live
  document.body.append(image)
  const canvas = Object.assign(document.createElement('canvas'), {width: 32, height: 32})
  const context = canvas.getContext('2d', {willReadFrequently: true})
  const look = (picture) => {
    context.clearRect(0, 0, 32, 32)
    context.drawImage(picture, 0, 0, 32, 32)
    return Array.from(context.getImageData(0, 0, 32, 32).data).join()
  }
  const seen = new Set()
  let finished = null
  for (;;) {
    if (image.naturalWidth) seen.add(look(image))
    if (!finished) {
      const {job} = await (await fetch(assetOf)).json()
      if (job.state === 'JOB_STATE_SUCCEEDED') {
        finished = new Image()
        finished.src = '/api/v1/assets/' + job.outputs[0].asset.digest
        await finished.decode()
      }
    } else if (image.naturalWidth && look(image) === look(finished)) {
      return {pictures: seen.size, width: image.naturalWidth, height: image.naturalHeight}
    }
    await new Promise(requestAnimationFrame)
  }
}
"""


async def test_previews_change_in_a_plain_img_and_end_in_the_finished_picture(page: Page, stack: Stack) -> None:
    body = {"spec": {"image": {"prompt": "a lighthouse", "width": 320, "height": 256, "steps": 30, "seed": "7"}}}
    async with aiohttp.ClientSession(stack.url) as session, session.post("/api/v1/jobs", json=body) as answer:
        job_id = (await answer.json())["job"]["job_id"]
    await page.goto(stack.url)
    seen = await page.evaluate(OBSERVE, [f"/api/v1/jobs/{job_id}/live", f"/api/v1/jobs/{job_id}"])
    assert seen["pictures"] >= 4
    assert (seen["width"], seen["height"]) == (320, 256)


async def test_the_page_makes_a_picture(page: Page, stack: Stack, tmp_path: Path) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    await page.goto(stack.url)
    await page.get_by_label("What should the picture show?").fill("a harbour at dawn")
    await page.get_by_role("button", name="Generate").click()
    picture = page.get_by_alt_text("the finished picture")
    await picture.wait_for(timeout=60_000)
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 512
    assert faults == []


async def test_a_page_behind_keys_signs_in_once(page: Page, stack: Stack) -> None:
    key = "the-key-of-the-house"
    settings = GatewaySettings(
        http="127.0.0.1:0", server=stack.grpc, keys=[KeySettings(name="home", key=SecretStr(key))]
    )
    async with serve_gateway(settings) as gateway:
        await page.goto(gateway.url)
        await page.get_by_label("Your key").fill("a key that is wrong")
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text("this key is not known here").wait_for(timeout=30_000)
        await page.get_by_label("Your key").fill(key)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("dialog").wait_for(state="hidden", timeout=30_000)
        await page.get_by_label("What should the picture show?").fill("a quiet room")
        await page.get_by_role("button", name="Generate").click()
        await page.get_by_alt_text("the finished picture").wait_for(timeout=60_000)
        assert "imagegen_key" not in await page.evaluate("document.cookie")


async def test_a_reload_in_mid_job_goes_on_watching(page: Page, stack: Stack) -> None:
    await page.goto(stack.url)
    await page.get_by_label("What should the picture show?").fill("a red fox")
    await page.get_by_label("Steps").fill("60")
    await page.get_by_role("button", name="Generate").click()
    await page.get_by_alt_text("a preview").wait_for(timeout=30_000)
    await page.reload()  # comes from the browser's cache, by 304
    await page.get_by_alt_text("the finished picture").wait_for(timeout=60_000)
    await page.get_by_role("link", name="full size").wait_for(timeout=10_000)


async def test_a_job_that_is_gone_is_told(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#00000000-0000-4000-8000-000000000000")
    await page.get_by_role("alert").get_by_text("there is no job").wait_for(timeout=20_000)
    assert page.url == f"{stack.url}/"
