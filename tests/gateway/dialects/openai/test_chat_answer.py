"""What a streamed answer of the chat model says, moment by moment."""

from collections.abc import AsyncGenerator
from types import SimpleNamespace
from typing import Any

from aiohttp.test_utils import make_mocked_request

from imagegen.v1 import asset_pb2, event_pb2, job_pb2
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.dialects.openai.chat_answer import Answer
from imagegen_gateway.dialects.orders import Request
from imagegen_gateway.dialects.rendering import Moment
from imagegen_gateway.dialects.wishes import Offer
from tests.gateway.dialects.pictures import noise, png


class Told:
    """A job of which these moments are told, the place of its picture, and the stream that hears of it."""

    def __init__(self, *moments: Moment) -> None:
        self._moments = moments
        self.order: list[str] = []

    async def moments(self, *, heartbeat_s: float) -> AsyncGenerator[Moment, None]:
        assert heartbeat_s > 0
        for moment in self._moments:
            yield moment

    async def ended(self) -> job_pb2.Job:
        return self._moments[-1].job

    async def read(self, digest: str, *, max_bytes: int) -> tuple[asset_pb2.Asset, bytes]:
        assert max_bytes > 0
        return asset_pb2.Asset(digest=digest, media_type="image/png"), png()

    async def say(self, **delta: object) -> None:
        self.order += delta

    async def event(self, event: dict[str, Any]) -> None:
        self.order.append(event["type"])

    async def finish(self) -> None:
        self.order.append("stop")


async def test_no_preview_is_shown_after_the_last_picture() -> None:
    output = job_pb2.Output(asset=asset_pb2.Asset(digest="0" * 64, media_type="image/png"))
    job = job_pb2.Job(state=job_pb2.JOB_STATE_SUCCEEDED, outputs=[output])
    late = event_pb2.Preview(data=noise(8, 8, "JPEG"), media_type="image/jpeg")
    told = Told(
        Moment(job=job, state=job_pb2.JOB_STATE_RUNNING, outputs=(output,)),
        Moment(job=job, state=job_pb2.JOB_STATE_RUNNING, preview=late),
        Moment(job=job, state=job_pb2.JOB_STATE_SUCCEEDED),
    )
    kit: Any = SimpleNamespace(assets=told, settings=GatewaySettings())
    wanted = Request(spec=job.spec, offer=Offer(id="imagegen"))
    pretended: Any = told
    request = make_mocked_request("POST", "/openai/v1/chat/completions")
    await Answer(kit, pretended, wanted, request).give(pretended, events=True, previews=True)
    assert [kind for kind in told.order if kind != "status"] == ["images", "content", "stop"]
