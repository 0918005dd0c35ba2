"""Settings as layers, and back."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from google.protobuf.message import Message

from imagegen.v1 import job_pb2
from imagegen.v1 import settings_pb2 as pb
from imagegen_server.settings.layers import Layer
from imagegen_server.settings.runtime import Change, State
from imagegen_server.wire.scalars import to_timestamp

_MODES: Final = {"on": job_pb2.PREVIEW_MODE_ON, "off": job_pb2.PREVIEW_MODE_OFF}
_MODE_NAMES = {value: name for name, value in _MODES.items()}
_FORMATS: Final = {"jpeg": job_pb2.PREVIEW_FORMAT_JPEG, "webp": job_pb2.PREVIEW_FORMAT_WEBP}
_FORMAT_NAMES = {value: name for name, value in _FORMATS.items()}


def decode_layer(settings: pb.Settings) -> Layer:
    """What is set. Empty texts say nothing: where one is given, nothing is set."""
    fields = {path: _DECODE.get(path, _same)(value) for path, value in _fields(settings)}
    return {path: value for path, value in fields.items() if value != ""}


def given_paths(settings: pb.Settings) -> frozenset[str]:
    """The fields that are given, empty texts included."""
    return frozenset(path for path, _ in _fields(settings))


def encode_layer(layer: Layer) -> pb.Settings:
    settings = pb.Settings()
    for path, value in layer.items():
        group, name = path.split(".")
        message = getattr(settings, group)
        encoded = _ENCODE.get(path, _same)(value)
        if isinstance(encoded, Message):
            getattr(message, name).CopyFrom(encoded)  # sets it also where it has no entries
        else:
            setattr(message, name, encoded)
    return settings


def encode_state(state: State) -> pb.GetSettingsResponse:
    return pb.GetSettingsResponse(
        effective=encode_layer(state.effective), stored=encode_layer(state.stored), version=state.version
    )


def encode_change(change: Change) -> pb.SettingsChange:
    return pb.SettingsChange(
        version=change.version,
        time=to_timestamp(change.time),
        owner=change.owner,
        paths=change.paths,
        before=encode_layer(change.before),
        after=encode_layer(change.after),
    )


def _fields(settings: pb.Settings) -> Iterator[tuple[str, Any]]:
    for group, message in settings.ListFields():
        for field, value in message.ListFields():
            yield f"{group.name}.{field.name}", value


def _same(value: Any) -> Any:
    return value


def _decode_patterns(value: pb.PatternList) -> list[str]:
    return list(value.patterns)


def _encode_patterns(patterns: list[str]) -> pb.PatternList:
    return pb.PatternList(patterns=patterns)


def _decode_owners(value: pb.OwnerQuotas) -> dict[str, dict[str, Any]]:
    return {
        owner: {
            "weight": quota.weight or 1.0,
            "max_queued_jobs": quota.max_queued_jobs,
            "max_running_jobs": quota.max_running_jobs,
        }
        for owner, quota in sorted(value.owners.items())
    }


def _encode_owners(owners: Mapping[str, Mapping[str, Any]]) -> pb.OwnerQuotas:
    return pb.OwnerQuotas(owners={owner: pb.OwnerQuota(**quota) for owner, quota in owners.items()})


# Whatever is a scalar in the proto is the same in a layer.
_DECODE: Mapping[str, Callable[[Any], Any]] = {
    "preview.mode": _MODE_NAMES.__getitem__,
    "preview.format": _FORMAT_NAMES.__getitem__,
    "quotas.owners": _decode_owners,
    "exposure.models": _decode_patterns,
    "exposure.workflows": _decode_patterns,
}
_ENCODE: Mapping[str, Callable[[Any], Any]] = {
    "preview.mode": _MODES.__getitem__,
    "preview.format": _FORMATS.__getitem__,
    "quotas.owners": _encode_owners,
    "exposure.models": _encode_patterns,
    "exposure.workflows": _encode_patterns,
}
