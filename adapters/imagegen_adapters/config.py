"""What an adapter is told about its backend."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendConfig:
    """One backend, as configured."""

    name: str
    """Unique; lower-case letters, digits and hyphens."""
    kind: str
    """ "comfyui", "a1111" or "demo"."""
    url: str = ""
    """Base address, "http://host:port[/prefix]"; user and password for A1111's basic auth may be in it."""
    options: dict[str, str] = field(default_factory=dict)
    """Of the kind.

    demo: "speed", a factor, 0.001..1000, default 1. comfyui: "client_id" of the websocket, so that an attempt of an
    earlier process still sends its frames here. a1111: "preview_every_n_steps", 0..500, for our own jobs; without it
    the server's setting holds. comfyui and a1111: "patience_s", 5..3600, default 30: after so long a silence an attempt
    is given up.
    """
