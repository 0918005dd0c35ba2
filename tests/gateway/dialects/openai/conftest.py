"""The real `openai` package, pointed at the gateway."""

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest

from imagegen.v1 import job_pb2
from tests.gateway.dialects.conftest import House


@pytest.fixture(name="api")
async def api_fixture(house: House) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"{house.url}/openai/v1", api_key="any", max_retries=2) as api:
        yield api


async def until_job_is(house: House, *states: job_pb2.JobState.ValueType) -> job_pb2.Job:
    """The newest job, once it is in one of these states."""
    while True:
        jobs = await jobs_of(house)
        if jobs and jobs[-1].state in states:
            return jobs[-1]
        await asyncio.sleep(0.01)


async def jobs_of(house: House) -> list[job_pb2.Job]:
    """All jobs, the oldest first."""
    jobs = [job async for job in house.client.list_jobs()]
    return sorted(jobs, key=lambda job: job.create_time.ToNanoseconds())
