"""python -m benchmarks.chain: what server and gateway cost between a backend's frame and its watchers.

Everything is measured against a floor that runs at the same time: the ratios are what can be compared between machines.
Takes some three minutes; what each line means is in docs/benchmarks.md.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import pictures
from benchmarks.course import Course, Played, interleaved, our_course, raw_course
from benchmarks.figures import Figure, Spread, percentile, table
from benchmarks.floor import run_file
from benchmarks.pacing import Burst
from benchmarks.processes import helper

ONE = Burst(frames=200, rate_hz=50)
ONE_PREVIEWS = Burst(frames=60, rate_hz=15, payload=pictures.preview())
WATCHERS = 1000
MANY = Burst(frames=20, rate_hz=5)
STALLED = 500
STALLED_PREVIEWS = Burst(frames=200, rate_hz=10, payload=pictures.preview())
FETCHES = 20
"""Per repetition, one after the other over one connection; their median counts."""
MIB = 1024 * 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chain", description="Measures server and gateway.")
    parser.add_argument("--repetitions", type=int, default=5, help="of each measurement (default: 5)")
    repetitions = parser.parse_args().repetitions
    print(f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.2f} at the start", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, our_course(Path(folder)) as ours, raw_course() as raw:
        figures = []
        for figure in measure(ours, raw, repetitions):
            figures.append(figure)
            print(f"  {figure.name}: {figure.ours} {figure.unit}", flush=True)
    print(f"\nMedian (smallest..largest) of {repetitions} repetitions, {time.monotonic() - began:.0f} s in all:\n")
    print(table(figures))


def measure(ours: Course, raw: Course, repetitions: int) -> Iterator[Figure]:
    print("one watcher, progress", flush=True)
    yield from _one_watcher(ours, raw, "progress", ONE, repetitions)
    print("one watcher, previews", flush=True)
    yield from _one_watcher(ours, raw, "preview", ONE_PREVIEWS, repetitions)
    print("a picture of 5 MB", flush=True)
    yield _picture(ours.port, repetitions)
    print(f"{STALLED} stalled watchers", flush=True)
    yield from _stalled_watchers(ours)  # before the crowd, whose memory would be there for the taking
    print(f"{WATCHERS} watchers", flush=True)
    yield _many_watchers(ours, raw, repetitions)


def _one_watcher(ours: Course, raw: Course, kind: str, burst: Burst, repetitions: int) -> Iterator[Figure]:
    """Unloaded: each event arrives at processes that sleep."""
    for course in (ours, raw):
        course.watch(kind, reading=1)
    played = interleaved(ours, raw, burst, repetitions)
    for share, most in ((0.50, 1.0), (0.99, 2.0)):
        values = [_latencies(each, share) for each in played]
        yield Figure(
            name=f"{kind}, frame to SSE, p{share:.0%}".rstrip("%"),
            unit="ms",
            ours=values[0],
            floor=values[1],
            most=most,
        )


def _latencies(played: Sequence[Played], share: float) -> Spread:
    return Spread(tuple(percentile(each.latencies_ms, share) for each in played))


def _many_watchers(ours: Course, raw: Course, repetitions: int) -> Figure:
    for course in (ours, raw):
        course.watch("progress", reading=WATCHERS)
    played = interleaved(ours, raw, MANY, repetitions)
    for each in (*played[0], *played[1]):
        if each.missing or each.delivered < WATCHERS * MANY.frames * 0.99:
            print(f"  note: {each.delivered} events delivered, {each.missing} watchers without the last one")
    costs = [Spread(tuple(each.cpu_us for each in course)) for course in played]
    return Figure(name=f"CPU per event, {WATCHERS} watchers", unit="us", ours=costs[0], floor=costs[1], most_ratio=1.7)


def _picture(port: int, repetitions: int) -> Figure:
    picture = pictures.big_picture()
    with helper(run_file, picture) as raw:
        fetchers = [
            pictures.Fetcher(port, pictures.upload(port, picture)),
            pictures.Fetcher(raw.port, "/"),
        ]
        times: list[list[float]] = [[], []]
        for _ in range(1 + repetitions):
            for fetcher, own in zip(fetchers, times, strict=True):
                own.append(statistics.median(fetcher.fetch_ms(len(picture)) for _ in range(FETCHES)))
    warm = [Spread(tuple(own[1:])) for own in times]
    name = f"picture of {len(picture) / 1e6:.1f} MB"
    return Figure(name=name, unit="ms", ours=warm[0], floor=warm[1], most_ratio=4.5)


def _stalled_watchers(ours: Course) -> Iterator[Figure]:
    """One watcher reads on, the others have stopped: memory when their sockets have filled, and at the end."""
    ours.watch("preview", reading=1)
    ours.play(Burst(frames=20, rate_hz=10, payload=STALLED_PREVIEWS.payload))
    before = ours.resident_bytes() / MIB
    ours.watch("preview", reading=1, stalled=STALLED)
    samples: list[float] = []
    with ThreadPoolExecutor(1) as executor:
        playing = executor.submit(ours.play, STALLED_PREVIEWS)
        while not playing.done():
            samples.append(ours.resident_bytes() / MIB)
            time.sleep(0.5)
        played = playing.result()
    first, last = samples[4:10], samples[-6:]
    growth = statistics.median(last) - statistics.median(first)
    yield Figure(name=f"memory with {STALLED} stalled, after 2..5 s", unit="MiB", ours=Spread(tuple(first)))
    yield Figure(name=f"memory with {STALLED} stalled, after 20 s", unit="MiB", ours=Spread(tuple(last)))
    yield Figure(name="growth between the two", unit="MiB", ours=Spread((growth,)), most=5.0)
    per_watcher = (statistics.median(last) - before) * 1024 / STALLED
    yield Figure(name="memory per stalled watcher", unit="KiB", ours=Spread((per_watcher,)), most=48.0)
    share = played.delivered / STALLED_PREVIEWS.frames * 100
    yield Figure(name="previews that the one who reads got", unit="%", ours=Spread((share,)))


if __name__ == "__main__":
    main()
