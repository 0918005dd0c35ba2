# ruff: noqa: N802  # the names of rpcs are the proto's
"""Settings that remember what was set, and check no values."""

from typing import Any

from imagegen.v1 import settings_pb2
from imagegen.v1.settings_pb2_grpc import SettingsServiceServicer
from tests.client.fake.state import FakeServer
from tests.client.fake.stories import NOW
from tests.client.fake.workflows import CHANGED


class FakeSettings(SettingsServiceServicer):
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self._stored = settings_pb2.Settings()
        self._changes: list[settings_pb2.SettingsChange] = []

    async def GetSettings(self, request: Any, context: Any) -> Any:
        await self._server.enter("GetSettings", request, context)
        return settings_pb2.GetSettingsResponse(**self._state())

    async def UpdateSettings(self, request: Any, context: Any) -> Any:
        await self._server.enter("UpdateSettings", request, context)
        if request.expected_version not in {0, self._version}:
            await CHANGED.raise_in(context)
        before = settings_pb2.Settings()
        before.CopyFrom(self._stored)
        for path in request.update_mask:
            group, _, name = path.partition(".")
            getattr(self._stored, group).ClearField(name) if name else self._stored.ClearField(group)
        self._stored.MergeFrom(request.settings)
        change = settings_pb2.SettingsChange(
            version=self._version + 1,
            time=NOW,
            owner=self._server.owners[-1],
            paths=request.update_mask,
            before=before,
            after=request.settings,
        )
        self._changes.insert(0, change)
        return settings_pb2.UpdateSettingsResponse(**self._state())

    async def ListSettingsChanges(self, request: Any, context: Any) -> Any:
        await self._server.enter("ListSettingsChanges", request, context)
        return settings_pb2.ListSettingsChangesResponse(changes=self._changes[: request.limit or None])

    @property
    def _version(self) -> int:
        return len(self._changes) + 1

    def _state(self) -> dict[str, Any]:
        effective = settings_pb2.Settings(retention=settings_pb2.RetentionSettings(keep_jobs=100))
        effective.MergeFrom(self._stored)
        return {"effective": effective, "stored": self._stored, "version": self._version}
