"""One Open WebUI and one stack for all tests: starting them takes longer than most tests."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.openwebui.stack import Stack, open_stack


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "openwebui: needs the real Open WebUI, installed by `make e2e-openwebui`")


@pytest.fixture(scope="session")
def venv() -> Path:
    """The virtual environment that Open WebUI is installed in."""
    venv = os.environ.get("OPENWEBUI_VENV", "")
    if not venv:
        pytest.skip("needs the real Open WebUI, which is several GB: make e2e-openwebui")
    return Path(venv).absolute()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(venv: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Whoever stops a part of it starts it again."""
    async with open_stack(venv, tmp_path_factory.mktemp("openwebui")) as stack:
        yield stack
