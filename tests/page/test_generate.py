"""The form: a picture is made and comes back after a reload, links fill it in, masks are painted."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from playwright.async_api import Locator, Page, Request, expect

from tests.page.browsing import serious_problems
from tests.page.stack import Stack

JOB = re.compile(r"#/generate\?job=([0-9a-f-]{36})$")


@pytest_asyncio.fixture(loop_scope="session")
async def form(page: Page, stack: Stack) -> Page:
    await page.goto(f"{stack.url}/#/generate")
    await prompt(page).wait_for()
    return page


def prompt(page: Page) -> Locator:
    return page.get_by_label("Prompt", exact=True)


def steps(page: Page) -> Locator:
    return page.get_by_role("spinbutton", name="Steps", exact=True).first


async def shown_job(page: Page, stack: Stack) -> dict[str, Any]:
    """The job that the page shows, as soon as it shows one."""
    await page.wait_for_url(JOB)
    found = JOB.search(page.url)
    assert found
    return dict((await stack.call("GET", f"/api/v1/jobs/{found[1]}"))["job"])


async def finished_picture(stack: Stack, job_id: str) -> str:
    """Digest of a job's picture."""
    return str((await stack.ended(job_id))["outputs"][0]["asset"]["digest"])


def inputs_of(job: dict[str, Any]) -> dict[str, Any]:
    return dict(job["spec"]["workflow"]["inputs"])


async def test_a_picture_is_made_from_the_keyboard_and_is_still_there_after_a_reload(form: Page, stack: Stack) -> None:
    await expect(steps(form)).to_have_attribute("placeholder", "20")  # what the server would take
    await steps(form).fill("4")
    await prompt(form).fill("a lighthouse at dusk")
    await prompt(form).press("Control+Enter")
    job = await shown_job(form, stack)
    assert inputs_of(job)["prompt"] == "a lighthouse at dusk"
    assert inputs_of(job)["steps"] == 4
    await expect(prompt(form)).to_be_focused()  # and may be changed at once
    await form.reload()
    await expect(prompt(form)).to_have_value("a lighthouse at dusk")
    picture = await finished_picture(stack, job["job_id"])
    await expect(form.locator(f"img[src*='{picture}']").first).to_be_visible()
    await form.get_by_role("button", name="Keep this seed").click()
    await expect(form.get_by_label("Seed", exact=True)).to_have_value(str(inputs_of(job)["seed"]))


async def test_several_are_asked_for_without_waiting(form: Page, stack: Stack) -> None:
    await prompt(form).fill("one of several")
    await steps(form).fill("3")
    await form.get_by_role("button", name="One picture more").click()
    for _ in range(3):
        await form.get_by_role("button", name="Generate 2 pictures").click()
    strip = form.get_by_role("region", name="Last pictures")
    await expect(strip.get_by_role("button", name="Show: one of several")).to_have_count(3)


async def test_what_is_wrong_stands_at_its_field(form: Page) -> None:
    """While it is written, and without telling of what nobody has touched yet."""
    await form.get_by_label("What to make").select_option("Image to image")
    await steps(form).fill("501")
    await expect(form.get_by_text("must be from 1 to 500, not 501")).to_be_visible()
    assert not await form.get_by_text("is required").is_visible()
    await steps(form).press("Control+Enter")
    await expect(form.get_by_text("is required")).to_be_visible()
    await expect(steps(form)).to_be_focused()
    await steps(form).fill("5")
    await expect(form.get_by_text("must be from 1 to 500")).to_have_count(0)


async def test_a_link_fills_the_form_and_is_taken_back(form: Page, stack: Stack) -> None:
    await prompt(form).fill("mine")
    await form.goto(f"{stack.url}/#/generate?workflow=text-to-image&i.prompt=theirs&i.steps=json:7&i.gone=x")
    await expect(prompt(form)).to_have_value("theirs")
    await expect(steps(form)).to_have_value("7")
    await expect(form.get_by_text("This workflow has no input for gone; left out.")).to_be_visible()
    assert form.url.endswith("#/generate")
    await form.get_by_role("button", name="Undo", exact=True).click()
    await expect(prompt(form)).to_have_value("mine")


async def test_a_link_to_what_is_no_job_says_so(form: Page, stack: Stack) -> None:
    await form.goto(f"{stack.url}/#/generate?job=<b>../../session</b>")
    await expect(form.get_by_role("region", name="Preview")).to_contain_text("no longer known")


async def test_a_painted_mask_goes_with_the_request(form: Page, stack: Stack) -> None:
    picture = await finished_picture(stack, await stack.make("a lake"))
    await form.goto(f"{stack.url}/#/generate?workflow=inpaint&i.init_image={picture}&i.prompt=moon&i.steps=json:2")
    await form.get_by_role("button", name="Paint the mask").click()
    canvas = form.get_by_role("application")
    await canvas.hover(position={"x": 60, "y": 60})
    await form.mouse.down()
    await canvas.dispatch_event("pointerdown", {"pointerId": 77})  # a palm paints nothing
    await form.mouse.up()
    await canvas.press("ArrowRight")
    await canvas.press(" ")
    assert await serious_problems(form) == []
    undo = form.get_by_role("dialog").get_by_role("button", name="Undo", exact=True)
    await undo.click()
    await form.keyboard.press("Control+z")
    await expect(undo).to_be_disabled()
    await form.keyboard.press("Control+Shift+z")
    await form.get_by_role("button", name="Use this mask").click()
    await form.reload()
    painted = form.get_by_role("img", name="The painted mask over the picture")
    await painted.wait_for()
    await form.get_by_role("button", name="Start over").click()
    await expect(painted).to_have_count(0)
    await form.get_by_role("button", name="Undo", exact=True).click()
    await painted.wait_for()
    await form.get_by_role("button", name="Generate a picture").click()
    job = await shown_job(form, stack)
    mask = await stack.call("GET", f"/api/v1/assets/{inputs_of(job)['mask']}/info")
    assert (mask["asset"]["width"], mask["asset"]["height"]) == (256, 256)


async def test_a_picture_gives_its_settings_or_itself(form: Page, stack: Stack) -> None:
    picture = await finished_picture(stack, await stack.make("a harbour", steps=3, seed="9007199254740993"))
    dropped = await form.evaluate_handle(
        """digest => {
            const data = new DataTransfer();
            data.setData('application/x-imagegen-asset', digest);
            return data;
        }""",
        picture,
    )
    await form.dispatch_event("main", "drop", {"dataTransfer": dropped})
    await form.get_by_role("button", name="Use its settings").click()
    await expect(prompt(form)).to_have_value("a harbour")
    await expect(form.get_by_label("Seed", exact=True)).to_have_value("9007199254740993")
    await form.dispatch_event("main", "drop", {"dataTransfer": dropped})
    await form.get_by_role("button", name="Start from this picture").click()
    await expect(form.get_by_label("What to make")).to_have_value("image-to-image")
    await expect(form.get_by_role("img", name="Initial image: the chosen picture")).to_be_visible()


@pytest_asyncio.fixture(loop_scope="session")
async def counted(form: Page) -> AsyncIterator[tuple[Page, list[str | None]]]:
    """The form, and the idempotency keys of what it asked for."""
    keys: list[str | None] = []

    def note(request: Request) -> None:
        if request.url.endswith("/api/v1/jobs") and "validate_only" not in (request.post_data or ""):
            keys.append(request.headers.get("idempotency-key"))

    form.on("request", note)
    yield form, keys


async def test_what_was_not_heard_is_asked_again_as_the_same(counted: tuple[Page, list[str | None]]) -> None:
    form, keys = counted
    await prompt(form).fill("through the storm")
    await steps(form).fill("2")
    await form.context.set_offline(True)
    await form.get_by_role("button", name="Generate a picture").click()
    await expect(form.get_by_text("Nothing was sent: there is no connection.")).to_be_visible()
    await form.get_by_role("link", name="Settings").click()
    await form.get_by_text("This part of the page comes when the connection is back.").wait_for()
    await form.context.set_offline(False)
    await form.get_by_role("heading", level=1, name="Settings").wait_for()
    await form.get_by_role("link", name="Generate").click()
    await form.get_by_role("button", name="Generate a picture").click()
    await form.wait_for_url(JOB)
    assert len(keys) == 2
    assert len(set(keys)) == 1
