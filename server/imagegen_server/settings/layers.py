"""The layers of settings: what was stored goes before `imagegen.toml` and the environment, these before the built-in.

A layer is a mapping of what it sets: the path of a field, as "defaults.steps", to its value as JSON has it. The same
paths stand in the proto, and a test compares both. Pure.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias

from imagegen_server.config import OwnerSettings, ServerSettings
from imagegen_server.jobs import PreviewOptions
from imagegen_server.quotas import Quotas
from imagegen_server.retention import Policy
from imagegen_server.settings.model import Exposure, GenerationDefaults, Settings

Layer: TypeAlias = Mapping[str, Any]

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "defaults": (
        "workflow_id",
        "model",
        "negative_prompt",
        "width",
        "height",
        "steps",
        "cfg_scale",
        "sampler",
        "scheduler",
    ),
    "preview": ("mode", "max_rate_hz", "max_pixels", "format", "quality"),
    "retention": (
        "keep_jobs",
        "keep_jobs_days",
        "keep_events_hours",
        "keep_assets_days",
        "keep_assets_bytes",
        "keep_deleted_hours",
    ),
    "quotas": ("max_queued_jobs", "owners"),
    "exposure": ("models", "workflows"),
}
"""What can be set: fields by their group."""
PATHS: Final = tuple(f"{group}.{name}" for group, names in GROUPS.items() for name in names)

_DEFAULTS, _PREVIEW, _EXPOSURE = GenerationDefaults(), PreviewOptions(), Exposure()
BUILT_IN: Final[Layer] = {
    "defaults.workflow_id": _DEFAULTS.workflow_id,
    "preview.mode": "on",
    "preview.max_rate_hz": _PREVIEW.max_rate_hz,
    "preview.quality": _PREVIEW.quality,
    "exposure.models": list(_EXPOSURE.models),
    "exposure.workflows": list(_EXPOSURE.workflows),
}
_DAY_S, _HOUR_S = 86_400, 3600
_LONGEST_PATH: Final = 64
"""Of what is shown again of a path that there is not."""


class UnknownPath(Exception):
    """A mask names what there is not. `str()` says what there is."""


def layer_of(settings: ServerSettings) -> Layer:
    """What `imagegen.toml` and the environment set."""
    return {
        **{f"retention.{name}": getattr(settings, name) for name in GROUPS["retention"]},
        "quotas.max_queued_jobs": settings.max_queued_jobs,
        "quotas.owners": {owner: may.model_dump() for owner, may in settings.owners.items()},
    }


def paths_of(path: str) -> frozenset[str]:
    """The fields that an entry of a mask names: one, or those of a group. Raises UnknownPath."""
    if path in GROUPS:
        return frozenset(f"{path}.{name}" for name in GROUPS[path])
    if path not in PATHS:
        raise UnknownPath(_unknown(path))
    return frozenset({path})


def changed(stored: Layer, given: Layer, paths: Iterable[str]) -> Layer:
    """The stored layer after a change of these paths: what is not given is no longer set."""
    named = set(paths)
    rest = {path: value for path, value in stored.items() if path not in named}
    return rest | {path: value for path, value in given.items() if path in named}


def effective(*layers: Layer) -> Layer:
    """What counts, with the lowest layer first."""
    return {path: layer[path] for layer in layers for path in PATHS if path in layer}


def settings_of(values: Layer) -> Settings:
    """The value that an effective layer stands for."""
    return Settings(
        defaults=GenerationDefaults(**_group(values, "defaults")),
        preview=_preview(_group(values, "preview")),
        retention=_policy(_group(values, "retention")),
        quotas=_quotas(_group(values, "quotas")),
        exposure=Exposure(**{name: tuple(patterns) for name, patterns in _group(values, "exposure").items()}),
    )


def _unknown(path: str) -> str:
    path = path[:_LONGEST_PATH]
    near = difflib.get_close_matches(path, [*GROUPS, *PATHS], n=3, cutoff=0.5)
    group = path.partition(".")[0]
    allowed = [each for each in PATHS if each.startswith(f"{group}.")] or GROUPS
    meant = f"; did you mean {' or '.join(near)}?" if near else ";"
    return f"there is no setting {path!r}{meant} allowed: {', '.join(allowed)}"


def _group(values: Layer, group: str) -> dict[str, Any]:
    return {name: values[f"{group}.{name}"] for name in GROUPS[group] if f"{group}.{name}" in values}


def _preview(values: Mapping[str, Any]) -> PreviewOptions:
    rest = {name: value for name, value in values.items() if name != "mode"}
    return PreviewOptions(enabled=values["mode"] == "on", **rest)


def _policy(values: Mapping[str, Any]) -> Policy:
    return Policy(
        keep_jobs=values["keep_jobs"],
        keep_jobs_s=values["keep_jobs_days"] * _DAY_S,
        keep_events_s=values["keep_events_hours"] * _HOUR_S,
        keep_assets_s=values["keep_assets_days"] * _DAY_S,
        keep_assets_bytes=values["keep_assets_bytes"],
        keep_deleted_s=values["keep_deleted_hours"] * _HOUR_S,
    )


def _quotas(values: Mapping[str, Any]) -> Quotas:
    owners = {owner: OwnerSettings(**may) for owner, may in values["owners"].items()}
    return Quotas(max_queued_jobs=values["max_queued_jobs"], owners=owners)
