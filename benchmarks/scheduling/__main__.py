"""`python -m benchmarks.scheduling [--seed N] [--hours H] [--load NAME]`: exits with 1 where ours is not the best."""

import argparse
import sys
from collections.abc import Sequence

from benchmarks.scheduling.day import FAILURE, FAILURE_S, HOUR_S, LOADS, MACHINES, Load, requests
from benchmarks.scheduling.figures import Figures, Forecast, forecast_rows, misses, policy_rows, table
from benchmarks.scheduling.policies import Fifo, LeastLoaded, Ours, Random
from benchmarks.scheduling.replay import Policy, Replay

FORECAST_EVERY_S = 300.0


def compare(load: Load, *, seed: int, hours: float) -> tuple[list[Figures], list[tuple[str, ...]]]:
    """All policies on the same day, ours first; and how good our forecasts were."""
    asked = requests(load, seed=seed, hours=hours)
    dies = hours * HOUR_S / 2
    ours, forecasts = Ours(), list[Forecast]()

    def foresee(replay: Replay) -> None:
        places = ours.places(replay.waiting, replay.stations, replay.now)
        forecasts.extend(Forecast(job_id, replay.now, place.finish_s) for job_id, place in places.items())

    policies: Sequence[Policy] = (ours, Fifo(), LeastLoaded(), Random(seed))
    figures, rows = list[Figures](), list[tuple[str, ...]]()
    for policy in policies:
        replay = Replay(policy, asked, MACHINES, failure=(FAILURE, dies, dies + FAILURE_S))
        if policy is ours:
            outcome = replay.run(every_s=FORECAST_EVERY_S, inspect=foresee)
            rows = forecast_rows(forecasts, outcome)
        else:
            outcome = replay.run()
        figures.append(Figures.of(policy.name, asked, outcome))
    return figures, rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scheduling", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--load", choices=[load.name for load in LOADS], help="only this one")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.hours:g} h")
    has_missed = False
    for load in LOADS:
        if arguments.load not in {None, load.name}:
            continue
        figures, forecasts = compare(load, seed=arguments.seed, hours=arguments.hours)
        print(f"\n{load.name}\n\n{table(*policy_rows(figures))}\n")
        print(table(("end foreseen", "forecasts", "median error", "p90", "absent"), forecasts))
        for miss in misses(figures[0], figures[1:]):
            has_missed = True
            print(f"MISSED: {miss}")
    return int(has_missed)


if __name__ == "__main__":
    sys.exit(main())
