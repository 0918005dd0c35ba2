"""The chat of Open WebUI that a request comes from, and what was made in it before."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from imagegen.v1 import asset_pb2, image_gen_pb2, job_pb2
from imagegen_gateway.callers import Caller
from imagegen_gateway.dialects.rendering import images_of

if TYPE_CHECKING:  # this name is in the stub only
    from imagegen.v1.image_gen_pb2_grpc import ImageGenServiceAsyncStub

CHAT_HEADERS: Final = ("X-Chat-Id", "X-OpenWebUI-Chat-Id")
"""By the connection's own header templates, or by Open WebUI's forwarded ones."""
MESSAGE_HEADERS: Final = ("X-Message-Id", "X-OpenWebUI-Message-Id")
ID: Final = re.compile(r"[A-Za-z0-9:_-]{1,128}")
UNSTORED: Final = ("temporary:", "local:")
CHANNEL: Final = "channel:"
CHAT_LABEL: Final = "chat_id"
MESSAGE_LABEL: Final = "message_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """The message that a job is made for; empty ids: nobody said."""

    chat_id: str = ""
    message_id: str = ""

    @property
    def keeps_files(self) -> bool:
        """Whether pictures in it are replaced in place, instead of added up."""
        return not self.chat_id.startswith((*UNSTORED, CHANNEL))

    @property
    def labels(self) -> dict[str, str]:
        """What tells its jobs from others."""
        labels = {CHAT_LABEL: self.chat_id, MESSAGE_LABEL: self.message_id}
        return {name: value for name, value in labels.items() if value}


def message_of(headers: Mapping[str, str]) -> ChatMessage:
    """The message that a request names. What is no id counts as nothing: it becomes part of addresses."""
    return ChatMessage(chat_id=_id(headers, CHAT_HEADERS), message_id=_id(headers, MESSAGE_HEADERS))


def _id(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    given = (headers.get(name, "").strip() for name in names)
    return next((value for value in given if ID.fullmatch(value)), "")


async def newest_picture(
    jobs: "ImageGenServiceAsyncStub", chat_id: str, caller: Caller, timeout_s: float
) -> asset_pb2.Asset | None:
    """The picture that was made last in a chat; None: there is none. Raises AioRpcError."""
    request = image_gen_pb2.ListJobsRequest(
        page_size=1, states=[job_pb2.JOB_STATE_SUCCEEDED], owner=caller.owner, label=f"{CHAT_LABEL}={chat_id}"
    )
    found = await jobs.ListJobs(request, timeout=timeout_s, metadata=caller.metadata)
    pictures = [picture for job in found.jobs for picture in images_of(job)]
    return pictures[-1].asset if pictures else None
