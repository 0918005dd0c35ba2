"""The real page of Open WebUI in Chromium."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Locator, Page, ViewportSize, async_playwright

from tests.openwebui.account import PASSWORD, Account

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TIMEOUT_MS = 60_000
SIZE: ViewportSize = {"width": 1200, "height": 780}


class ChatPage:
    """A new chat of somebody who has signed in; `open_page` opens one."""

    PREVIEW = 'img[src^="data:image/"]'

    def __init__(self, page: Page) -> None:
        self.page = page

    async def choose_model(self, name: str) -> None:
        await self.page.locator("#model-selector-model-button").click()
        await self.page.get_by_role("option", name=f"Select {name} model", exact=True).click()

    async def press_image_button(self) -> None:
        await self.page.locator("#integration-menu-button").click()
        await self.page.get_by_role("menuitemcheckbox", name="Image").click()
        await self.page.keyboard.press("Escape")

    async def switch_on_tool(self, name: str) -> None:
        await self.page.locator("#integration-menu-button").click()
        await self.page.get_by_role("menuitem", name="Tools").click()
        await self.page.get_by_role("menuitemcheckbox", name=name).click()
        await self.page.keyboard.press("Escape")

    async def send(self, prompt: str) -> None:
        await self.page.locator("#chat-input").fill(prompt)
        await self.page.keyboard.press("Enter")

    async def stop(self) -> None:
        await self.page.get_by_role("button", name="Stop", exact=True).click()

    @property
    def preview(self) -> Locator:
        """The picture as it is so far."""
        return self.page.locator(self.PREVIEW)

    @property
    def picture(self) -> Locator:
        """The one that Open WebUI has stored."""
        return self.page.locator('img[src*="/api/v1/files/"]')

    @property
    def status(self) -> Locator:
        """The line above the message."""
        return self.page.locator(".status-description")


@asynccontextmanager
async def open_page(account: Account) -> AsyncIterator[ChatPage]:
    """Signs in as a person does. What is new in this version is clicked away when it comes."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
        )
        page = await browser.new_page(viewport=SIZE, color_scheme="light")
        page.set_default_timeout(TIMEOUT_MS)
        news = page.get_by_role("button", name="Okay, Let's Go!")
        await page.add_locator_handler(news, lambda: news.click())
        await page.goto(f"{account.url}/auth")
        await page.get_by_label("Email").fill(account.email)
        await page.get_by_label("Password", exact=True).fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await page.locator("#chat-input").wait_for()
        yield ChatPage(page)
        await browser.close()
