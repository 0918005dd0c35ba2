"""One Open WebUI and one stack for all tests: starting them takes longer than most tests."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.openwebui.stack import Stack, open_stack

HERE = Path(__file__).parent
VENV = Path(os.environ["OPENWEBUI_VENV"]).absolute() if os.environ.get("OPENWEBUI_VENV") else None
"""The virtual environment that Open WebUI is installed in; without one these tests are left out."""

SECRET = "a secret that Open WebUI and the gateway share"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without Open WebUI one line says so, instead of one for each test."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    if ours and VENV is None:
        first, *others = ours
        reason = f"{len(ours)} tests need the real Open WebUI, which is several GB: make e2e-openwebui"
        first.add_marker(pytest.mark.skip(reason=reason))
        items[:] = [item for item in items if item not in others]
        config.hook.pytest_deselected(items=others)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Whoever stops a part of it starts it again."""
    assert VENV is not None
    async with open_stack(VENV, tmp_path_factory.mktemp("openwebui")) as stack:
        yield stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def signed_stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Another, whose Open WebUI signs what it says of its users. It may be killed: nobody's tab is open for long."""
    assert VENV is not None
    async with open_stack(
        VENV,
        tmp_path_factory.mktemp("signed"),
        webui_settings={"FORWARD_USER_INFO_HEADER_JWT_SECRET": SECRET},
        gateway_settings={"IMAGEGEN_OPENWEBUI_JWT_SECRET": SECRET},
    ) as stack:
        yield stack
