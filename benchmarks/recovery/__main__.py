"""python -m benchmarks.recovery [--rounds 10] [--silent-rounds 3]: how long people wait when something dies.

Real processes on this machine: server, gateway and two fake ComfyUI. What each line means is in docs/benchmarks.md.
"""

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# gRPC writes its own lines when a server goes away.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from benchmarks.figures import grid, percentile
from benchmarks.recovery.rounds import (
    Times,
    backend_dies,
    backend_goes_silent,
    bare_process_starts,
    server_dies,
)
from benchmarks.recovery.stage import open_stage
from imagegen_adapters.comfyui.client import Timing

HEADINGS = ("from … to …", "median", "p95", "worst", "floor", "rounds")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table, in seconds."""

    name: str
    values: Sequence[float]
    floor_s: float | None = None

    @property
    def cells(self) -> tuple[str, ...]:
        shown = (statistics.median(self.values), percentile(self.values, 0.95), max(self.values), self.floor_s)
        texts = ("" if seconds is None else f"{seconds:.2f} s" for seconds in shown)
        return self.name, *texts, str(len(self.values))


async def measure(folder: Path, rounds: int, silent_rounds: int) -> list[Line]:
    async with open_stage(folder) as stage:
        floors = await _repeat("floor", rounds, bare_process_starts)
        restarts = await _repeat("kill -9 of the server", rounds, lambda: server_dies(stage))
        deaths = await _repeat("kill -9 of a backend", rounds, lambda: backend_dies(stage))
        silences = await _repeat("SIGSTOP of a backend", silent_rounds, lambda: backend_goes_silent(stage))
    return lines(floors=floors, restarts=restarts, deaths=deaths, silences=silences)


def lines(
    *, floors: Sequence[Times], restarts: Sequence[Times], deaths: Sequence[Times], silences: Sequence[Times]
) -> list[Line]:
    """Floors: of a start, a process that only listens; of a move, the patience of the adapter, and a hand-over."""
    timing = Timing()
    start_s = _median(floors, "ready")
    hand_over_s = _median([*deaths, *silences], "hand-over")
    died, silent = "a backend's death", "a backend's silence"
    return [
        Line("server: start to ready", _all(restarts, "ready"), start_s),
        Line("server's death to progress over gRPC", _all(restarts, "gRPC"), start_s),
        Line("server's death to progress over SSE", _all(restarts, "SSE"), start_s),
        Line(f"{died} to its being taken out", _all(deaths, "taken out")),
        Line(f"{died} to the end of the attempt", _all(deaths, "given up"), timing.refused_s),
        Line(f"{died} to progress elsewhere", _all(deaths, "elsewhere"), timing.refused_s + hand_over_s),
        Line(f"{silent} to its being taken out", _all(silences, "taken out")),
        Line(f"{silent} to the end of the attempt", _all(silences, "given up"), timing.unreachable_s),
        Line(f"{silent} to progress elsewhere", _all(silences, "elsewhere"), timing.unreachable_s + hand_over_s),
    ]


async def _repeat(name: str, rounds: int, measure_one: Callable[[], Awaitable[Times]]) -> list[Times]:
    measured = []
    for number in range(1, rounds + 1):
        measured.append(await measure_one())
        shown = ", ".join(f"{what} {seconds:.2f} s" for what, seconds in measured[-1].items())
        print(f"  {name}, round {number}: {shown}", flush=True)
    return measured


def _all(measured: Sequence[Times], name: str) -> list[float]:
    return [times[name] for times in measured]


def _median(measured: Sequence[Times], name: str) -> float:
    return statistics.median(_all(measured, name))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recovery", description="Measures recovery.")
    parser.add_argument("--rounds", type=int, default=10, help="of each measurement (default: 10)")
    parser.add_argument("--silent-rounds", type=int, default=3, help="of the slow one (default: 3)")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.2f} at the start", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        measured = asyncio.run(measure(Path(folder) / "data", options.rounds, options.silent_rounds))
    print(f"\n{time.monotonic() - began:.0f} s in all:\n")
    print(grid([HEADINGS, *(line.cells for line in measured)]))


if __name__ == "__main__":
    main()
