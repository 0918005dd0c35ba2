"""How the fake misbehaves."""

from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class Faults:
    """Switches, read whenever they matter. Drops and restarts are methods of the server."""

    silent: bool = False
    """Nothing is sent over websockets any more."""
    vanished: bool = False
    """Nothing is sent or answered at all any more, on connections that are taken and stay open."""
    memory_full: bool = False
    """Every sampler runs out of memory, until POST /free."""
    duplicate_frames: bool = False
    early_frames: bool = False
    """A prompt is answered only when its first node is at work."""
    garbage_frames: str = ""
    """ "beside": garbage before every frame; "instead": in place of it."""
    garbage_paths: set[str] = field(default_factory=set)
    """First segments of paths, as "queue", that answer HTML."""
    failing_posts: int = 0
    """So many prompts are queued, and yet answered 500."""
    lost_posts: int = 0
    """So many prompts are queued, and their connection is closed without an answer."""
    fail_next: str = ""
    """What the next sampler raises: "oom", "gpu" or "node"."""
    evict_history: bool = False
    """What ends is forgotten at once."""
    slowness_s: float = 0.0
    """Before every answer."""
    ignore_interrupt: bool = False
    late_goodbye_s: float = 0.0
    """The server notices the end of a socket so much later."""
    lost_files: bool = False
    """/view has none of the results."""
    proxy_status: int = 0
    """Everything answers this, as a proxy does whose server is away."""
    max_request_bytes: int = 0
    """Larger requests are answered 413; 0: no limit."""
    needs_login: bool = False
    """Everything answers 401."""
