"""Backends come and go while the page looks on."""

from playwright.async_api import Page, expect

from tests.e2e.programs import fake_program, running
from tests.page.browsing import serious_problems
from tests.page.stack import Stack


async def test_a_backend_is_added_used_drained_and_taken_away(page: Page, stack: Stack) -> None:
    comfyui = fake_program("comfyui", "comfyui")
    async with running(comfyui):
        await page.goto(f"{stack.url}/#/backends")
        await page.get_by_role("heading", name="Only the demo paints so far").wait_for()
        await page.get_by_role("button", name="Add a backend").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Address").fill(comfyui.address)
        await dialog.get_by_role("button", name="Look what is there").click()
        await dialog.get_by_text("Found ComfyUI").wait_for()
        await dialog.get_by_label("Name").fill("big")
        await dialog.get_by_role("button", name="Add").click()
        card = page.get_by_role("listitem").filter(has=page.get_by_role("heading", name="big"))
        await card.get_by_text("Ready").wait_for()
        await expect(page.get_by_role("heading", name="Only the demo paints so far")).to_be_hidden()
        assert await serious_problems(page) == []

        job = await stack.call(
            "POST", "/api/v1/jobs", {"spec": {"image": {"prompt": "a fox", "steps": 60}, "backend": "big"}}
        )
        await card.get_by_role("link", name="Watch job 1").wait_for()
        await stack.call("POST", f"/api/v1/jobs/{job['job']['job_id']}:cancel", {})
        await expect(card.get_by_role("link", name="Watch job 1")).to_be_hidden()

        await card.get_by_role("button", name="Give no new jobs").click()
        await card.get_by_text("Gets no new jobs").wait_for()
        await card.get_by_role("button", name="Give jobs again").click()
        await card.get_by_text("Ready").wait_for()

        await comfyui.kill()
        await card.get_by_text("Does not answer").wait_for(timeout=30_000)
        await card.get_by_role("button", name="Take away").click()
        await page.get_by_role("dialog").get_by_role("button", name="Take away").click()
        await page.get_by_text("big was taken away").wait_for()
        await expect(card).to_be_hidden()
        await page.get_by_role("heading", name="Only the demo paints so far").wait_for()


async def test_an_address_that_is_none_is_told_at_its_field(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/backends")
    await page.get_by_role("button", name="Add a backend").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Address").fill(stack.url)  # a server, but no backend
    await dialog.get_by_role("button", name="Look what is there").click()
    await dialog.get_by_role("alert").wait_for()
    await dialog.get_by_label("Address").fill("http://127.0.0.1:9")
    await dialog.get_by_role("button", name="Look what is there").click()
    await dialog.get_by_role("alert").wait_for()


async def test_models_say_where_they_are(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/backends/models")
    rows = page.get_by_role("main").get_by_role("listitem")
    await rows.filter(has_text="demo").first.wait_for()
    await page.get_by_label("Type").select_option("LoRAs")
    await page.get_by_label("Search models").fill("warm")
    await expect(rows).to_have_count(1)
    await rows.get_by_role("link", name="Use it").click()
    await page.get_by_label("Weight of").first.wait_for()  # the form has it
    await page.go_back()
    await page.get_by_label("Search models").fill("no such model")
    await page.get_by_text("No backend has one like this").wait_for()
