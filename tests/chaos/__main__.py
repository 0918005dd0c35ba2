"""python -m tests.chaos [--seed N] [--jobs 300] [--seconds 120]

Starts real processes, hands jobs in, and kills, stops, cuts and silences everything on the way. Ends with a list of
what went wrong: none is what is wanted. The same seed makes the same jobs and disturbances.
"""

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

# gRPC writes its own lines when a server goes away, which is what happens here all the time.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

from tests.chaos.checks import violations
from tests.chaos.making import make_plan
from tests.chaos.report import summary
from tests.chaos.run import run_chaos

SECONDS_PER_TROUBLE = 3.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="default: a new one, which is printed")
    parser.add_argument("--jobs", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long jobs are handed in and things break")
    parser.add_argument("--settle-seconds", type=float, default=60.0, help="how long the last jobs may take after it")
    options = parser.parse_args()
    seed = random.randrange(10**6) if options.seed is None else options.seed
    troubles = max(1, int(options.seconds / SECONDS_PER_TROUBLE))
    plan = make_plan(seed, jobs=options.jobs, troubles=troubles, seconds=options.seconds)
    print(f"seed {seed}: {options.jobs} jobs, {troubles} disturbances in {options.seconds:.0f} s", flush=True)
    folder = Path(tempfile.mkdtemp(prefix="imagegen-chaos-"))
    evidence = asyncio.run(run_chaos(plan, folder / "data", settle_s=options.settle_seconds, tell=print))
    print(summary(evidence))
    found = violations(evidence)
    if not found:
        shutil.rmtree(folder)
        print(f"seed {seed}: nothing went wrong")
        return 0
    for name, lines in evidence.lines.items():
        (folder / f"{name}.log").write_text("\n".join(lines) + "\n")
    print(f"seed {seed}: {len(found)} violations; the logs and the data are in {folder}")
    for each in found:
        print(f"- {each}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
