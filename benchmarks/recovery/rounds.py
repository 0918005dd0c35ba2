"""What is measured: each function is one round, and gives times in seconds by name."""

import asyncio
import time
from collections.abc import Mapping

from benchmarks.recovery.stage import RunningJob, Stage
from tests.e2e.programs import Program

Times = Mapping[str, float]

_ON_THE_WAY_S = 0.1
"""So long after the end of a process what it sent last may still arrive."""


async def backend_dies(stage: Stage) -> Times:
    """kill -9: nothing listens there any more."""
    async with stage.running_job() as job:
        begin = time.monotonic()
        await job.backend.kill()
        times = await _until_it_runs_elsewhere(stage, job, begin)
        await job.backend.start()
    # A backend that dies again and again is kept out for longer each time, unless the server has forgotten it.
    await stage.server.stop()
    await stage.server.start()
    return times


async def backend_goes_silent(stage: Stage) -> Times:
    """SIGSTOP: it is connected, and says nothing."""
    async with stage.running_job() as job:
        begin = time.monotonic()
        with job.backend.silenced():
            return await _until_it_runs_elsewhere(stage, job, begin)


async def server_dies(stage: Stage) -> Times:
    """kill -9 of the server, and a new start at once."""
    async with stage.running_job() as job:
        begin = time.monotonic()
        await stage.server.kill()
        killed = time.monotonic()
        await stage.server.start()
        ready = time.monotonic()
        over_grpc, over_sse = await asyncio.gather(
            job.over_grpc.first("progress", after=killed + _ON_THE_WAY_S),
            job.over_sse.first("progress", after=killed + _ON_THE_WAY_S),
        )
    return {"ready": ready - killed, "gRPC": over_grpc.at - begin, "SSE": over_sse.at - begin}


async def bare_process_starts() -> Times:
    """The floor of a start: Python, gRPC, and a port that is open."""
    program = Program("floor", "benchmarks.recovery.listener", ready="listens")
    begin = time.monotonic()
    await program.start()
    ready = time.monotonic()
    await program.kill()
    return {"ready": ready - begin}


async def _until_it_runs_elsewhere(stage: Stage, job: RunningJob, begin: float) -> Times:
    taken_out = await stage.until_taken_out(job.backend)
    given_up = await job.over_grpc.first("attempt_failed", after=begin)
    elsewhere = await job.over_grpc.first("progress", after=begin, attempt=2)
    return {
        "taken out": taken_out - begin,
        "given up": given_up.at - begin,
        "elsewhere": elsewhere.at - begin,
        "hand-over": job.handed_over_s,
    }
