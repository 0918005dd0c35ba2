"""One page for all tests: it takes seconds to start."""

import json
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from imagegen_adapters.graphs.node_classes import NodeClasses, parse_node_classes
from tests.comfyui_page.comfyui import serve_page
from tests.comfyui_page.fixtures import read_object_info
from tests.comfyui_page.page import CHROMIUM, ComfyPage, open_page

HERE = Path(__file__).parent
VENV = Path(os.environ["COMFYUI_PAGE_VENV"]).absolute() if os.environ.get("COMFYUI_PAGE_VENV") else None
"""The virtual environment with the page and the templates; without one these tests are left out."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write down what the page exports, for the default tests")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without the page one line says so, instead of one for each test."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    if ours and (VENV is None or CHROMIUM is None):
        first, *others = ours
        reason = f"{len(ours)} tests need ComfyUI's own page, which is 100 MB, and Chromium: make e2e-comfyui-page"
        first.add_marker(pytest.mark.skip(reason=reason))
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)


def package(name: str) -> Path:
    """The folder of a package in the virtual environment."""
    assert VENV is not None
    return next(VENV.glob(f"lib/python3*/site-packages/{name}"))


def templates() -> Sequence[Path]:
    """Upstream's workflows in UI format; in a folder of COMFYUI_PAGE_TEMPLATES instead where it is set."""
    if VENV is None:
        return []
    given = os.environ.get("COMFYUI_PAGE_TEMPLATES")
    folder = Path(given) if given else package("comfyui_workflow_templates")
    return [path for path in sorted(folder.rglob("*.json")) if "nodes" in json.loads(path.read_bytes())]


@pytest.fixture(scope="session")
def object_info() -> bytes:
    return read_object_info()


@pytest.fixture(scope="session")
def node_classes(object_info: bytes) -> NodeClasses:
    return parse_node_classes(object_info)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def page(object_info: bytes) -> AsyncIterator[ComfyPage]:
    given = os.environ.get("COMFYUI_PAGE_FRONTEND")
    files = Path(given) if given else package("comfyui_frontend_package") / "static"
    async with serve_page(files, object_info) as address, open_page(address) as page:
        yield page
