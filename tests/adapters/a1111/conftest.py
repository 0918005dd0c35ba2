import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from io import BytesIO

import pytest
from PIL import Image

from imagegen_adapters.a1111.adapter import A1111Adapter, open_a1111
from imagegen_adapters.a1111.client import Timeouts
from imagegen_adapters.a1111.progress import Pace
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import ImageParameters, Run, Task, Update
from tests.fakes.a1111 import FakeA1111, open_fake

SHORT = Timeouts(
    connect_s=2.0,
    request_s=1.0,
    refused_s=0.3,
    silence_s=1.0,
    answer_s=0.5,
    stall_s=5.0,
    cancel_s=1.0,
    leave_s=1.0,
    pace=Pace(min_s=0.005, max_s=0.02),
)
REQUEST = ImageParameters(
    prompt="a red fox", model="dreamlike_tiny", width=64, height=64, steps=8, seed=7, sampler="Euler"
)
_attempts = itertools.count(1)


@pytest.fixture
async def fake() -> AsyncIterator[FakeA1111]:
    async with open_fake() as fake:
        yield fake


@pytest.fixture
async def nowebui() -> AsyncIterator[FakeA1111]:
    async with open_fake(is_webui=False) as fake:
        yield fake


@pytest.fixture
async def adapter(fake: FakeA1111) -> AsyncIterator[A1111Adapter]:
    async with open_a1111(config_for(fake), SHORT) as adapter:
        yield adapter


def config_for(fake: FakeA1111, **options: str) -> BackendConfig:
    return BackendConfig(name="fake", kind="a1111", url=fake.url, options=options)


def task_for(source: ImageParameters = REQUEST, *files: bytes, **settings: object) -> Task:
    digests = {hashlib.sha256(data).hexdigest(): data for data in files}
    return Task(
        attempt_id=f"00000000-0000-4000-8000-{next(_attempts):012d}",
        source=source,
        files=digests,
        **settings,  # type: ignore[arg-type]  # any other field of a task
    )


async def collect(run: Run) -> list[Update]:
    async with asyncio.timeout(15):
        return [update async for update in run]


async def run_to_end(adapter: A1111Adapter, task: Task) -> list[Update]:
    async with adapter.run(task) as run:
        return await collect(run)


def picture(color: str, size: tuple[int, int] = (64, 64)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, color).save(buffer, "PNG")
    return buffer.getvalue()


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
