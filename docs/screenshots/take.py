"""Takes the pictures of the documents anew: `make screenshots`. Needs Chromium; starts a stack of its own."""

import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, async_playwright

HERE = Path(__file__).resolve().parent
PROMPT = "a lighthouse at dusk, calm sea, stars"
VIEWS = {
    "page": {"viewport": {"width": 1200, "height": 800}, "color_scheme": "light"},
    "page-dark": {"viewport": {"width": 1200, "height": 800}, "color_scheme": "dark"},
    "page-phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "device_scale_factor": 2},
}


async def start(data_dir: str) -> tuple[asyncio.subprocess.Process, str]:
    """A server and a gateway with the demo backend, and the page's address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "imagegen_client",
        "up",
        "--grpc=127.0.0.1:0",
        "--http=127.0.0.1:0",
        f"--data-dir={data_dir}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    async for line in process.stdout:
        found = re.search(r"ready: (http://\S+)", line.decode())
        if found:
            return process, found.group(1)
    raise SystemExit("the stack did not start")


async def make_picture(page: Page, url: str, name: str) -> None:
    """One picture while the preview is on its way, one when it is finished."""
    await page.goto(url)
    await page.locator("#prompt").fill(PROMPT)
    await page.locator("#steps").fill("40")
    await page.locator("#seed").fill("12")
    await page.get_by_role("button", name="Generate").click()
    await page.wait_for_function("document.querySelector('progress').value > 0.6", timeout=60_000)
    await page.screenshot(path=HERE / f"{name}-preview.png")
    await page.get_by_alt_text("the finished picture").wait_for(timeout=60_000)
    await page.screenshot(path=HERE / f"{name}.png")


async def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("needs Chromium")
    with tempfile.TemporaryDirectory() as data_dir:
        process, url = await start(data_dir)
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                for name, options in VIEWS.items():
                    page = await browser.new_page(bypass_csp=True, **options)  # type: ignore[arg-type]  # a table of keyword arguments
                    await make_picture(page, url, name)
                    await page.close()
                await browser.close()
        finally:
            process.terminate()
            await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
