"""BackendService."""

from dataclasses import dataclass

from imagegen.v1 import backend_pb2 as pb
from imagegen_server.backend import Backend
from imagegen_server.errors import Refused
from imagegen_server.fleet import Fleet
from imagegen_server.running.runner import Runner
from imagegen_server.services.rpc import Context
from imagegen_server.wire.backends import encode_backend


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendService:
    fleet: Fleet
    runner: Runner

    async def list_backends(self, _request: pb.ListBackendsRequest, _: Context) -> pb.ListBackendsResponse:
        return pb.ListBackendsResponse(backends=[self._encode(backend) for backend in self.fleet])

    async def get_backend(self, request: pb.GetBackendRequest, _: Context) -> pb.GetBackendResponse:
        return pb.GetBackendResponse(backend=self._encode(self.fleet.find(request.name)))

    async def refresh_backend(self, request: pb.RefreshBackendRequest, _: Context) -> pb.RefreshBackendResponse:
        backend = self.fleet.find(request.name)
        await backend.refresh()
        return pb.RefreshBackendResponse(backend=self._encode(backend))

    async def drain_backend(self, request: pb.DrainBackendRequest, _: Context) -> pb.DrainBackendResponse:
        backend = self.fleet.find(request.name)
        await self.runner.control.drain(backend.name)
        return pb.DrainBackendResponse(backend=self._encode(backend))

    async def undrain_backend(self, request: pb.UndrainBackendRequest, _: Context) -> pb.UndrainBackendResponse:
        backend = self.fleet.find(request.name)
        await self.runner.control.undrain(backend.name)
        return pb.UndrainBackendResponse(backend=self._encode(backend))

    async def create_backend(self, _request: pb.CreateBackendRequest, _: Context) -> pb.CreateBackendResponse:
        raise Refused("BACKENDS_ARE_FIXED", "backends cannot be added yet")

    async def delete_backend(self, _request: pb.DeleteBackendRequest, _: Context) -> pb.DeleteBackendResponse:
        raise Refused("BACKENDS_ARE_FIXED", "backends cannot be taken away yet")

    def _encode(self, backend: Backend) -> pb.Backend:
        return encode_backend(backend, self.runner.running_jobs(backend.name))
