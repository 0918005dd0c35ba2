"""The calls of SettingsService."""

from collections.abc import Sequence

from imagegen.v1.settings_pb2 import (
    GetSettingsRequest,
    GetSettingsResponse,
    ListSettingsChangesRequest,
    Settings,
    SettingsChange,
    UpdateSettingsRequest,
    UpdateSettingsResponse,
)
from imagegen_client.calls.connection import Connection


class SettingsCalls(Connection):
    """What can be set while everything runs."""

    async def settings(self) -> GetSettingsResponse:
        """What counts now, and what of it was set here."""
        return await self._call(self._settings.GetSettings, GetSettingsRequest())

    async def update_settings(
        self, settings: Settings, *, update_mask: Sequence[str] = (), expected_version: int = 0
    ) -> UpdateSettingsResponse:
        """Sets what the mask names; what it names and `settings` does not give is again as the file says.

        Without a mask: what `settings` gives. Raises NotPossible when `expected_version` is not the newest any more.
        """
        request = UpdateSettingsRequest(settings=settings, update_mask=update_mask, expected_version=expected_version)
        return await self._call(self._settings.UpdateSettings, request)

    async def settings_changes(self, *, limit: int = 0) -> list[SettingsChange]:
        """Who set what to what, newest first; 0: the newest 50."""
        request = ListSettingsChangesRequest(limit=limit)
        return list((await self._call(self._settings.ListSettingsChanges, request)).changes)
