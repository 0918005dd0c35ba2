"""Reads what several kinds of backend have among their options. Raises ValueError for what makes no sense."""

from imagegen_adapters.config import BackendConfig

PATIENCE = "patience_s"


def check_names(config: BackendConfig, *allowed: str) -> None:
    unknown = config.options.keys() - set(allowed)
    if unknown:
        allowed_names = ", ".join(sorted(allowed))
        raise ValueError(f"backend {config.name!r}: unknown option {min(unknown)!r}; allowed: {allowed_names}")


def read_patience(config: BackendConfig, default_s: float) -> float:
    """How long the backend may be silent before an attempt there is given up, in seconds."""
    text = config.options.get(PATIENCE)
    if text is None:
        return default_s
    if not text.isdecimal() or not 5 <= int(text) <= 3600:
        raise ValueError(f"backend {config.name!r}: option {PATIENCE!r} must be a whole number from 5 to 3600")
    return float(text)
