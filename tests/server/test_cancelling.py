"""A cancel has one outcome at whatever instant it comes; more of them are in `test_runner` and `test_lifecycle`."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from imagegen.v1 import image_gen_pb2 as pb
from imagegen.v1.job_pb2 import JOB_STATE_CANCELLED
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import ModelLoading, Phase, PhaseChanged
from imagegen_server.assets import AssetStore
from imagegen_server.backend import Backend, Member
from imagegen_server.happenings import CancelRequested
from imagegen_server.jobs import AttemptState, JobState
from imagegen_server.running.attempts import AttemptDriver
from imagegen_server.running.experience import Experience
from imagegen_server.running.orphans import Orphans
from imagegen_server.running.retrying import Limits
from imagegen_server.running.surroundings import Patience, Surroundings
from imagegen_server.scheduling.estimates import Estimator
from imagegen_server.scheduling.work import Work
from imagegen_server.wire.errors import decode_failure
from tests.server.material import a_job
from tests.server.scripted import ScriptedAdapter, ScriptedRun, progressed
from tests.server.serving import kinds, serving, text_to_image
from tests.server.workplace import open_workplace

INSTANTS = {
    "preparing": [PhaseChanged(phase=Phase.PREPARING)],
    "waiting": ["accept", PhaseChanged(phase=Phase.WAITING)],
    "loading a model": ["accept", ModelLoading(model="first")],
    "sampling": ["accept", progressed(2)],
    "saving": ["accept", progressed(4), PhaseChanged(phase=Phase.SAVING), "deliver"],
}


@pytest.mark.parametrize("so_far", INSTANTS.values(), ids=INSTANTS)
async def test_a_running_job_is_stopped_once_at_whatever_it_is(tmp_path: Path, so_far: Sequence[object]) -> None:
    def play(run: ScriptedRun) -> None:
        for update in so_far:
            match update:
                case "accept":
                    run.accept()
                case "deliver":
                    run.deliver()
                case _:
                    run.put(update)

    adapter = ScriptedAdapter(plays=play)
    async with serving(tmp_path, {"one": adapter}) as caller:
        job = await caller.create(text_to_image(count=2))
        run = await adapter.next_run()
        request = pb.CancelJobRequest(job_id=job.job_id)
        await asyncio.gather(caller.jobs.CancelJob(request), caller.jobs.CancelJob(request))
        done = await caller.until_ended(job.job_id)
        await caller.jobs.CancelJob(request)
        events = await caller.events(job.job_id, "earliest")
    assert (done.state, decode_failure(done.error).reason) == (JOB_STATE_CANCELLED, "CANCELLED_BY_CALLER")
    assert (run.cancels, len(done.outputs), len(done.attempts)) == (1, so_far.count("deliver"), 1)
    assert kinds(events).count("completed") == 1


async def test_what_is_cancelled_before_it_was_handed_over_is_not_handed_over(tmp_path: Path) -> None:
    adapter = ScriptedAdapter()
    member = Member(config=BackendConfig(name="one", kind="demo"))
    async with open_workplace(f"sqlite:///{tmp_path / 'imagegen.db'}") as place:
        with ThreadPoolExecutor(1) as executor:
            surroundings = Surroundings(
                ledger=place.ledger,
                hub=place.hub,
                assets=AssetStore(tmp_path / "assets", place.store, max_bytes=1000),
                orphans=Orphans(place.store, [], clock=place.clock),
                experience=Experience(place.store, Estimator()),
                executor=executor,
                clock=place.clock,
                limits=Limits(),
                patience=Patience(),
            )
            job, _ = await place.ledger.create(a_job())
            backend = Backend(member, adapter, clock=place.clock, on_change=lambda: None)
            driver = AttemptDriver(
                job.job_id, "attempt", backend, surroundings, owner="", work=Work(), on_rest=lambda: None
            )
            driver.request_cancel()
            cancel = place.ledger.apply(job.job_id, CancelRequested())
            await asyncio.gather(driver.run_new(job.spec.everything), cancel)
            ended = await place.ledger.get(job.job_id)
    assert (ended.state, ended.attempts[0].state) == (JobState.CANCELLED, AttemptState.CANCELLED)
    assert adapter.runs == []
