"""What counts now of all that can be set while everything runs. Pure."""

from dataclasses import dataclass

from imagegen_server.jobs import PreviewOptions
from imagegen_server.quotas import Quotas
from imagegen_server.retention import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationDefaults:
    """What requests get that leave it open. Empty, or None: nothing was set."""

    workflow_id: str = "text-to-image"
    """What pages and the command line begin with."""
    model: str = ""
    negative_prompt: str = ""
    width: int | None = None
    height: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    sampler: str = ""
    scheduler: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What chats and OpenAI clients can choose as models: patterns with `*` and `?`."""

    models: tuple[str, ...] = ("*",)
    workflows: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of it, as one value: whoever holds it sees no change halfway."""

    defaults: GenerationDefaults
    preview: PreviewOptions
    """Of jobs that do not say."""
    retention: Policy
    quotas: Quotas
    exposure: Exposure
