"""What a run starts: three backends, a server and a gateway."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.chaos.plan import BACKENDS, DUMPER_RUNS, DUMPER_WAITS, Owner
from tests.e2e.programs import Program, fake_program, gateway_program, running, server_program

_LIMITS = {Owner.DUMPER: {"max_queued_jobs": DUMPER_WAITS, "max_running_jobs": DUMPER_RUNS}}


@asynccontextmanager
async def running_programs(folder: Path, *, has_task_ids: bool) -> AsyncIterator[dict[str, Program]]:
    """All of them, by name."""
    new, old, other = (
        fake_program(BACKENDS[0], "comfyui", "--version", "0.3.64"),
        fake_program(BACKENDS[1], "comfyui", "--version", "0.3.12"),
        fake_program(BACKENDS[2], "a1111", "--load-seconds", "0.3", *([] if has_task_ids else ["--nowebui"])),
    )
    backends = [
        {"name": fake.name, "kind": kind, "url": fake.address, "options": {"patience_s": "5"}}
        for fake, kind in ((new, "comfyui"), (old, "comfyui"), (other, "a1111"))
    ]
    server = server_program(
        folder,
        backends,
        IMAGEGEN_OWNERS=json.dumps(_LIMITS),
        # So often is nothing tried in real life: here every job must get through, whatever befalls it.
        IMAGEGEN_MAX_ATTEMPTS="100",
        IMAGEGEN_MAX_TAKEDOWNS="100",
    )
    programs = [new, old, other, server, gateway_program(server)]
    async with running(*programs):
        yield {program.name: program for program in programs}
