"""ComfyUI's page in a browser: what it makes of a workflow."""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Page, async_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

_EXPORT = """async (workflow) => {
    const options = {showMissingNodesDialog: false, showMissingModelsDialog: false};
    await window.app.loadGraphData(workflow, true, false, null, options);
    try {
        const {output, workflow} = await window.app.graphToPrompt();
        return {output, version: workflow.extra.frontendVersion};
    } catch (error) {
        return {error: String(error)};
    }
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What the page sends to the server for a workflow."""

    output: Mapping[str, Any] | None
    """None: it failed."""
    error: str
    version: str
    """Of the page."""


class ComfyPage:
    def __init__(self, page: Page) -> None:
        self._page = page

    async def export(self, workflow: Mapping[str, Any]) -> Export:
        answer = await self._page.evaluate(_EXPORT, workflow)
        return Export(output=answer.get("output"), error=answer.get("error", ""), version=answer.get("version", ""))


@asynccontextmanager
async def open_page(address: str) -> AsyncIterator[ComfyPage]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        await page.goto(address)
        await page.wait_for_function("() => window.app?.vueAppReady && window.app?.graph", timeout=60_000)
        yield ComfyPage(page)
        await browser.close()
