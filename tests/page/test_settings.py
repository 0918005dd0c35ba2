"""Settings, keys and appearance, as somebody changes them."""

import json
from pathlib import Path

from playwright.async_api import Browser, Page, expect

from tests.page.browsing import VIEWS, serious_problems, watched_page
from tests.page.stack import Stack, running_stack

ACCENTS = str.maketrans("aeiouAEIOU", "áéíóúÁÉÍÓÚ")
"""What the pseudo language makes of letters."""


async def test_a_setting_counts_from_the_next_picture_on(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/settings/generation")
    await page.get_by_label("Steps", exact=True).fill("7")
    await page.get_by_text("1 change").wait_for()
    await page.get_by_role("button", name="Save changes").click()
    await page.get_by_text("Settings saved").wait_for()
    await page.get_by_text("set here", exact=True).wait_for()
    made = await stack.call("POST", "/api/v1/jobs", {"spec": {"image": {"prompt": "a fox"}}, "validate_only": True})
    assert made["job"]["spec"]["image"]["steps"] == 7

    await page.goto(f"{stack.url}/#/settings/history")
    await page.get_by_text("Steps: not set here → 7").wait_for()
    await page.get_by_role("button", name="Set back").click()
    await page.get_by_text("Steps: 7 → not set here").wait_for()
    settings = await stack.call("GET", "/api/v1/settings")
    assert "steps" not in settings["stored"].get("defaults", {})


async def test_a_refusal_stands_at_its_field_and_nothing_is_lost(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/settings/generation")
    width = page.get_by_label("Width in pixels", exact=True)
    await width.fill("648")
    await page.evaluate("document.querySelector('form').noValidate = true")  # let the server say it
    await width.fill("641")
    await page.get_by_label("Steps", exact=True).fill("9")
    await page.get_by_role("button", name="Save changes").click()
    await page.get_by_role("alert").get_by_text("must be a multiple of 8 from 64 to 4096").wait_for()
    assert await width.get_attribute("aria-invalid") == "true"
    await expect(page.get_by_label("Steps", exact=True)).to_have_value("9")
    assert await serious_problems(page) == []


async def test_two_people_change_settings_at_once(page: Page, stack: Stack) -> None:
    await stack.call("PATCH", "/api/v1/settings", {"settings": {"retention": {"keep_jobs": 9}}})
    await page.goto(f"{stack.url}/#/settings/storage")
    await page.get_by_label("Days to keep pictures", exact=True).fill("30")
    await stack.call("PATCH", "/api/v1/settings", {"settings": {"retention": {"keep_jobs": 5}}})
    await page.get_by_role("button", name="Save changes").click()
    await page.get_by_text("Somebody else changed the settings meanwhile").wait_for()
    await expect(page.get_by_label("Finished jobs to keep", exact=True)).to_have_value("5")
    await expect(page.get_by_label("Days to keep pictures", exact=True)).to_have_value("30")
    await page.get_by_role("button", name="Save changes").click()
    await page.get_by_text("Settings saved").wait_for()


async def test_a_house_gets_its_keys(browser: Browser, page: Page, tmp_path: Path) -> None:
    async with running_stack(tmp_path) as stack:
        await page.goto(f"{stack.url}/#/settings/keys")
        await page.get_by_text("Whoever reaches this address can use everything").wait_for()
        admin = await make_key(page, "anna")
        await page.get_by_role("listitem").get_by_text("anna").first.wait_for()  # whoever made the first key is inside
        async with watched_page(browser) as stranger:
            await stranger.goto(stack.url)
            await stranger.get_by_label("Your key").fill("a key that is wrong")
            await stranger.get_by_role("button", name="Sign in").click()
            await stranger.get_by_text("this key is not known here").wait_for()
            beside = await stranger.context.new_page()
            await beside.goto(stack.url)
            await beside.get_by_label("Your key").wait_for()
            await stranger.get_by_label("Your key").fill(admin)
            await stranger.get_by_role("button", name="Sign in").click()
            for tab in (stranger, beside):
                await tab.get_by_role("heading", level=1, name="Generate").wait_for()
        assert "imagegen_key" not in await page.evaluate("document.cookie")
        user = await make_key(page, "ben", role="User")

        async with watched_page(browser) as other:
            await other.goto(f"{stack.url}/#/settings/generation")
            await other.get_by_label("Your key").fill(user)
            await other.get_by_role("button", name="Sign in").click()
            await other.get_by_text("sign in with a key whose role is admin").wait_for()
            assert await other.get_by_label("Steps", exact=True).is_disabled()
            assert await other.get_by_role("link", name="Keys", exact=True).count() == 0

            await page.get_by_role("button", name="Take away the key ben").click()
            await page.get_by_role("dialog").get_by_role("button", name="Take away the key ben").click()
            await page.get_by_text("The key ben is gone").wait_for()
            await other.reload()
            await other.get_by_label("Your key").wait_for()


async def make_key(page: Page, name: str, role: str = "Admin") -> str:
    """Makes a key; gives what its holder shows."""
    await page.get_by_role("button", name="Make a key").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name", exact=True).fill(name)
    await dialog.get_by_label("Role").select_option(role)
    await dialog.get_by_role("button", name="Make a key").click()
    secret = await dialog.get_by_label("Key", exact=True).input_value()
    assert await serious_problems(page) == []
    await dialog.get_by_role("button", name="I have kept it").click()
    return secret


async def test_a_theme_is_there_from_the_first_paint(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/settings")
    await page.get_by_label("Theme").select_option("Dark")
    assert await page.evaluate("document.documentElement.classList.contains('dark')")
    await page.reload(wait_until="commit")
    await page.wait_for_function("document.documentElement?.classList.contains('dark')")


async def test_every_text_of_every_view_can_be_translated(page: Page, stack: Stack) -> None:
    """In the pseudo language each text that was written into a component is seen at once: it has no accents."""
    await page.goto(stack.url)
    await page.evaluate("localStorage.setItem('imagegen.appearance', JSON.stringify({language: 'en-XA'}))")
    workflows = (await stack.call("GET", "/api/v1/workflows"))["workflows"]
    schemas = [json.loads(workflow["input_schema_json"]) for workflow in workflows]
    of_the_server = {field["title"] for schema in schemas for field in schema["properties"].values()} | {"demo"}
    plain: list[str] = []
    await page.reload()
    for view, heading in VIEWS.items():
        await page.goto(f"{stack.url}/#/{view}")
        await page.get_by_role("heading", level=1, name=heading.translate(ACCENTS)).wait_for()
        plain += await page.evaluate(PLAIN_LABELS)
    await page.goto(f"{stack.url}/#/backends/models")
    await page.get_by_label("Search models".translate(ACCENTS)).wait_for()
    plain += await page.evaluate(PLAIN_LABELS)
    assert sorted(set(plain) - of_the_server) == []


# Of what has a role of its own: what people wrote, and what the server says, is in paragraphs and fields.
PLAIN_LABELS = """
() => [...document.querySelectorAll('button, label, h1, h2, legend, nav a, th, [placeholder], [aria-label]')]
  .flatMap((item) => [item.getAttribute('aria-label') || item.innerText, item.placeholder ?? ''])
  .map((text) => text.trim())
  .filter((text) => /[aeiou]/i.test(text) && !/[áéíóúÁÉÍÓÚ]/.test(text))
"""
