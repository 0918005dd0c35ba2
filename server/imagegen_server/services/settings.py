"""SettingsService."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from imagegen.v1 import settings_pb2 as pb
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_server.errors import invalid
from imagegen_server.fleet import Fleet
from imagegen_server.services.owners import OWNER_RULE, is_owner, owner_of
from imagegen_server.services.rpc import Context
from imagegen_server.settings.layers import Layer, UnknownPath, paths_of
from imagegen_server.settings.runtime import RuntimeSettings
from imagegen_server.wire.settings import decode_layer, encode_change, encode_layer, encode_state, given_paths
from imagegen_server.workflows.allowances import LISTS, names_in
from imagegen_server.workflows.library import Library

DEFAULT_CHANGES: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingsService:
    settings: RuntimeSettings
    fleet: Fleet
    library: Library

    async def get_settings(self, _request: pb.GetSettingsRequest, _: Context) -> pb.GetSettingsResponse:
        return encode_state(self.settings.state)

    async def update_settings(self, request: pb.UpdateSettingsRequest, context: Context) -> pb.UpdateSettingsResponse:
        owner = owner_of(context)
        paths = _masked(request.update_mask) if request.update_mask else given_paths(request.settings)
        given = {path: value for path, value in decode_layer(request.settings).items() if path in paths}
        await self._check(given)
        state = await self.settings.update(given, paths, expected_version=request.expected_version, owner=owner)
        return pb.UpdateSettingsResponse(
            effective=encode_layer(state.effective), stored=encode_layer(state.stored), version=state.version
        )

    async def list_settings_changes(
        self, request: pb.ListSettingsChangesRequest, _: Context
    ) -> pb.ListSettingsChangesResponse:
        changes = await self.settings.changes(limit=request.limit or DEFAULT_CHANGES)
        return pb.ListSettingsChangesResponse(changes=[encode_change(change) for change in changes])

    async def _check(self, given: Layer) -> None:
        """Whether there is what they name. Refused: INVALID_REQUEST, WORKFLOW_NOT_FOUND."""
        violations = [*_owner_violations(given), *_name_violations(given, self.fleet)]
        if violations:
            raise invalid(violations)
        if "defaults.workflow_id" in given:
            await self.library.get(given["defaults.workflow_id"], field="settings.defaults.workflow_id")


def _masked(mask: Iterable[str]) -> frozenset[str]:
    """The fields that the mask names. Refused: INVALID_REQUEST."""
    paths, violations = set[str](), []
    for index, path in enumerate(mask):
        try:
            paths |= paths_of(path)
        except UnknownPath as error:
            violations.append(Violation(f"update_mask[{index}]", str(error)))
    if violations:
        raise invalid(violations)
    return frozenset(paths)


def _owner_violations(given: Layer) -> Iterator[Violation]:
    for owner in given.get("quotas.owners", {}):
        if not is_owner(owner):
            yield Violation(f'settings.quotas.owners.owners["{owner}"]', f"key {OWNER_RULE}, as owners are called")


def _name_violations(given: Layer, fleet: Fleet) -> Iterator[Violation]:
    """Names that no backend has. One that has not told what it has may have any."""
    catalogs = [backend.health.catalog for backend in fleet]
    known = [catalog for catalog in catalogs if catalog is not None]
    if len(known) < len(catalogs):
        return
    for name, lists in LISTS.items():
        path = f"defaults.{name}"
        names = names_in(lists, known)
        if path in given and given[path] not in names:
            yield Violation(f"settings.{path}", unknown_name(name, given[path], names))
