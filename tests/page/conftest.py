"""A browser, a stack to look at, and what every page must keep: no error in the console, nothing serious for axe."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect
from pytest_asyncio import is_async_test

from tests.page.browsing import BUILT_PAGE, CHROMIUM, CHROMIUM_OPTIONS, watched_page
from tests.page.stack import Stack, running_stack

expect.set_options(timeout=20_000)  # a machine that runs all tests at once is slow; what is waited for is the same


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One browser for all of them: it takes longer to start than a test takes."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents and is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.timeout(90))
            missing = "needs Chromium (Debian: apt-get install chromium)"
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason=missing))
            item.add_marker(pytest.mark.skipif(not BUILT_PAGE.exists(), reason="needs the built page: make page"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_OPTIONS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A tab of a new user; the test fails with what the console says is wrong."""
    async with watched_page(browser) as page:
        yield page


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """With the demo backend; shared by the tests of a module, which leave it as they found it."""
    async with running_stack(tmp_path_factory.mktemp("data")) as stack:
        yield stack
