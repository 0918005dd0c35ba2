"""Runs every test of the suite once for each subject: the fakes, and the live servers that the environment names."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeAlias

import pytest

from imagegen_adapters.contract import Adapter
from tests.adapters.conformance.subject import Subject
from tests.adapters.conformance.subjects import a1111, comfyui, demo

OpenSubject: TypeAlias = Callable[[], AbstractAsyncContextManager[Subject]]

LIVE_TIMEOUT_S = 600


def _subjects(*, with_variants: bool) -> Iterator[object]:
    for kind, module in (("demo", demo), ("comfyui", comfyui), ("a1111", a1111)):
        yield pytest.param(module.fake, id=kind)
    if with_variants:
        yield pytest.param(a1111.fake_without_task_ids, id="a1111-without-task-ids")
    for kind, live in (("comfyui", comfyui.live), ("a1111", a1111.live)):
        url = os.environ.get(f"IMAGEGEN_TEST_{kind.upper()}_URL")
        if url:
            marks = (pytest.mark.live, pytest.mark.timeout(LIVE_TIMEOUT_S))
            yield pytest.param(partial(live, url), id=f"{kind}-live", marks=marks)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What a module lists in WITH_VARIANTS is run on servers, too, that differ only in what they can be asked."""
    if "subject" in metafunc.fixturenames:
        wanted = getattr(metafunc.module, "WITH_VARIANTS", ())
        subjects = _subjects(with_variants=metafunc.function.__name__ in wanted)
        metafunc.parametrize("subject", list(subjects), indirect=True)


@pytest.fixture
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    open_subject: OpenSubject = request.param
    async with open_subject() as opened:
        yield opened


@pytest.fixture
async def adapter(subject: Subject) -> AsyncIterator[Adapter]:
    async with subject.open_adapter() as opened:
        yield opened
