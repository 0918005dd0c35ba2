"""What an adapter is told about its backend."""

from dataclasses import dataclass, field
from typing import Final

VIA: Final = "Imagegen-Via"
"""A header of every request to a backend: who drives it. One that is this very server in disguise answers LOOPS."""
LOOPS: Final = 508


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendConfig:
    """One backend, as configured."""

    name: str
    """Unique; lower-case letters, digits and hyphens."""
    kind: str
    """ "comfyui", "a1111" or "demo"."""
    via: str = ""
    """What is sent as VIA; empty: nothing."""
    url: str = ""
    """Base address, "http://host:port[/prefix]"; user and password for A1111's basic auth may be in it."""
    options: dict[str, str] = field(default_factory=dict)
    """Of the kind.

    demo: "speed", a factor, 0.001..1000, default 1. comfyui: "client_id" of the websocket, so that an attempt of an
    earlier process still sends its frames here. a1111: "preview_every_n_steps", 0..500, for our own jobs; without it
    the server's setting holds. comfyui and a1111: "patience_s", 5..3600, default 30: after so long a silence an attempt
    is given up.
    """

    @property
    def headers(self) -> dict[str, str]:
        """For every request."""
        return {VIA: self.via} if self.via else {}
