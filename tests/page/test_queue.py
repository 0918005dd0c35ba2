"""The queue and the preview, live: watched, moved, cancelled, and picked up again after every kind of break."""

import re

from playwright.async_api import Browser, Locator, Page, expect

from tests.e2e.programs import gateway_program, running
from tests.page.browsing import DESKTOP, serious_problems, watched_page
from tests.page.stack import Stack

LONG = 400
"""Steps of a job that runs as long as a test needs it: 24 seconds at least."""


def section(page: Page, heading: str) -> Locator:
    return page.get_by_role("region", name=heading)


def rows(page: Page, heading: str) -> Locator:
    return section(page, heading).get_by_role("listitem")


async def cancel(stack: Stack, *jobs: str) -> None:
    for job in jobs:
        await stack.call("POST", f"/api/v1/jobs/{job}:cancel", {})


async def percent(page: Page) -> float:
    """How far the job is that the preview shows."""
    bar = page.get_by_role("progressbar", name="Progress").first
    return float(await bar.evaluate("bar => bar.position"))


async def beyond(page: Page, share: float) -> None:
    """Waits until the job is further than that."""
    await page.wait_for_function("share => document.querySelector('progress')?.position > share", arg=share)


async def test_a_job_is_watched_until_its_picture_is_there(page: Page, stack: Stack) -> None:
    job = await stack.make("a fox", steps=30)
    await page.goto(f"{stack.url}/#/generate?job={job}")
    preview = page.get_by_role("region", name="Preview")
    await preview.get_by_role("img", name="The picture as it is now: a fox").wait_for()
    await preview.get_by_text("step").wait_for()
    await preview.get_by_role("img", name="The picture: a fox").wait_for()
    await preview.get_by_role("link", name="Download", exact=True).wait_for()
    assert await serious_problems(page) == []


async def test_escape_in_the_preview_cancels(page: Page, stack: Stack) -> None:
    job = await stack.make("a fox", steps=LONG)
    await page.goto(f"{stack.url}/#/generate?job={job}")
    preview = page.get_by_role("region", name="Preview")
    await preview.get_by_text("step").wait_for()
    await preview.focus()
    await page.keyboard.press("Escape")
    await preview.get_by_text("Cancelled").last.wait_for()
    assert (await stack.call("GET", f"/api/v1/jobs/{job}"))["job"]["state"] == "JOB_STATE_CANCELLED"


async def test_a_reload_in_mid_job_goes_on_where_it_is(page: Page, stack: Stack) -> None:
    job = await stack.make("a fox", steps=LONG)
    await page.goto(f"{stack.url}/#/generate?job={job}")
    await beyond(page, 0.02)
    before = await percent(page)
    await page.reload()
    preview = page.get_by_role("region", name="Preview")
    await preview.get_by_role("img", name="The picture as it is now: a fox").wait_for()
    await preview.get_by_text("step").wait_for()
    assert await percent(page) >= before
    await cancel(stack, job)
    await preview.get_by_text("Cancelled").last.wait_for()


async def test_jobs_are_moved_paused_and_cancelled(page: Page, stack: Stack) -> None:
    first = await stack.make("the first", steps=LONG)
    waiting = [await stack.make(prompt) for prompt in ("a fox", "a lake", "a tower")]
    await page.goto(f"{stack.url}/#/queue")
    order = rows(page, "Waiting").get_by_role("link")
    await expect(order).to_have_text(["a fox", "a lake", "a tower"])
    assert await serious_problems(page) == []

    tower = rows(page, "Waiting").filter(has_text="a tower")
    async with page.expect_response(re.compile(":move$")):  # the page shows the order before it counts
        await tower.get_by_role("button", name="Up").press("Enter")
        await expect(order).to_have_text(["a fox", "a tower", "a lake"])
    await expect(tower.get_by_role("button", name="Up")).to_be_focused()
    async with page.expect_response(re.compile(":move$")):
        await drag(page, rows(page, "Waiting").filter(has_text="a lake"), rows(page, "Waiting").first)
    await expect(order).to_have_text(["a lake", "a fox", "a tower"])
    await expect(page.get_by_role("alert")).to_have_count(0)
    entries = (await stack.call("GET", "/api/v1/queue/entries"))["entries"]
    assert [entry["job_id"] for entry in entries] == [waiting[1], waiting[0], waiting[2]]

    await tower.get_by_role("button", name="Pause").click()
    await tower.get_by_text("Is paused").wait_for()
    await tower.get_by_role("combobox", name="Priority").select_option("Soon")
    await expect(tower.get_by_role("combobox", name="Priority")).to_have_value("5")
    await page.get_by_role("button", name="Pause the queue").click()
    await page.get_by_text("The queue is paused: what runs goes on").wait_for()
    await page.get_by_role("button", name="Go on").first.click()
    await expect(page.get_by_text("The queue is paused: what runs goes on")).to_be_hidden()

    await page.get_by_role("button", name="Cancel all 4 of mine").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel all 4 of mine").click()
    await page.get_by_text("Nothing runs and nothing waits.").wait_for()
    await expect(rows(page, "Ended").filter(has_text="Cancelled").filter(has_text="the first")).to_be_visible()
    assert (await stack.call("GET", f"/api/v1/jobs/{first}"))["job"]["state"] == "JOB_STATE_CANCELLED"


async def drag(page: Page, row: Locator, target: Locator) -> None:
    """By its handle to before another row."""
    await row.get_by_title("Drag to move").hover()
    await page.mouse.down()
    await target.hover(position={"x": 100, "y": 3})
    await page.mouse.up()


async def test_an_ended_job_is_made_again_and_removed(page: Page, stack: Stack) -> None:
    job = await stack.make("a very special fox")
    await page.goto(f"{stack.url}/#/queue?text=special")
    row = rows(page, "Ended").filter(has_text="a very special fox")
    await row.get_by_text("Finished").wait_for()
    await row.get_by_label("What to do with this job").click()
    await row.get_by_role("button", name="Again, with a new seed").click()
    await expect(row).to_have_count(2)
    await row.last.get_by_label("What to do with this job").click()
    await row.last.get_by_role("button", name="Remove from the list").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove from the list").click()
    await expect(row).to_have_count(1)
    jobs = (await stack.call("GET", "/api/v1/jobs"))["jobs"]
    assert job not in [each["job_id"] for each in jobs]


async def test_what_ended_while_the_page_was_closed_is_told(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/queue")
    job = await stack.make("a fox", steps=60)
    await rows(page, "Running").filter(has_text="a fox").get_by_text("step").wait_for()
    await page.goto("about:blank")
    await stack.ended(job)
    await page.goto(f"{stack.url}/#/queue")
    await page.get_by_text("You were away").wait_for()


async def test_two_tabs_share_a_stream_and_the_second_goes_on_when_the_first_is_closed(
    browser: Browser, stack: Stack
) -> None:
    job = await stack.make("a fox", steps=LONG)
    async with watched_page(browser, **DESKTOP) as second:
        streams: list[str] = []
        second.context.on("request", lambda request: streams.append(request.url) if "/events?" in request.url else None)
        first = await second.context.new_page()
        await first.goto(f"{stack.url}/#/generate?job={job}")
        await first.get_by_role("region", name="Preview").get_by_text("step").wait_for()
        await second.goto(f"{stack.url}/#/generate?job={job}")
        await second.get_by_role("region", name="Preview").get_by_text("step").wait_for()
        assert len(streams) == 1
        await first.close()
        before = await percent(second)
        await beyond(second, before)
        assert len(streams) == 2
        await cancel(stack, job)
        await second.get_by_role("region", name="Preview").get_by_text("Cancelled").last.wait_for()


async def test_what_ended_while_the_gateway_was_gone_is_told(page: Page, stack: Stack) -> None:
    other = gateway_program(stack.server)
    async with running(other):
        await page.goto(f"{stack.url}/#/queue")
        job = await stack.make("a lantern", steps=60)
        await rows(page, "Running").filter(has_text="a lantern").get_by_text("step").wait_for()
        await stack.gateway.kill()
        await page.get_by_text("The connection is interrupted").wait_for()
        await Stack(stack.server, other).ended(job)
    await stack.gateway.start()
    await page.get_by_text("You were away").wait_for()
    await page.get_by_role("link", name="1 picture was finished").wait_for()
    await expect(page.get_by_text("The connection is interrupted")).to_be_hidden()
    await rows(page, "Ended").filter(has_text="a lantern").get_by_text("Finished").wait_for()
    await page.get_by_role("button", name="Dismiss").click()
    await expect(page.get_by_text("You were away")).to_be_hidden()


async def test_a_job_is_watched_on_when_its_server_was_killed(page: Page, stack: Stack) -> None:
    job = await stack.make("a fox", steps=40)
    await page.goto(f"{stack.url}/#/generate?job={job}")
    preview = page.get_by_role("region", name="Preview")
    await preview.get_by_text("step").wait_for()
    await stack.server.kill()
    await page.get_by_text("The connection is interrupted").wait_for()
    await stack.server.start()
    await expect(page.get_by_text("The connection is interrupted")).to_be_hidden(timeout=30_000)
    await preview.get_by_role("img", name="The picture: a fox").wait_for(timeout=30_000)
