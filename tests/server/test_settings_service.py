"""SettingsService over a real socket, and what a change of settings does to everything else, without a restart."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

import grpc
import pytest

from imagegen.v1 import image_gen_pb2, job_pb2
from imagegen.v1 import settings_pb2 as pb
from imagegen.v1.queue_pb2 import GetQueueRequest
from imagegen_adapters.contract import Catalog, NamedModel
from imagegen_server.app import Rhythm
from imagegen_server.config import OwnerSettings
from tests.server.scripted import ScriptedAdapter, ScriptedRun
from tests.server.serving import RHYTHM, Caller, Refusal, asking, refusal_of, serving, text_to_image

CATALOG = Catalog(
    checkpoints=(NamedModel(name="first"), NamedModel(name="sd_xl_base_1.0.safetensors")),
    samplers=(NamedModel(name="euler"), NamedModel(name="heun")),
)


@pytest.fixture
def adapter() -> ScriptedAdapter:
    return ScriptedAdapter(current_catalog=CATALOG)


@pytest.fixture
async def caller(tmp_path: Path, adapter: ScriptedAdapter) -> AsyncIterator[Caller]:
    owners = {"anna": OwnerSettings(max_queued_jobs=2)}
    async with serving(tmp_path, {"one": adapter}, max_queued_jobs=3, owners=owners) as caller:
        await caller.refresh("one")
        yield caller


async def update(caller: Caller, owner: str = "", **fields: Any) -> pb.UpdateSettingsResponse:
    mask, version = fields.pop("update_mask", []), fields.pop("expected_version", 0)
    request = pb.UpdateSettingsRequest(settings=pb.Settings(**fields), update_mask=mask, expected_version=version)
    return await caller.settings.UpdateSettings(request, metadata=asking(owner))


async def got(caller: Caller) -> pb.GetSettingsResponse:
    return await caller.settings.GetSettings(pb.GetSettingsRequest())


async def refused(call: Awaitable[Any]) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal_of(caught.value)


def generation(**fields: Any) -> pb.GenerationDefaults:
    return pb.GenerationDefaults(**fields)


async def validated(caller: Caller, spec: job_pb2.JobSpec) -> job_pb2.Job:
    return await caller.create(spec, validate_only=True)


# --- reading and writing ---------------------------------------------------------------------------------------------


async def test_everything_that_has_a_value_is_told(caller: Caller) -> None:
    found = await got(caller)
    assert (found.version, found.stored) == (1, pb.Settings())
    assert found.effective.defaults == generation(workflow_id="text-to-image")
    assert found.effective.quotas.max_queued_jobs == 3
    assert found.effective.quotas.owners.owners["anna"].max_queued_jobs == 2
    assert found.effective.retention.HasField("keep_jobs_days")
    assert found.effective.exposure.models.patterns == ["*"]


async def test_what_was_set_is_there_after_a_restart(tmp_path: Path) -> None:
    async with serving(tmp_path, {"one": ScriptedAdapter()}) as caller:
        await update(caller, defaults=generation(steps=8), exposure=pb.ExposureSettings(models=pb.PatternList()))
        before = await got(caller)
    async with serving(tmp_path, {"one": ScriptedAdapter()}) as caller:
        assert await got(caller) == before
    assert before.stored.exposure.HasField("models")
    assert before.effective.exposure.models.patterns == []


async def test_only_what_the_mask_names_is_changed(caller: Caller) -> None:
    await update(caller, defaults=generation(steps=8, width=1024, sampler="heun"))
    answer = await update(caller, update_mask=["defaults.steps", "quotas"], defaults=generation(width=64))
    assert answer.stored == pb.Settings(defaults=generation(width=1024, sampler="heun"))
    assert (await update(caller, update_mask=["defaults"])).stored == pb.Settings()


async def test_who_changed_what_is_kept(caller: Caller) -> None:
    await update(caller, owner="anna", defaults=generation(steps=8))
    await update(caller, owner="bert", defaults=generation(steps=9, width=64), update_mask=["defaults.steps"])
    newest, first = (await caller.settings.ListSettingsChanges(pb.ListSettingsChangesRequest())).changes
    assert (newest.version, newest.owner, list(newest.paths)) == (3, "bert", ["defaults.steps"])
    assert (newest.before.defaults.steps, newest.after.defaults.steps) == (8, 9)
    assert (first.owner, first.before, first.time.seconds > 0) == ("anna", pb.Settings(), True)
    (only,) = (await caller.settings.ListSettingsChanges(pb.ListSettingsChangesRequest(limit=1))).changes
    assert only == newest


@pytest.mark.parametrize(
    ("fields", "reason", "path", "said"),
    [
        ({"update_mask": ["defaults.stps"]}, "INVALID_REQUEST", "update_mask[0]", "did you mean defaults.steps"),
        ({"defaults": generation(steps=0)}, "INVALID_REQUEST", "settings.defaults.steps", ""),
        ({"defaults": generation(width=65)}, "INVALID_REQUEST", "settings.defaults.width", "multiple of 8"),
        (
            {"defaults": generation(workflow_id="text-to-imag")},
            "WORKFLOW_NOT_FOUND",
            "settings.defaults.workflow_id",
            "text-to-image",
        ),
        ({"defaults": generation(model="frist")}, "INVALID_REQUEST", "settings.defaults.model", "first"),
        ({"defaults": generation(sampler="heum")}, "INVALID_REQUEST", "settings.defaults.sampler", "heun"),
        (
            {"quotas": pb.QuotaSettings(owners=pb.OwnerQuotas(owners={"änne": pb.OwnerQuota()}))},
            "INVALID_REQUEST",
            'settings.quotas.owners.owners["änne"]',
            "printable ASCII",
        ),
        (
            {"quotas": pb.QuotaSettings(owners=pb.OwnerQuotas(owners={"anna": pb.OwnerQuota(weight=1000)}))},
            "INVALID_REQUEST",
            'settings.quotas.owners.owners["anna"].weight',
            "from 0.01 to 100",
        ),
        ({"exposure": {"models": {"patterns": [""]}}}, "INVALID_REQUEST", "settings.exposure.models.patterns[0]", ""),
    ],
)
async def test_what_cannot_be_is_refused_and_nothing_is_changed(
    caller: Caller, fields: dict[str, Any], reason: str, path: str, said: str
) -> None:
    told = await refused(update(caller, **fields))
    assert (told.reason, list(told.fields)) == (reason, [path])
    assert said in told.fields[path]
    assert (await got(caller)).version == 1


async def test_a_version_that_is_no_longer_is_refused(caller: Caller) -> None:
    await update(caller, defaults=generation(steps=9), expected_version=1)
    told = await refused(update(caller, defaults=generation(steps=10), expected_version=1))
    assert (told.code, told.reason) == (grpc.StatusCode.ABORTED, "CHANGED_MEANWHILE")
    assert (await got(caller)).stored.defaults.steps == 9


# --- what a change does ----------------------------------------------------------------------------------------------


async def test_requests_get_the_defaults_that_count_now(caller: Caller) -> None:
    await update(caller, defaults=generation(steps=8, negative_prompt="blurry", width=640, sampler="heun"))
    image = (await validated(caller, text_to_image())).spec.image
    assert (image.steps, image.negative_prompt, image.width, image.sampler) == (8, "blurry", 640, "heun")
    image = (
        await validated(caller, text_to_image(steps=4, negative_prompt="dull", width=64, sampler="euler"))
    ).spec.image
    assert (image.steps, image.negative_prompt, image.width, image.sampler) == (4, "dull", 64, "euler")


async def test_without_a_setting_the_family_of_the_model_counts(caller: Caller) -> None:
    xl = "sd_xl_base_1.0.safetensors"
    assert (await validated(caller, text_to_image())).spec.image.width == 512
    assert (await validated(caller, text_to_image(model=xl))).spec.image.width == 1024
    await update(caller, defaults=generation(model=xl, height=768))
    image = (await validated(caller, text_to_image())).spec.image
    assert (image.model, image.width, image.height) == (xl, 1024, 768)


async def test_a_job_that_is_repeated_gets_no_new_defaults(caller: Caller, adapter: ScriptedAdapter) -> None:
    adapter.plays = ScriptedRun.complete
    first = await caller.until_ended((await caller.create()).job_id)
    await update(
        caller,
        defaults=generation(negative_prompt="blurry", sampler="heun"),
        preview=job_pb2.PreviewOptions(max_pixels=64, format=job_pb2.PREVIEW_FORMAT_WEBP),
    )
    request = image_gen_pb2.RetryJobRequest(job_id=first.job_id)
    again = (await caller.jobs.RetryJob(request)).job
    assert again.spec == first.spec
    await caller.until_ended(again.job_id)


async def test_previews_are_as_set_where_a_job_does_not_say(caller: Caller) -> None:
    await update(caller, preview=job_pb2.PreviewOptions(mode=job_pb2.PREVIEW_MODE_OFF, max_rate_hz=2))
    preview = (await validated(caller, text_to_image())).spec.preview
    assert (preview.mode, preview.max_rate_hz, preview.quality) == (job_pb2.PREVIEW_MODE_OFF, 2, 80)
    wish = job_pb2.PreviewOptions(mode=job_pb2.PREVIEW_MODE_ON, max_rate_hz=30)
    preview = (await validated(caller, text_to_image(preview=wish))).spec.preview
    assert (preview.mode, preview.max_rate_hz) == (job_pb2.PREVIEW_MODE_ON, 30)


async def test_limits_of_what_may_wait_count_at_once(caller: Caller, adapter: ScriptedAdapter) -> None:
    await caller.create()
    await adapter.next_run()
    await update(caller, quotas=pb.QuotaSettings(max_queued_jobs=1))
    await caller.create()
    told = await refused(caller.create())
    assert told.reason == "QUEUE_FULL"
    await update(caller, update_mask=["quotas"])
    await caller.create()
    assert (await caller.queue.GetQueue(GetQueueRequest())).queue.max_queued == 3


async def test_who_may_run_more_runs_more_at_once(tmp_path: Path) -> None:
    adapters = {"one": ScriptedAdapter(), "two": ScriptedAdapter()}
    async with serving(tmp_path, adapters, owners={"anna": OwnerSettings(max_running_jobs=1)}) as caller:
        await caller.refresh("one", "two")
        first, second = [await caller.create(owner="anna") for _ in range(2)]
        await caller.until_state(first.job_id, job_pb2.JOB_STATE_RUNNING)
        waiting = await caller.get(second.job_id)
        assert waiting.queue.reason == job_pb2.WAIT_REASON_OWNER_LIMIT
        await update(caller, quotas=pb.QuotaSettings(owners=pb.OwnerQuotas()))
        await caller.until_state(second.job_id, job_pb2.JOB_STATE_RUNNING)


async def test_what_is_kept_is_looked_at_again_at_once(tmp_path: Path) -> None:
    adapter = ScriptedAdapter(plays=ScriptedRun.complete)
    rhythm = Rhythm(intervals=RHYTHM.intervals, patience=RHYTHM.patience, first_tidying_s=0.0, tidying_s=3600.0)
    async with serving(tmp_path, {"one": adapter}, rhythm=rhythm) as caller:
        for _ in range(3):
            await caller.until_ended((await caller.create()).job_id)
        await update(caller, retention=pb.RetentionSettings(keep_jobs=1))
        async with asyncio.timeout(10):
            while len((await caller.jobs.ListJobs(image_gen_pb2.ListJobsRequest())).jobs) > 1:  # noqa: ASYNC110  # it is polled
                await asyncio.sleep(0.01)
