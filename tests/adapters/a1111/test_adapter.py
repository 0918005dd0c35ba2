"""What the adapter asks of a server, and what it makes of the answers."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import pytest

from imagegen_adapters.a1111.adapter import A1111Adapter, open_a1111
from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import (
    Accepted,
    HiresParameters,
    ImageReady,
    ModelLoading,
    Phase,
    PhaseChanged,
    Planned,
    PreviewFrame,
    PreviewWish,
    Progressed,
    RawGraph,
    Update,
    Warned,
)
from imagegen_adapters.errors import Rejected, Unauthenticated, Unreachable
from tests.adapters.a1111.conftest import (
    REQUEST,
    SHORT,
    collect,
    config_for,
    digest_of,
    picture,
    run_to_end,
    task_for,
)
from tests.fakes.a1111 import FakeA1111, Flavor, open_fake

T = TypeVar("T")


def only(kind: type[T], updates: Sequence[object]) -> list[T]:
    return [update for update in updates if isinstance(update, kind)]


def assert_orderly(updates: list[Update]) -> None:
    """Accepted first, fractions that never fall, and everything at the end."""
    before = updates[: updates.index(only(Accepted, updates)[0])]
    assert all(isinstance(update, Warned) or update == PhaseChanged(phase=Phase.PREPARING) for update in before)
    fractions = [update.fraction for update in only(Progressed, updates)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0


@pytest.mark.parametrize("is_webui", [True, False], ids=["webui", "nowebui"])
@pytest.mark.parametrize("flavor", list(Flavor))
async def test_makes_images_on_every_kind_of_server(is_webui: bool, flavor: Flavor) -> None:
    async with open_fake(is_webui=is_webui, flavor=flavor) as fake, open_a1111(config_for(fake), SHORT) as adapter:
        updates = await run_to_end(adapter, task_for(replace(REQUEST, count=2)))
        images = only(ImageReady, updates)
        assert [image.image_index for image in images] == [0, 1]
        assert [image.seed for image in images] == [7, 8]
        assert_orderly(updates)
        assert fake.max_polls_in_flight == 1


async def test_a_server_before_task_ids_is_followed_by_the_global_document() -> None:
    async with open_fake(has_task_ids=False, step_s=0.02) as fake, open_a1111(config_for(fake), SHORT) as adapter:
        updates = await run_to_end(adapter, task_for(replace(REQUEST, steps=20)))
        assert_orderly(updates)
        assert len(only(Progressed, updates)) > 3


async def test_a_batch_is_several_posts_with_seeds_that_count_on(fake: FakeA1111, adapter: A1111Adapter) -> None:
    task = task_for(replace(REQUEST, count=5, batch_size=2))
    updates = await run_to_end(adapter, task)
    posts = fake.engine.received
    assert [(post["n_iter"], post["batch_size"], post["seed"]) for post in posts] == [(1, 2, 7), (1, 2, 9), (1, 1, 11)]
    assert [post["force_task_id"] for post in posts] == [f"task({task.attempt_id}-{k})" for k in range(3)]
    assert adapter.handle_for(task.attempt_id).remote_id == posts[0]["force_task_id"]
    assert [image.seed for image in only(ImageReady, updates)] == [7, 8, 9, 10, 11]
    assert only(Planned, updates) == [Planned(images=5)]
    assert_orderly(updates)


async def test_images_of_a_post_arrive_before_the_next_one_is_posted(fake: FakeA1111, adapter: A1111Adapter) -> None:
    async with adapter.run(task_for(replace(REQUEST, count=2))) as run:
        async for update in run:
            if isinstance(update, ImageReady):
                assert len(fake.engine.received) == 1 + update.image_index
                fake.engine.gate.set()
                await fake.engine.wait_until(lambda: not fake.engine.jobs)


async def test_nothing_is_left_to_the_servers_defaults(fake: FakeA1111, adapter: A1111Adapter) -> None:
    await run_to_end(adapter, task_for(replace(REQUEST, sampler="", scheduler="", negative_prompt="dull")))
    [post] = fake.engine.received
    wanted = {
        "prompt": "a red fox", "negative_prompt": "dull", "steps": 8, "cfg_scale": 7.0, "width": 64, "height": 64,
        "sampler_name": "Euler", "scheduler": "automatic", "restore_faces": False, "tiling": False,
        "send_images": True, "save_images": False, "styles": [],
    }  # fmt: skip
    assert {name: post[name] for name in wanted} == wanted


async def test_image_to_image_and_inpainting(fake: FakeA1111, adapter: A1111Adapter) -> None:
    init, mask = picture("blue"), picture("black")
    request = replace(REQUEST, init_image=digest_of(init), mask=digest_of(mask), denoise=0.6, mask_blur=2)
    updates = await run_to_end(adapter, task_for(request, init, mask))
    [post] = fake.engine.received
    assert (post["denoising_strength"], post["mask_blur"]) == (0.6, 2)
    assert (post["inpainting_fill"], post["inpaint_full_res"], post["inpainting_mask_invert"]) == (1, False, 0)
    assert only(Progressed, updates)[-1].steps == 5  # int(8 * 0.6) + 1
    assert_orderly(updates)


async def test_hires_runs_two_passes(fake: FakeA1111, adapter: A1111Adapter) -> None:
    hires = HiresParameters(scale=1.5, steps=5, denoise=0.7)
    updates = await run_to_end(adapter, task_for(replace(REQUEST, hires=hires)))
    [post] = fake.engine.received
    assert (post["enable_hr"], post["hr_scale"], post["hr_upscaler"]) == (True, 1.5, "Latent")
    assert (post["hr_second_pass_steps"], post["denoising_strength"]) == (5, 0.7)
    assert not only(Warned, updates)[1:], "the size of the result is as expected"
    assert {update.steps for update in only(Progressed, updates)} == {8, 5}
    assert_orderly(updates)


async def test_the_same_request_gives_the_same_bytes(adapter: A1111Adapter) -> None:
    first = only(ImageReady, await run_to_end(adapter, task_for()))
    second = only(ImageReady, await run_to_end(adapter, task_for()))
    assert first == second


async def test_previews_come_as_the_server_is_set_up(fake: FakeA1111, adapter: A1111Adapter) -> None:
    updates = await run_to_end(adapter, task_for())
    assert [warning.code for warning in only(Warned, updates)] == ["PREVIEWS_UNAVAILABLE"]
    assert not only(PreviewFrame, updates)
    assert fake.engine.options["show_progress_every_n_steps"] == 10


@pytest.mark.parametrize("is_webui", [True, False], ids=["webui", "nowebui"])
async def test_previews_every_step_where_the_backend_is_configured_so(is_webui: bool) -> None:
    async with (
        open_fake(is_webui=is_webui, step_s=0.02) as fake,
        open_a1111(config_for(fake, preview_every_n_steps="1"), SHORT) as adapter,
    ):
        updates = await run_to_end(adapter, task_for(preview=PreviewWish(max_rate_hz=1000)))
        frames = only(PreviewFrame, updates)
        assert len(frames) > 1
        assert len({frame.data for frame in frames}) == len(frames)
        assert {frame.media_type for frame in frames} == {"image/png"}
        assert fake.engine.options["show_progress_every_n_steps"] == 10, "the override ended with the job"
        assert fake.engine.previews.rendered <= 2 * REQUEST.steps


async def test_no_preview_is_rendered_for_a_task_that_wants_none(fake: FakeA1111) -> None:
    async with open_a1111(config_for(fake, preview_every_n_steps="1"), SHORT) as adapter:
        await run_to_end(adapter, task_for(preview=PreviewWish(enabled=False)))
    assert fake.engine.received[0]["override_settings"] == {"sd_model_checkpoint": "dreamlike_tiny"}


async def test_another_model_is_loaded_for_the_job_and_no_setting_leaks() -> None:
    async with open_fake(load_s=0.2) as fake, open_a1111(config_for(fake), SHORT) as adapter:
        before = dict(fake.engine.options)
        request = replace(REQUEST, model="other_tiny", vae="tiny_vae.safetensors")
        updates = await run_to_end(adapter, task_for(request))
        assert only(ModelLoading, updates) == [ModelLoading(model="other_tiny")]
        assert PhaseChanged(phase=Phase.LOADING_MODEL) in updates
        assert fake.engine.options == before
        assert [warning.code for warning in only(Warned, updates)] == ["PREVIEWS_UNAVAILABLE"]
        status = await adapter.status()
        assert (status.resident_model, status.version) == ("other_tiny", "1.10.1")


async def test_a_vae_that_the_page_has_chosen_does_not_apply(fake: FakeA1111, adapter: A1111Adapter) -> None:
    fake.engine.options["sd_vae"] = "tiny_vae.safetensors"
    await run_to_end(adapter, task_for())
    assert fake.engine.received[0]["override_settings"]["sd_vae"] == "Automatic"
    assert fake.engine.options["sd_vae"] == "tiny_vae.safetensors"


async def test_the_present_settings_are_pinned_once(fake: FakeA1111, adapter: A1111Adapter) -> None:
    for _ in range(2):
        await run_to_end(adapter, task_for())
    assert fake.requests.count("POST /sdapi/v1/options") == 1
    await fake.restart()
    await run_to_end(adapter, task_for())
    assert fake.requests.count("POST /sdapi/v1/options") == 2


async def test_forge_has_its_vae_among_the_modules() -> None:
    async with open_fake(flavor=Flavor.FORGE) as fake, open_a1111(config_for(fake), SHORT) as adapter:
        assert [vae.name for vae in (await adapter.catalog()).vaes] == ["tiny_vae.safetensors"]
        fake.engine.options["forge_additional_modules"] = []
        await run_to_end(adapter, task_for(replace(REQUEST, vae="tiny_vae.safetensors")))
        assert fake.engine.received[0]["override_settings"]["forge_additional_modules"] == ["tiny_vae.safetensors"]


async def test_settings_that_cannot_be_read_stop_nothing(fake: FakeA1111, adapter: A1111Adapter) -> None:
    fake.engine.options["jpeg_quality"] = "high"
    assert only(ImageReady, await run_to_end(adapter, task_for()))


# --- refusing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (replace(REQUEST, model="nope"), "image.model"),
        (replace(REQUEST, vae="nope"), "image.vae"),
        (replace(REQUEST, sampler="Eulr"), "image.sampler"),
        (replace(REQUEST, sampler="k_euler"), "image.sampler"),
        (replace(REQUEST, sampler="DPM++ 2M Karras"), "image.sampler"),
        (replace(REQUEST, scheduler="Nope"), "image.scheduler"),
        (replace(REQUEST, scheduler="SGMUniform"), "image.scheduler"),
        (replace(REQUEST, hires=HiresParameters(scale=2, upscaler="nope")), "image.hires.upscaler"),
        (replace(REQUEST, width=100), "image.width"),
        (replace(REQUEST, height=70), "image.height"),
        (replace(REQUEST, batch_size=9), "image.batch_size"),
        (replace(REQUEST, steps=0), "image.steps"),
        (replace(REQUEST, count=0), "image.count"),
        (replace(REQUEST, mask="0" * 64), "image.mask"),
        (RawGraph(json="{}"), "graph"),
    ],
)
async def test_what_the_server_would_replace_is_refused_before_it_sees_it(
    fake: FakeA1111, adapter: A1111Adapter, request_: object, field: str
) -> None:
    await adapter.catalog()
    assert [violation.field for violation in adapter.validate(request_)] == [field]  # type: ignore[arg-type]  # a case
    async with adapter.run(task_for(request_)) as run:  # type: ignore[arg-type]  # a case
        with pytest.raises(Rejected) as refused:
            await collect(run)
    assert [violation.field for violation in refused.value.violations] == [field]
    assert not fake.engine.received


@pytest.mark.parametrize(
    "model",
    ["dreamlike_tiny", "dreamlike_tiny.safetensors", "dreamlike_tiny.safetensors [bf31090b88]", "bf31090b88"],
)
async def test_a_model_may_be_called_by_any_of_its_names(fake: FakeA1111, adapter: A1111Adapter, model: str) -> None:
    updates = await run_to_end(adapter, task_for(replace(REQUEST, model=model)))
    assert fake.engine.received[0]["override_settings"]["sd_model_checkpoint"] == "dreamlike_tiny"
    assert "SETTING_REPLACED" not in [warning.code for warning in only(Warned, updates)]


async def test_a_model_that_was_added_since_the_catalogue_was_read_is_found(
    fake: FakeA1111, adapter: A1111Adapter
) -> None:
    await adapter.catalog()
    fake.engine.models.append(
        fake.engine.models[1] | {"model_name": "new", "title": "new.ckpt", "filename": "new.ckpt"}
    )
    assert adapter.validate(replace(REQUEST, model="new"))
    assert only(ImageReady, await run_to_end(adapter, task_for(replace(REQUEST, model="new"))))


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"steps": 3}, "backend_options.a1111.steps"),
        ({"n_iter": 4}, "backend_options.a1111.n_iter"),
        ({"force_task_id": "task(x)"}, "backend_options.a1111.force_task_id"),
        ({"styles": ["nope"]}, "backend_options.a1111.styles"),
        ({"override_settings": {"sd_vae": "x"}}, "backend_options.a1111.override_settings.sd_vae"),
        ({"override_settings": {"nope": 1}}, "backend_options.a1111.override_settings.nope"),
        ({"override_settings": 3}, "backend_options.a1111.override_settings"),
    ],
)
async def test_options_may_not_touch_what_the_adapter_sets(
    fake: FakeA1111, adapter: A1111Adapter, options: dict[str, object], field: str
) -> None:
    async with adapter.run(task_for(options=options)) as run:
        with pytest.raises(Rejected) as refused:
            await collect(run)
    assert [violation.field for violation in refused.value.violations] == [field]
    assert not fake.engine.received


async def test_options_add_fields_and_settings(fake: FakeA1111, adapter: A1111Adapter) -> None:
    options = {"tiling": True, "styles": ["Cinematic"], "override_settings": {"CLIP_stop_at_last_layers": 2}}
    await run_to_end(adapter, task_for(options=options))
    [post] = fake.engine.received
    assert (post["tiling"], post["styles"]) == (True, ["Cinematic"])
    assert post["override_settings"] == {"CLIP_stop_at_last_layers": 2, "sd_model_checkpoint": "dreamlike_tiny"}
    assert fake.engine.options["CLIP_stop_at_last_layers"] == 1, "the override ended with the job"


async def test_a_setting_that_was_replaced_nevertheless_is_told(fake: FakeA1111, adapter: A1111Adapter) -> None:
    await adapter.catalog()
    fake.engine.models.pop(0)  # deleted since
    updates = await run_to_end(adapter, task_for(replace(REQUEST, model="other_tiny")))
    assert "SETTING_REPLACED" not in [warning.code for warning in only(Warned, updates)]
    updates = await run_to_end(adapter, task_for(replace(REQUEST, model="dreamlike_tiny", count=2)))
    assert [warning.code for warning in only(Warned, updates)].count("SETTING_REPLACED") == 1


# --- asking ---------------------------------------------------------------------------------------------------------


async def test_status_of_an_idle_server(fake: FakeA1111, adapter: A1111Adapter) -> None:
    status = await adapter.status()
    assert status.resident_model == "dreamlike_tiny"
    assert status.queue_depth == 0
    assert status.instance == str(fake.app_id)
    assert status.devices[0].memory_total_bytes == 25276502016


async def test_status_counts_jobs_but_no_ghosts(fake: FakeA1111, adapter: A1111Adapter) -> None:
    fake.engine.tasks.add("task(ghost)")
    assert (await adapter.status()).queue_depth == 0
    foreign = fake.post_foreign()
    await fake.engine.wait_until(lambda: fake.engine.state.job_count > 0)
    assert (await adapter.status()).queue_depth == 2
    foreign.cancel()


async def test_instance_changes_with_a_restart(fake: FakeA1111, adapter: A1111Adapter) -> None:
    before = (await adapter.status()).instance
    await fake.restart()
    assert (await adapter.status()).instance != before


async def test_status_without_the_webui(nowebui: FakeA1111) -> None:
    async with open_a1111(config_for(nowebui), SHORT) as adapter:
        assert (await adapter.status()).instance == ""


async def test_catalog_lists_names_once(adapter: A1111Adapter) -> None:
    catalog = await adapter.catalog()
    assert [model.name for model in catalog.checkpoints] == ["dreamlike_tiny", "other_tiny"]
    assert [model.name for model in catalog.loras] == ["tiny_lora"]
    assert [model.name for model in catalog.embeddings] == ["tinyemb"]
    assert catalog.upscalers[0].name == "Latent"
    assert "None" not in [upscaler.name for upscaler in catalog.upscalers]
    assert "karras" in [scheduler.name for scheduler in catalog.schedulers]


async def test_basic_auth_comes_from_the_url() -> None:
    async with open_fake(api_auth="me:pa:ss") as fake:
        url = fake.url.replace("://", "://me:pa%3Ass@")
        async with open_a1111(BackendConfig(name="fake", kind="a1111", url=url), SHORT) as adapter:
            assert only(ImageReady, await run_to_end(adapter, task_for()))
        async with open_a1111(config_for(fake), SHORT) as adapter:
            with pytest.raises(Unauthenticated):
                await adapter.catalog()


async def test_a_refused_connection_is_unreachable_and_says_nothing_secret(fake: FakeA1111) -> None:
    await fake.stop()
    url = fake.url.replace("://", "://me:secret@")
    async with open_a1111(BackendConfig(name="fake", kind="a1111", url=url), SHORT) as adapter:
        with pytest.raises(Unreachable) as error:
            await adapter.status()
        assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("127.0.0.1:7860", {}),
        ("ftp://127.0.0.1", {}),
        ("http://127.0.0.1:7860", {"preview_every_n_steps": "often"}),
        ("http://127.0.0.1:7860", {"preview_evry_n_steps": "1"}),
    ],
)
async def test_a_bad_configuration_is_refused_at_once(url: str, options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"url|option"):
        async with open_a1111(BackendConfig(name="bad", kind="a1111", url=url, options=options)):
            pass
