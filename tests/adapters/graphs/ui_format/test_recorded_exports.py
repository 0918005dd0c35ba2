"""What ComfyUI's own page exported of workflows, recorded by `tests/comfyui_page`: we make the same of them."""

import pytest

from imagegen_adapters.graphs.node_classes import NodeClasses, parse_node_classes
from imagegen_adapters.graphs.ui_format import convert
from tests.comfyui_page.fixtures import Fixture, comparable, read_fixtures, read_object_info


@pytest.fixture(scope="module")
def classes() -> NodeClasses:
    return parse_node_classes(read_object_info())


@pytest.mark.parametrize("fixture", read_fixtures(), ids=lambda fixture: fixture.path.stem)
def test_a_workflow_is_converted_as_the_page_exports_it(fixture: Fixture, classes: NodeClasses) -> None:
    converted = convert(fixture.workflow, classes)

    assert comparable(converted.api_format) == comparable(fixture.output), fixture.about
    assert converted.problems == ()
