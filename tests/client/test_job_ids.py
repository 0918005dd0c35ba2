"""The beginning of an id names a job, when it names only one."""

import pytest

from imagegen.v1.job_pb2 import Job
from imagegen_client import Client, InvalidRequest, NotFound
from imagegen_client.commands.job_ids import resolve
from tests.client.fake import FakeServer, Record

IDS = [f"{start}-0000-4000-8000-000000000000" for start in ("abcd1111", "abcd2222", "ffff3333")]


@pytest.fixture(autouse=True)
def jobs(server: FakeServer) -> None:
    for job_id in IDS:
        server.records[job_id] = Record(Job(job_id=job_id), [])


@pytest.mark.parametrize(("text", "job_id"), [("ffff", IDS[2]), ("FFFF3", IDS[2]), ("abcd1", IDS[0]), (IDS[1], IDS[1])])
async def test_beginning_names_one_job(client: Client, text: str, job_id: str) -> None:
    assert await resolve(client, text) == job_id


async def test_whole_id_needs_no_search(server: FakeServer, client: Client) -> None:
    await resolve(client, IDS[0])

    assert server.requests == []


async def test_beginning_of_several_names_them(client: Client) -> None:
    with pytest.raises(InvalidRequest, match=f"not one job but 2: .*{IDS[0]}"):
        await resolve(client, "abcd")


async def test_beginning_of_none_is_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        await resolve(client, "eeee")


async def test_short_beginning_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="at least 4"):
        await resolve(client, "abc")
