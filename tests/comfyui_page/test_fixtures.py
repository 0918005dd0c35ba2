"""The recorded exports are still what the page exports; `--record` writes them anew."""

from dataclasses import replace

import pytest

from tests.comfyui_page.fixtures import Fixture, comparable, read_fixtures
from tests.comfyui_page.page import ComfyPage

pytestmark = [pytest.mark.comfyui_page, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]


@pytest.mark.parametrize("fixture", read_fixtures(), ids=lambda fixture: fixture.path.stem)
async def test_the_page_exports_what_was_recorded(
    fixture: Fixture, page: ComfyPage, pytestconfig: pytest.Config
) -> None:
    export = await page.export(fixture.workflow)
    if export.version != fixture.page:
        pytest.skip(f"it is of page {fixture.page}")

    assert export.output is not None, export.error
    if pytestconfig.getoption("--record"):
        replace(fixture, output=comparable(export.output)).write()
    else:
        assert comparable(export.output) == comparable(fixture.output)
