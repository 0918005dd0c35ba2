"""How the fake misbehaves. Fields are set by tests, or by POST /_fake/faults with the same names."""

from dataclasses import dataclass, fields
from typing import Any


@dataclass(slots=True, kw_only=True)
class Faults:
    is_silent: bool = False
    """No request is answered any more, on connections that stay open."""
    keeps_job_answers: bool = False
    """Jobs run and are never answered; everything else is."""
    is_out_of_memory: bool = False
    """The next job runs out of memory in the middle. Once."""
    is_memory_full: bool = False
    """Every job runs out of memory in the middle, until the model was unloaded."""
    gives_nan: bool = False
    """The next job ends in NaNs. Once."""
    breaks_gpu: bool = False
    """The next job ends in an illegal memory access. Once."""
    sends_garbage: bool = False
    """Every answer is cut JSON."""
    answer_delay_s: float = 0.0
    """Every answer waits so long."""
    ignores_interrupts: bool = False
    """Interrupts are answered and do nothing."""
    loses_images: bool = False
    """The next job is answered without images. Once."""

    def set(self, values: dict[str, Any]) -> None:
        """Raises ValueError for a field that does not exist."""
        names = {field.name for field in fields(self)}
        for name, value in values.items():
            if name not in names:
                raise ValueError(f"no such fault {name!r}; allowed: {', '.join(sorted(names))}")
            setattr(self, name, value)

    def take(self, name: str) -> bool:
        """Whether a fault that happens once is due; it is not any more afterwards."""
        is_due = bool(getattr(self, name))
        setattr(self, name, False)
        return is_due
