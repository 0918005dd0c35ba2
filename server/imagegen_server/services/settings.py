"""SettingsService."""

from dataclasses import dataclass

from imagegen.v1 import settings_pb2 as pb
from imagegen_server.services.rpc import Context


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsService:
    async def get_settings(self, request: pb.GetSettingsRequest, _: Context) -> pb.GetSettingsResponse:
        raise NotImplementedError

    async def update_settings(self, request: pb.UpdateSettingsRequest, context: Context) -> pb.UpdateSettingsResponse:
        raise NotImplementedError

    async def list_settings_changes(
        self, request: pb.ListSettingsChangesRequest, _: Context
    ) -> pb.ListSettingsChangesResponse:
        raise NotImplementedError
