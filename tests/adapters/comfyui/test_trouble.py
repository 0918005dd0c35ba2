"""Servers that misbehave, runs that are stopped, attempts that are taken up again."""

import asyncio
import io
import json

import pytest
from PIL import Image

from imagegen_adapters.contract import (
    Accepted,
    Handle,
    ImageReady,
    PhaseChanged,
    PreviewFrame,
    Progressed,
    RawGraph,
    Task,
    Update,
)
from imagegen_adapters.errors import (
    AdapterError,
    Cancelled,
    GpuFault,
    Interrupted,
    Lost,
    NoOutput,
    OutOfMemory,
    Rejected,
    Unauthenticated,
    Unintelligible,
    Unreachable,
)
from tests.adapters.comfyui.bench import (
    Bench,
    eventually,
    images,
    of,
    open_adapter,
    open_bench,
    request,
    task,
    until,
    warnings,
)
from tests.adapters.conformance.subjects.comfyui import text_to_image
from tests.fakes.comfyui import CHECKPOINTS
from tests.fakes.comfyui.profiles import PROFILES

VERSIONS = sorted(PROFILES)
UNLIKE_VERSIONS = ("2024-07-20", "0.3.44", "0.3.64")
LONG = request(steps=10_000)
PACED = request(steps=60)


def has_stepped(update: Update) -> bool:
    return isinstance(update, Progressed) and update.step > 0


# --- cancelling ---


@pytest.mark.parametrize("version", VERSIONS)
async def test_cancelling_stops_ours_and_not_the_next(version: str) -> None:
    async with open_bench(version) as bench, bench.adapter.run(task(LONG)) as run:
        await until(run, has_stepped)
        foreign = bench.fake.queue_foreign()

        await run.cancel()
        with pytest.raises(Cancelled):
            await until(run, lambda _: False)

        await eventually(lambda: bench.fake.worker.running is foreign)
        assert not foreign.is_interrupted
        assert not bench.fake.prompts_of(foreign=False)


@pytest.mark.parametrize("version", VERSIONS)
async def test_cancelling_a_waiting_one_spares_the_running_one(version: str) -> None:
    async with open_bench(version) as bench:
        foreign = bench.fake.queue_foreign()
        async with bench.adapter.run(task(LONG)) as run:
            await until(run, lambda update: isinstance(update, Accepted))

            await run.cancel()
            with pytest.raises(Cancelled):
                await until(run, lambda _: False)

            assert bench.fake.prompts_of(foreign=False) == []
            assert bench.fake.worker.running is foreign
            assert not foreign.is_interrupted
            assert bench.fake.requests["POST /interrupt"] == 0


@pytest.mark.parametrize(("version", "is_repeated"), [("0.3.12", False), ("0.3.64", True)])
async def test_a_server_that_does_not_obey_is_told_of(version: str, is_repeated: bool) -> None:
    """One that ignores the id is asked once only: a second interrupt could hit somebody else's job."""
    async with open_bench(version) as bench, bench.adapter.run(task(LONG)) as run:
        bench.fake.faults.ignore_interrupt = True
        await until(run, has_stepped)
        await run.cancel()

        await until(run, lambda update: warnings([update]) == ["CANCEL_NOT_CONFIRMED"])
        with pytest.raises(Cancelled, match="not confirmed"):
            await until(run, lambda _: False)

        assert (bench.fake.requests["POST /interrupt"] > 1) is is_repeated


async def test_cancelling_before_the_hand_over_leaves_nothing() -> None:
    async with open_bench() as bench, bench.adapter.run(task(LONG)) as run:
        bench.fake.faults.slowness_s = 0.2
        await until(run, lambda update: isinstance(update, PhaseChanged))

        await run.cancel()
        with pytest.raises(Cancelled):
            await until(run, lambda _: False)

        assert bench.fake.requests["POST /prompt"] == 0


async def test_cancelling_while_the_server_is_away_ends() -> None:
    async with open_bench() as bench, bench.adapter.run(task(LONG)) as run:
        await until(run, has_stepped)
        await bench.fake.stop_listening()

        await run.cancel()

        with pytest.raises(Cancelled, match="not confirmed"):
            await until(run, lambda _: False)


async def test_a_cancel_that_comes_too_late_changes_nothing() -> None:
    async with open_bench() as bench, bench.adapter.run(task(request())) as run:
        await until(run, lambda update: isinstance(update, ImageReady))
        await eventually(lambda: not bench.fake.prompts_of(foreign=False))

        await run.cancel()

        assert all(isinstance(update, Progressed) for update in [update async for update in run])


async def test_somebody_elses_interrupt_is_no_cancel() -> None:
    async with open_bench() as bench, bench.adapter.run(task(LONG)) as run:
        await until(run, has_stepped)
        bench.fake.worker.interrupt(None)

        with pytest.raises(Interrupted):
            await until(run, lambda _: False)


async def test_a_prompt_that_somebody_takes_from_the_queue_is_interrupted() -> None:
    async with open_bench() as bench:
        bench.fake.queue_foreign()
        async with bench.adapter.run(task(LONG)) as run:
            await until(run, lambda update: isinstance(update, Accepted))
            (ours,) = bench.fake.prompts_of(foreign=False)
            bench.fake.worker.delete(ours.prompt_id)

            with pytest.raises(Interrupted):
                await until(run, lambda _: False)


# --- sockets ---


async def test_a_lost_socket_is_told_of_once_and_frames_go_on() -> None:
    async with open_bench() as bench, bench.adapter.run(task(request(steps=200))) as run:
        await until(run, has_stepped)
        bench.fake.drop_sockets()
        await eventually(lambda: bench.fake.sockets.opened == 2)
        bench.fake.drop_sockets()
        updates = [update async for update in run]

    reconnected = next(index for index, update in enumerate(updates) if warnings([update]))
    assert warnings(updates) == ["BACKEND_RECONNECTED"]
    assert of(PreviewFrame, updates[reconnected:])
    assert len(images(updates)) == 1


async def test_a_socket_that_the_server_forgot_is_replaced() -> None:
    """The reconnect trap: the old socket's end is noticed late and takes the new one out of the books."""
    async with open_bench() as bench, bench.adapter.run(task(LONG)) as run:
        await until(run, has_stepped)
        (ours,) = bench.fake.prompts_of(foreign=False)
        bench.fake.faults.late_goodbye_s = 0.3
        bench.fake.drop_sockets()
        await eventually(lambda: bench.fake.sockets.opened == 2)
        bench.fake.faults.late_goodbye_s = 0.0
        await eventually(lambda: bench.fake.sockets.opened == 3)
        await until(run, lambda update: isinstance(update, PreviewFrame))

        ours.is_ended_early = True
        assert len(images([update async for update in run])) == 1


async def test_images_that_were_lost_with_the_socket_are_told_of() -> None:
    entries = text_to_image(CHECKPOINTS[0], seed=1, steps=40, size=64)
    entries["10"] = {"class_type": "SaveImageWebsocket", "inputs": {"images": ["8", 0]}}

    async with open_bench() as bench, bench.adapter.run(task(RawGraph(json=json.dumps(entries)))) as run:
        await until(run, has_stepped)
        bench.fake.faults.silent = True
        bench.fake.drop_sockets()
        updates = [update async for update in run]

    assert [image.node_id for image in images(updates)] == ["9"]
    assert warnings(updates) == ["BACKEND_RECONNECTED", "PARTIAL_RESULT"]


async def test_a_prompt_whose_only_images_were_sent_to_nobody_is_worth_another_try() -> None:
    entries = text_to_image(CHECKPOINTS[0], seed=1, steps=40, size=64)
    entries["9"] = {"class_type": "SaveImageWebsocket", "inputs": {"images": ["8", 0]}}

    async with open_bench() as bench:
        wanted = task(RawGraph(json=json.dumps(entries)))
        handle = await hand_over(bench, wanted)
        await eventually(lambda: bool(bench.fake.worker.history))
        async with bench.adapter.reattach(wanted, handle) as run:
            with pytest.raises(Lost, match="nobody listened"):
                await until(run, lambda _: False)


async def test_a_long_silence_is_no_failure() -> None:
    """A model that loads for minutes: the server says nothing, and the job is fine."""
    lab = {"steps": 1, "seconds": 1.5, "preview": "none", "size": 16, "text": False, "seed": 1}
    entries = {
        "1": {"class_type": "LabSlow", "inputs": lab},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": "x"}},
    }

    async with open_bench() as bench:
        updates = await bench.run(RawGraph(json=json.dumps(entries)))

        assert len(images(updates)) == 1
        assert warnings(updates) == []
        assert bench.fake.sockets.opened > 1  # it asked for another, in case that this one was forgotten
        assert bench.fake.requests["GET /queue"] < 40


@pytest.mark.parametrize("garbage", ["beside", "instead"])
async def test_garbage_on_the_socket_does_no_harm(garbage: str) -> None:
    async with open_bench() as bench:
        bench.fake.faults.garbage_frames = garbage

        updates = await bench.run(request())

    assert len(images(updates)) == 1
    assert bool(of(Progressed, updates)[:-1]) is (garbage == "beside")


# --- HTTP ---


@pytest.mark.parametrize("version", ["0.3.12", "0.3.64"])
@pytest.mark.parametrize("fault", ["lost_posts", "failing_posts"])
async def test_a_prompt_whose_answer_was_lost_is_found(version: str, fault: str) -> None:
    async with open_bench(version) as bench:
        setattr(bench.fake.faults, fault, 1)

        updates = await bench.run(PACED)

        assert len(images(updates)) == 1
        assert len(bench.fake.worker.history) == 1


@pytest.mark.parametrize(
    ("path", "error"), [("prompt", Unintelligible), ("object_info", Unintelligible), ("system_stats", Unintelligible)]
)
async def test_garbage_instead_of_an_answer_is_unintelligible(path: str, error: type[AdapterError]) -> None:
    async with open_bench() as bench:
        bench.fake.faults.garbage_paths = {path}

        with pytest.raises(error):
            await bench.run(request())


async def test_a_server_that_answers_no_question_is_given_up() -> None:
    async with open_bench() as bench, bench.adapter.run(task(PACED)) as run:
        await until(run, has_stepped)
        bench.fake.faults.garbage_paths = {"queue", "history"}

        with pytest.raises(Unintelligible):
            await until(run, lambda _: False)


async def test_a_server_that_stays_away_is_unreachable() -> None:
    async with open_bench() as bench, bench.adapter.run(task(LONG)) as run:
        await until(run, has_stepped)
        await bench.fake.stop_listening()

        with pytest.raises(Unreachable, match="refused") as error:
            await until(run, lambda _: False)
    assert error.value.backend_died


async def test_a_server_that_vanishes_is_unreachable_and_may_live_on() -> None:
    async with open_bench() as bench, bench.adapter.run(task(LONG)) as run:
        await until(run, has_stepped)
        bench.fake.faults.vanished = True

        with pytest.raises(Unreachable) as error:
            await until(run, lambda _: False)
        assert not error.value.backend_died
        with pytest.raises(Unreachable, match="did not answer"):
            await bench.adapter.status()
        bench.fake.faults.vanished = False


async def test_memory_that_is_freed_can_be_used_again() -> None:
    async with open_bench() as bench:
        bench.fake.faults.memory_full = True
        with pytest.raises(OutOfMemory):
            await bench.run(request())

        await bench.adapter.free_memory()

        assert images(await bench.run(request(seed=2)))


async def test_a_server_that_comes_later_is_used() -> None:
    async with open_bench() as bench:
        await bench.fake.stop_listening()
        with pytest.raises(Unreachable):
            await bench.run(request())
        with pytest.raises(Unreachable, match="refused the connection"):
            await bench.adapter.status()

        await bench.fake.start_listening()

        assert images(await bench.run(request()))


async def test_a_short_absence_is_no_failure() -> None:
    async with open_bench() as bench, bench.adapter.run(task(request(steps=100))) as run:
        await until(run, has_stepped)
        await bench.fake.stop_listening()
        await bench.fake.start_listening()

        updates = [update async for update in run]

    assert len(images(updates)) == 1


async def test_a_restart_loses_what_waits_too() -> None:
    async with open_bench() as bench:
        bench.fake.queue_foreign()
        async with bench.adapter.run(task(LONG)) as run:
            await until(run, lambda update: isinstance(update, Accepted))
            await bench.fake.restart()

            with pytest.raises(Lost):
                await until(run, lambda _: False)


@pytest.mark.parametrize("patience_s", ["4", "x", "1e3", "3601"])
async def test_patience_has_limits(patience_s: str) -> None:
    with pytest.raises(ValueError, match="patience_s"):
        async with open_adapter("http://127.0.0.1:1", patience_s=patience_s):
            pass


async def test_files_that_are_gone_are_told_of() -> None:
    async with open_bench() as bench, bench.adapter.run(task(request())) as run:
        bench.fake.faults.lost_files = True

        await until(run, lambda update: warnings([update]) == ["OUTPUT_UNREADABLE"])
        with pytest.raises(NoOutput):
            await until(run, lambda _: False)


async def test_files_that_went_with_the_memory_of_their_prompt_are_made_again() -> None:
    """As after a restart of a container without a volume."""
    async with open_bench() as bench, bench.adapter.run(task(request())) as run:
        bench.fake.faults.lost_files = bench.fake.faults.evict_history = True

        with pytest.raises(Lost, match="lost its images"):
            await until(run, lambda _: False)


async def test_a_broken_gpu_is_the_backends_fault() -> None:
    async with open_bench() as bench:
        bench.fake.faults.fail_next = "gpu"

        with pytest.raises(GpuFault, match="device-side assert") as fault:
            await bench.run(request())

    assert fault.value.backend_at_fault


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_a_proxy_without_its_server_is_a_backend_that_is_away(status: int) -> None:
    async with open_bench() as bench:
        bench.fake.faults.proxy_status = status

        with pytest.raises(Unreachable, match=str(status)):
            await bench.adapter.status()
        with pytest.raises(Unreachable, match=str(status)):
            await bench.run(request())


@pytest.mark.parametrize(("status", "words"), [(307, "sends us elsewhere"), (508, "this imagegen server itself")])
async def test_what_is_no_backend_is_said_in_words(status: int, words: str) -> None:
    async with open_bench() as bench:
        bench.fake.faults.proxy_status = status
        with pytest.raises(Unintelligible, match=words):
            await bench.adapter.status()


async def test_a_run_outlives_a_proxy_that_loses_its_server_for_a_moment() -> None:
    async with open_bench() as bench, bench.adapter.run(task(request(steps=20))) as run:
        await until(run, has_stepped)
        bench.fake.faults.proxy_status = 502
        bench.fake.drop_sockets()
        await eventually(lambda: bool(bench.fake.worker.history))
        bench.fake.faults.proxy_status = 0

        assert images([update async for update in run])


@pytest.mark.parametrize("limit", [10_000, 100])
async def test_what_is_too_large_for_the_backend_is_refused(limit: int) -> None:
    """The initial image, or the prompt."""
    noise = io.BytesIO()
    Image.effect_noise((256, 256), 90).save(noise, "PNG")
    async with open_bench() as bench:
        bench.fake.faults.max_request_bytes = limit

        with pytest.raises(Rejected, match="size"):
            await bench.run(request(init_image="a" * 64), files={"a" * 64: noise.getvalue()})


async def test_a_proxy_that_asks_for_a_password() -> None:
    async with open_bench() as bench:
        bench.fake.faults.needs_login = True
        with pytest.raises(Unauthenticated):
            await bench.adapter.status()
        with_password = bench.fake.url.replace("http://", "http://me:secret@")

        async with open_adapter(with_password) as adapter:
            assert (await adapter.status()).version == "0.3.64"
            async with adapter.run(task(request())) as run:
                assert images([update async for update in run])

            await bench.fake.stop_listening()
            with pytest.raises(Unreachable) as error:
                await adapter.status()

    assert "secret" not in str(error.value)


# --- taking up again ---


async def hand_over(bench: Bench, wanted: Task, *, client_id: str = "stable") -> Handle:
    """By a process that goes away when the attempt is at work."""
    async with open_adapter(bench.fake.url, client_id=client_id) as adapter, adapter.run(wanted) as run:
        accepted = await until(run, lambda update: isinstance(update, Accepted))
        await until(run, has_stepped)
        run.detach()
    assert isinstance(accepted, Accepted)
    return accepted.handle


@pytest.mark.parametrize("version", UNLIKE_VERSIONS)
async def test_taken_up_with_the_same_client_id_frames_go_on(version: str) -> None:
    async with open_bench(version) as bench:
        wanted = task(request(steps=100, count=2))
        handle = await hand_over(bench, wanted)

        async with open_adapter(bench.fake.url, client_id="stable") as adapter, adapter.reattach(wanted, handle) as run:
            updates = [update async for update in run]

    assert of(Accepted, updates) == [Accepted(handle=handle)]
    assert [(image.image_index, image.seed) for image in images(updates)] == [(0, 1), (1, 2)]
    assert of(PreviewFrame, updates)
    assert warnings(updates) == []


@pytest.mark.parametrize("version", UNLIKE_VERSIONS)
async def test_taken_up_with_another_client_id_results_come(version: str) -> None:
    async with open_bench(version) as bench:
        wanted = task(PACED)
        handle = await hand_over(bench, wanted)

        async with bench.adapter.reattach(wanted, handle) as run:
            updates = [update async for update in run]

    assert len(images(updates)) == 1
    assert warnings(updates) == ["PREVIEWS_UNAVAILABLE"]


@pytest.mark.parametrize("version", UNLIKE_VERSIONS)
async def test_taken_up_after_the_end_results_come(version: str) -> None:
    async with open_bench(version) as bench:
        wanted = task(PACED)
        await hand_over(bench, wanted)
        await eventually(lambda: bool(bench.fake.worker.history))

        # The handle as it was stored before the hand-over: older servers chose another id since.
        async with bench.adapter.reattach(wanted, bench.adapter.handle_for(wanted.attempt_id)) as run:
            updates = [update async for update in run]

    assert [image.image_index for image in images(updates)] == [0]


async def test_taken_up_attempts_can_be_cancelled() -> None:
    async with open_bench() as bench:
        wanted = task(LONG)
        handle = await hand_over(bench, wanted)

        async with bench.adapter.reattach(wanted, handle) as run:
            await run.cancel()
            with pytest.raises(Cancelled):
                await until(run, lambda _: False)
        await eventually(lambda: not bench.fake.prompts_of(foreign=False))


async def test_taken_up_after_a_restart_it_is_lost() -> None:
    async with open_bench() as bench:
        wanted = task(LONG)
        handle = await hand_over(bench, wanted)
        await bench.fake.restart()

        async with bench.adapter.reattach(wanted, handle) as run:
            with pytest.raises(Lost):
                await until(run, lambda _: False)


# --- closing ---


async def test_closing_the_adapter_ends_its_runs() -> None:
    async with open_bench() as bench:
        adapter = open_adapter(bench.fake.url)
        opened = await adapter.__aenter__()
        async with opened.run(task(LONG)) as run:
            await until(run, has_stepped)
            await adapter.__aexit__(None, None, None)

            with pytest.raises(Unreachable):
                await until(run, lambda _: False)


async def test_a_consumer_that_is_cancelled_stops_its_attempt() -> None:
    async with open_bench() as bench:
        started = asyncio.Event()

        async def consume() -> None:
            async with bench.adapter.run(task(LONG)) as run:
                await until(run, has_stepped)
                started.set()
                await until(run, lambda _: False)

        consumer = asyncio.create_task(consume())
        await started.wait()
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer

        assert bench.fake.prompts_of(foreign=False) == []
