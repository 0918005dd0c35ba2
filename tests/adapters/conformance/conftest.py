"""Runs every test of the suite once for each subject: the fakes, and the live servers that the environment names."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from importlib import import_module
from typing import TypeAlias

import pytest

from imagegen_adapters.contract import Adapter
from tests.adapters.conformance.subject import Subject

OpenSubject: TypeAlias = Callable[[], AbstractAsyncContextManager[Subject]]

LIVE_URLS = {"comfyui": "IMAGEGEN_TEST_COMFYUI_URL", "a1111": "IMAGEGEN_TEST_A1111_URL"}
LIVE_TIMEOUT_S = 600


def _subjects() -> Iterator[object]:
    for kind in ("demo", "comfyui", "a1111"):
        try:
            module = import_module(f"tests.adapters.conformance.subjects.{kind}")
        except ModuleNotFoundError:
            continue
        yield pytest.param(module.fake, id=kind)
        url = os.environ.get(LIVE_URLS.get(kind, ""))
        if url:
            marks = (pytest.mark.live, pytest.mark.timeout(LIVE_TIMEOUT_S))
            yield pytest.param(lambda module=module, url=url: module.live(url), id=f"{kind}-live", marks=marks)


@pytest.fixture(params=_subjects())
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    open_subject: OpenSubject = request.param
    async with open_subject() as opened:
        yield opened


@pytest.fixture
async def adapter(subject: Subject) -> AsyncIterator[Adapter]:
    async with subject.open_adapter() as opened:
        yield opened
