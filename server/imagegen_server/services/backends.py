"""BackendService."""

from dataclasses import dataclass

from imagegen.v1 import backend_pb2 as pb
from imagegen_server.errors import Refused
from imagegen_server.fleet import Fleet
from imagegen_server.running.runner import Runner
from imagegen_server.services.present import Present
from imagegen_server.services.rpc import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendService:
    fleet: Fleet
    runner: Runner
    present: Present

    async def list_backends(self, _request: pb.ListBackendsRequest, _: Context) -> pb.ListBackendsResponse:
        return pb.ListBackendsResponse(backends=self.present.backends())

    async def get_backend(self, request: pb.GetBackendRequest, _: Context) -> pb.GetBackendResponse:
        return pb.GetBackendResponse(backend=self.present.backend(self.fleet.find(request.name)))

    async def refresh_backend(self, request: pb.RefreshBackendRequest, _: Context) -> pb.RefreshBackendResponse:
        backend = self.fleet.find(request.name)
        await backend.refresh()
        return pb.RefreshBackendResponse(backend=self.present.backend(backend))

    async def drain_backend(self, request: pb.DrainBackendRequest, _: Context) -> pb.DrainBackendResponse:
        backend = self.fleet.find(request.name)
        await self.runner.control.drain(backend.name)
        return pb.DrainBackendResponse(backend=self.present.backend(backend))

    async def undrain_backend(self, request: pb.UndrainBackendRequest, _: Context) -> pb.UndrainBackendResponse:
        backend = self.fleet.find(request.name)
        await self.runner.control.undrain(backend.name)
        return pb.UndrainBackendResponse(backend=self.present.backend(backend))

    async def create_backend(self, _request: pb.CreateBackendRequest, _: Context) -> pb.CreateBackendResponse:
        raise Refused("BACKENDS_ARE_FIXED", "backends cannot be added yet")

    async def delete_backend(self, _request: pb.DeleteBackendRequest, _: Context) -> pb.DeleteBackendResponse:
        raise Refused("BACKENDS_ARE_FIXED", "backends cannot be taken away yet")
