"""Jobs that fail, on a backend that misbehaves."""

from collections.abc import AsyncIterator

import openai
import pytest

from imagegen_server.config import BackendSettings
from tests.fakes.a1111 import FakeA1111, open_fake
from tests.gateway.dialects.conftest import House
from tests.gateway.dialects.openai.conftest import jobs_of


@pytest.fixture(name="fake")
async def fake_fixture() -> AsyncIterator[FakeA1111]:
    async with open_fake() as fake:
        yield fake


@pytest.fixture(name="backends")
def backends_fixture(fake: FakeA1111) -> tuple[BackendSettings, ...]:
    return (BackendSettings(kind="a1111", url=fake.url),)


async def test_a_job_that_fails_is_not_rendered_again(house: House, api: openai.AsyncOpenAI, fake: FakeA1111) -> None:
    fake.faults.gives_nan = True
    with pytest.raises(openai.APIStatusError) as caught:
        await api.images.generate(prompt="a red fox", size="64x64")
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert "NaN" in caught.value.message
    assert "NaN" in caught.value.response.reason_phrase
    assert len(await jobs_of(house)) == 1
