"""Takes the pictures of the documents anew: `make screenshots`. Needs Chromium; starts a stack of its own."""

import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import Page, async_playwright

HERE = Path(__file__).resolve().parent
PROMPT = "a lighthouse at dusk, calm sea, stars"
DESKTOP: Any = {"viewport": {"width": 1200, "height": 800}}
PHONE: Any = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
IS_NEARLY_DONE = "document.querySelector('progress').value > 0.8"
IS_DONE = "document.querySelector('#picture').alt === 'the finished picture'"
VIEWS = {
    "page-preview.png": (IS_NEARLY_DONE, {**DESKTOP, "color_scheme": "light"}),
    "page-dark.png": (IS_DONE, {**DESKTOP, "color_scheme": "dark"}),
    "page-phone.png": (IS_NEARLY_DONE, {**PHONE, "color_scheme": "dark"}),
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


async def take(page: Page, url: str, moment: str, name: str) -> None:
    """Has a picture made, and takes the page at the moment when that expression is true."""
    await page.goto(url)
    await page.locator("#prompt").fill(PROMPT)
    await page.locator("#steps").fill("40")
    await page.locator("#seed").fill("12")
    await page.get_by_role("button", name="Generate").click()
    await page.wait_for_function(moment, timeout=60_000)
    await page.screenshot(path=HERE / name)


async def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("needs Chromium")
    with tempfile.TemporaryDirectory() as data_dir:
        process, url = await start(data_dir)
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                for name, (moment, options) in VIEWS.items():
                    page = await browser.new_page(bypass_csp=True, **options)
                    await take(page, url, moment, name)
                    await page.close()
                await browser.close()
        finally:
            process.terminate()
            await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
