"""What differs between ComfyUI versions, as far as the fake shows it."""

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One version's behaviour, as recorded."""

    version: str
    reported_version: str | None
    """`comfyui_version` in /system_stats; None: the field is absent."""
    tells_argv: bool = True
    tells_success: bool = True
    """`execution_success` exists, and events carry timestamps."""
    has_display_nodes: bool = True
    shows_cached_outputs: bool = True
    """`executed` is sent for cached output nodes."""
    has_progress_state: bool = True
    """progress_state, feature_flags, event 4, /features."""
    takes_prompt_id: bool = True
    needs_uuid: bool = False
    honours_interrupt_id: bool = True
    no_errors: Any = None
    """`node_errors` of an invalid prompt without any."""
    has_models: bool = True
    has_jobs_api: bool = False
    takes_preview_method: bool = False
    has_missing_node_type: bool = False
    """An unknown class is reported as `missing_node_type`."""


_V0_3_64 = Profile(version="0.3.64", reported_version="0.3.64", no_errors={})
_V0_3_44 = replace(
    _V0_3_64,
    version="0.3.44",
    reported_version="0.3.44",
    has_progress_state=False,
    takes_prompt_id=False,
    honours_interrupt_id=False,
)
_V0_3_12 = replace(_V0_3_44, version="0.3.12", reported_version="0.3.12", no_errors=[])
_V2024_09 = replace(_V0_3_12, version="2024-09-30", reported_version="unknown")
_V2024_07 = replace(
    _V2024_09,
    version="2024-07-20",
    reported_version=None,
    tells_argv=False,
    tells_success=False,
    has_display_nodes=False,
    shows_cached_outputs=False,
    has_models=False,
)
# Read in its source, never run.
_V0_38 = replace(
    _V0_3_64,
    version="0.38.1",
    reported_version="0.38.1",
    needs_uuid=True,
    has_jobs_api=True,
    takes_preview_method=True,
    has_missing_node_type=True,
)

PROFILES = {profile.version: profile for profile in (_V2024_07, _V2024_09, _V0_3_12, _V0_3_44, _V0_3_64, _V0_38)}
