"""Upstream's templates are converted as the page exports them, node by node."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_adapters.graphs.ui_format import convert
from tests.comfyui_page.conftest import templates
from tests.comfyui_page.exports import differences
from tests.comfyui_page.page import ComfyPage

pytestmark = [pytest.mark.comfyui_page, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(60)]


@pytest.fixture(params=templates(), ids=lambda path: path.stem)
def workflow(request: pytest.FixtureRequest) -> Any:
    return json.loads(request.param.read_bytes())


async def test_a_template_is_converted_as_the_page_exports_it(
    workflow: Mapping[str, Any], page: ComfyPage, node_classes: NodeClasses
) -> None:
    export = await page.export(workflow)
    converted = convert(workflow, node_classes)

    if export.output is None:
        pytest.skip(f"the page itself fails: {export.error}")
    assert differences(export.output, converted.api_format, node_classes) == []
