"""BackendService."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from imagegen.v1 import backend_pb2 as pb
from imagegen_adapters.errors import Unauthenticated, Unintelligible, Unreachable
from imagegen_adapters.recognition import find_kind
from imagegen_adapters.registry import KINDS
from imagegen_server.backend import Backend
from imagegen_server.config import BackendSettings, is_http
from imagegen_server.errors import Refused, bad_field
from imagegen_server.fleet import Fleet
from imagegen_server.membership import Membership
from imagegen_server.running.runner import Runner
from imagegen_server.services.present import Present
from imagegen_server.services.rpc import Context

PATIENCE_S: Final = 15.0
"""How long a caller waits for a backend's first answer; one that reads long lists may take longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendService:
    fleet: Fleet
    runner: Runner
    membership: Membership
    allows_changes: bool
    present: Present
    server_id: str

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

    async def create_backend(self, request: pb.CreateBackendRequest, _: Context) -> pb.CreateBackendResponse:
        self._refuse_if_fixed()
        wanted = await self._wanted(request)
        if request.validate_only:
            async with self.membership.trying(wanted) as backend:
                return await self._answered(backend)
        return await self._answered(await self.membership.add(wanted))

    async def delete_backend(self, request: pb.DeleteBackendRequest, _: Context) -> pb.DeleteBackendResponse:
        self._refuse_if_fixed()
        await self.membership.remove(request.name)
        return pb.DeleteBackendResponse()

    async def _answered(self, backend: Backend) -> pb.CreateBackendResponse:
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await backend.was_asked()
        return pb.CreateBackendResponse(backend=self.present.backend(backend))

    def _refuse_if_fixed(self) -> None:
        if not self.allows_changes:
            message = "backends cannot be changed here: the setting allow_backend_changes is off"
            raise Refused("BACKENDS_ARE_FIXED", message)

    async def _wanted(self, request: pb.CreateBackendRequest) -> BackendSettings:
        """Refused: INVALID_REQUEST, BACKEND_UNREACHABLE."""
        kind, url = request.kind, request.url.strip()
        if kind and kind not in KINDS:
            raise bad_field("INVALID_REQUEST", "kind", f"must be one of {', '.join(KINDS)}, or empty to find it out")
        if kind == "demo" and url:
            raise bad_field("INVALID_REQUEST", "url", "the demo is built in and has no address")
        if kind != "demo" and not is_http(url):
            raise bad_field("INVALID_REQUEST", "url", "must be an address like http://127.0.0.1:8188")
        # As a browser has it, with what a page puts behind it: "/?__theme=dark", "/#".
        url = urlsplit(url)._replace(query="", fragment="").geturl()
        return BackendSettings(
            name=request.name,
            kind=kind or await self._found_kind(url),
            url=url,
            labels=dict(request.labels),
            max_concurrent_jobs=request.max_concurrent_jobs,
        )

    async def _found_kind(self, url: str) -> str:
        try:
            return await find_kind(url, via=self.server_id)
        except Unreachable as error:
            raise Refused("BACKEND_UNREACHABLE", str(error)) from error
        except (Unauthenticated, Unintelligible) as error:
            raise bad_field("INVALID_REQUEST", "url", str(error)) from error
        except ValueError as error:
            raise bad_field("INVALID_REQUEST", "url", "is no address that can be used") from error
