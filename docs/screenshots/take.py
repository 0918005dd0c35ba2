"""Takes the pictures of the page anew: `make screenshots`. Needs Chromium; starts a stack of its own.

Each view is taken in light and dark, on a desktop and on a phone: `page-gallery-desktop-light.webp` and so on.
"""

import asyncio
import io
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.async_api import Browser, Page, async_playwright

from tests.e2e.programs import fake_program, running
from tests.page.browsing import CHROMIUM, CHROMIUM_OPTIONS, DESKTOP, PHONE
from tests.page.stack import Stack, running_stack

HERE = Path(__file__).resolve().parent
LOOKS: dict[str, dict[str, Any]] = {
    f"{device}-{scheme}": {**options, "color_scheme": scheme}
    for device, options in (("desktop", DESKTOP), ("phone", PHONE))
    for scheme in ("light", "dark")
}
LARGE: dict[str, Any] = {"viewport": {"width": 1760, "height": 990}}
LARGE_ONES = {("editor", "desktop-light"), ("editor", "desktop-dark")}
"""A graph needs room to be read."""
PROMPTS = [
    "a lighthouse at dusk, calm sea, stars",
    "a red fox in fresh snow",
    "mountains above the clouds at sunrise",
    "a quiet harbour in the fog",
    "an old greenhouse full of ferns",
    "a field of poppies under a storm",
    "a night train crossing a bridge",
    "a desert road and a double rainbow",
]
NEARLY_DONE = "document.querySelector('progress')?.value > 0.6"

SETTLED = """
!document.querySelector('main [role=status]')?.innerText.startsWith('Loading') &&
  [...document.images].every((image) => image.complete)
"""

Visit = Callable[[Page, Stack], Awaitable[None]]


async def settled(page: Page) -> None:
    """Waits until all is there. The network is never idle: the page listens."""
    await page.wait_for_function(SETTLED)
    await page.wait_for_timeout(400)  # what fades in has faded in


async def preview(page: Page, stack: Stack) -> None:
    """A picture on its way."""
    await page.goto(f"{stack.url}/#/generate")
    await page.get_by_label("Prompt", exact=True).fill(PROMPTS[0])
    job = await stack.make(PROMPTS[0], backend="demo", width=768, height=512, steps=60, seed="12")
    await page.goto(f"{stack.url}/#/generate?job={job}")
    await page.wait_for_function(NEARLY_DONE, timeout=60_000)


async def generate(page: Page, stack: Stack) -> None:
    """The finished picture beside the form."""
    job = (await stack.call("GET", "/api/v1/jobs?states=SUCCEEDED&page_size=1"))["jobs"][0]["job_id"]
    await page.goto(f"{stack.url}/#/generate?job={job}")
    await settled(page)


async def queue(page: Page, stack: Stack) -> None:
    """One that runs, and some that wait."""
    for prompt in PROMPTS[:4]:
        await stack.make(prompt, backend="demo", width=512, height=512, steps=80)
    await page.goto(f"{stack.url}/#/queue")
    await page.wait_for_function(NEARLY_DONE, timeout=60_000)


def view(address: str, ready: str = "") -> Visit:
    """A view that needs only to be opened; `ready` is a selector of what must be there."""

    async def visit(page: Page, stack: Stack) -> None:
        await page.goto(f"{stack.url}/#/{address}")
        await page.get_by_role("heading", level=1).wait_for()
        if ready:
            await page.locator(ready).first.wait_for()
        await settled(page)

    return visit


async def lightbox(page: Page, stack: Stack) -> None:
    """One picture with its settings."""
    await view("gallery", "main img")(page, stack)
    await page.locator("main img").first.click()
    await page.get_by_role("dialog").wait_for()
    await settled(page)


VISITS: dict[str, Visit] = {
    "preview": preview,
    "generate": generate,
    "queue": queue,
    "gallery": view("gallery", "main img"),
    "lightbox": lightbox,
    "workflows": view("workflows", "main li"),
    "editor": view("workflows/portrait", "main"),
    "backends": view("backends", "main li"),
    "models": view("backends/models", "main li"),
    "settings": view("settings/generation", "main form"),
}


async def furnish(stack: Stack) -> None:
    """Pictures for the gallery, and a workflow for the editor."""
    sizes = [(768, 512), (512, 512), (512, 768), (768, 512)]
    for number, prompt in enumerate(PROMPTS):
        width, height = sizes[number % len(sizes)]
        await stack.ended(
            await stack.make(prompt, backend="demo", width=width, height=height, steps=6, seed=str(number))
        )
    spec = {"workflow": {"workflow_id": "text-to-image", "inputs": {"prompt": PROMPTS[1]}}, "backend": "workshop"}
    rendered = await stack.call("POST", "/api/v1/workflows:render", {"spec": spec})
    graph = {"text": rendered["graph_json"], "name": "Portrait"}
    imported = await stack.call("POST", "/api/v1/workflows:import", graph)
    workflow = {**imported["workflow"], "title": "Portrait", "workflow_id": "portrait"}
    await stack.call("POST", "/api/v1/workflows", {"workflow": workflow})


async def clear(stack: Stack) -> None:
    """Leaves nothing running for the next view."""
    unfinished = await stack.call("GET", "/api/v1/jobs?states=QUEUED,RUNNING")
    for job in unfinished["jobs"]:
        await stack.call("POST", f"/api/v1/jobs/{job['job_id']}:cancel", {})


async def take(browser: Browser, stack: Stack, name: str, look: str) -> None:
    """Visits a view and keeps what it looks like."""
    options = {**LOOKS[look], **(LARGE if (name, look) in LARGE_ONES else {})}
    context = await browser.new_context(**options, bypass_csp=True)  # to wait for a moment
    page = await context.new_page()
    await VISITS[name](page, stack)
    shot = Image.open(io.BytesIO(await page.screenshot()))
    shot.save(HERE / f"page-{name}-{look}.webp", quality=82, method=6)
    await context.close()
    await clear(stack)


async def main() -> None:
    if CHROMIUM is None:
        raise SystemExit("needs Chromium")
    comfyui, a1111 = fake_program("workshop", "comfyui"), fake_program("attic", "a1111")
    backends: list[Mapping[str, object]] = [
        {"name": "demo", "kind": "demo"},
        {"name": "workshop", "kind": "comfyui", "url": comfyui.address, "labels": {"gpu": "big"}},
        {"name": "attic", "kind": "a1111", "url": a1111.address},
    ]
    with tempfile.TemporaryDirectory() as data_dir:
        async with running(comfyui, a1111), running_stack(Path(data_dir), backends) as stack:
            await furnish(stack)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
                for name in VISITS:
                    for look in LOOKS:
                        await take(browser, stack, name, look)
                await browser.close()


if __name__ == "__main__":
    asyncio.run(main())
