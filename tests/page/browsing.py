"""Tabs that keep what the console says is wrong, and axe."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, Request

ROOT = Path(__file__).resolve().parents[2]
BUILT_PAGE = ROOT / "gateway" / "imagegen_gateway" / "static" / "index.html"
AXE = ROOT / "gateway" / "web" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP: Any = {"viewport": {"width": 1280, "height": 800}}
PHONE: Any = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True}

VIEWS = {
    "generate": "Generate",
    "queue": "Queue",
    "gallery": "Gallery",
    "workflows": "Workflows",
    "backends": "Backends",
    "settings": "Settings",
}
"""Their addresses, and what their headings say."""


@asynccontextmanager
async def watched_page(browser: Browser, **options: Any) -> AsyncIterator[Page]:
    """A tab with a storage of its own. Fails at its end if a script threw, or the console tells of an error."""
    context = await browser.new_context(**({**DESKTOP, "reduced_motion": "reduce"} | options))
    faults: list[str] = []
    context.on("weberror", lambda error: faults.append(str(error.error)))
    context.on("console", lambda message: faults.append(message.text) if is_fault(message) else None)
    page = await context.new_page()
    try:
        yield page
    finally:
        await context.close()
    assert faults == []


def asks_for_a_job(request: Request) -> bool:
    """Whether a request makes a job. The form also asks the same rpc what would become of it."""
    is_asked = request.method == "POST" and request.url.endswith("/api/v1/jobs")
    return is_asked and not json.loads(request.post_data or "{}").get("validate_only")


def is_fault(message: ConsoleMessage) -> bool:
    """Not an answer that is an error: a refusal is shown by the page, and a server that was killed does not answer."""
    return message.type == "error" and not message.text.startswith("Failed to load resource")


async def serious_problems(page: Page) -> list[str]:
    """What axe finds on the page as it is now: serious or worse."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{violation['id']}: {violation['help']}: {[node['html'] for node in violation['nodes']][:3]}"
        for violation in found["violations"]
        if violation["impact"] in {"serious", "critical"}
    ]
