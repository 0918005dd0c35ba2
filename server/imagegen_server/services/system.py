"""SystemService."""

from dataclasses import dataclass

from imagegen.v1 import system_pb2 as pb
from imagegen_server.services.rpc import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemService:
    async def get_system(self, _request: pb.GetSystemRequest, _: Context) -> pb.GetSystemResponse:
        return pb.GetSystemResponse()

    async def watch_system(self, _request: pb.WatchSystemRequest, context: Context) -> None:
        await context.write(pb.WatchSystemResponse(event=pb.SystemEvent(ready=pb.Ready())))
