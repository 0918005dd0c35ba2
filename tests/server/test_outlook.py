"""What is believed of backends, and what is counted against owners."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from imagegen_adapters import errors
from imagegen_adapters.contract import ImageParameters
from tests.server.scripted import ScriptedAdapter, ScriptedRun
from tests.server.serving import serving, text_to_image


@pytest.mark.parametrize(("instance", "chosen"), [("a", "two"), ("b", "one")], ids=["same process", "restarted"])
async def test_a_backend_that_does_not_tell_its_model_still_has_the_last_one_until_it_restarts(
    tmp_path: Path, instance: str, chosen: str
) -> None:
    adapters = {name: ScriptedAdapter(plays=ScriptedRun.complete) for name in ("one", "two")}
    two = adapters["two"]
    async with serving(tmp_path, adapters) as caller:
        await caller.refresh(*adapters)
        await caller.until_ended((await caller.create(text_to_image(model="first", backend="two"))).job_id)
        two.current_status = replace(two.current_status, instance=instance)
        await caller.refresh(*adapters)
        done = await caller.until_ended((await caller.create(text_to_image(model="first"))).job_id)
    assert [each.backend for each in done.attempts] == [chosen]


def break_at_once(run: ScriptedRun) -> None:
    run.fail(errors.NodeFailed("no such file"))


@pytest.mark.parametrize(("end", "next_one"), [(ScriptedRun.complete, "his"), (break_at_once, "hers")])
async def test_an_owner_pays_only_for_what_was_made(
    tmp_path: Path, end: Callable[[ScriptedRun], None], next_one: str
) -> None:
    one = ScriptedAdapter()
    async with serving(tmp_path, {"one": one}) as caller:
        await caller.create(owner="ann")
        first = await one.next_run()
        await caller.create(text_to_image(prompt="hers"), owner="ann")
        await caller.create(text_to_image(prompt="his"), owner="bob")
        end(first)
        source = (await one.next_run(2)).task.source
    assert isinstance(source, ImageParameters)
    assert source.prompt == next_one


async def test_what_was_made_while_nobody_waited_is_not_held_against_its_owner(tmp_path: Path) -> None:
    one = ScriptedAdapter()
    async with serving(tmp_path, {"one": one}) as caller:
        alone = await caller.create(text_to_image(steps=500), owner="ann")
        (await one.next_run()).complete()
        await caller.until_ended(alone.job_id)
        await caller.create(owner="bob")
        running = await one.next_run(2)
        await caller.create(text_to_image(prompt="hers"), owner="ann")
        await caller.create(text_to_image(prompt="his"), owner="bob")
        running.complete()
        source = (await one.next_run(3)).task.source
    assert isinstance(source, ImageParameters)
    assert source.prompt == "hers"  # bob has had a picture since the work began anew
