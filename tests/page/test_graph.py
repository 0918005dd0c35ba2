"""A graph is edited on the canvas and in the list, stored, and watched while it runs."""

import json
from typing import Any

from playwright.async_api import Browser, Locator, Page, expect

from tests.page.browsing import PHONE, asks_for_a_job, serious_problems, watched_page
from tests.page.stack import Stack

LARGEST_SEED = 2**64 - 1
_SAMPLER = {"steps": 20, "cfg": 7, "sampler_name": "euler", "scheduler": "normal", "denoise": 1}
_LINKS = {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}
GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {"seed": LARGEST_SEED, **_SAMPLER, **_LINKS}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "demo-landscape"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 256, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox", "clip": ["4", 1]}, "_meta": {"title": "Wish"}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"images": ["8", 0], "filename_prefix": "fox"}},
}
LINKS = 9


async def stored(stack: Stack, title: str) -> str:
    """Stores the graph; gives the workflow's id."""
    workflow = {"title": title, "graph_json": json.dumps(GRAPH)}
    return str((await stack.call("POST", "/api/v1/workflows", {"workflow": workflow}))["workflow"]["workflow_id"])


async def newest(stack: Stack, workflow_id: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The graph and the inputs as they are stored."""
    workflow = (await stack.call("GET", f"/api/v1/workflows/{workflow_id}"))["workflow"]
    return json.loads(workflow["graph_json"]), workflow["inputs"]


def node(page: Page, title: str) -> Locator:
    return page.locator(".svelte-flow__node").filter(has=page.get_by_role("heading", name=title, exact=True))


async def test_a_graph_is_edited_undone_and_stored(page: Page, stack: Stack) -> None:
    workflow_id = await stored(stack, "Edited")
    await page.goto(f"{stack.url}/#/workflows/{workflow_id}")
    steps = page.get_by_label("steps, KSampler")
    undo, redo = page.get_by_role("button", name="Undo"), page.get_by_role("button", name="Redo")

    # A value is one step, however many keys it takes.
    await steps.fill("12")
    await undo.click()
    await expect(steps).to_have_value("20")
    await redo.click()
    await expect(steps).to_have_value("12")
    await expect(page.get_by_label("seed, KSampler")).to_have_value(str(LARGEST_SEED))

    # A node is added by name, and linked by dragging.
    await page.get_by_role("button", name="Add a node").click()
    await page.get_by_role("combobox", name="Add a node").fill("preview image")
    await page.keyboard.press("Enter")
    preview = node(page, "Preview Image")
    await expect(preview).to_be_visible()
    await expect(page.get_by_role("region", name="Graph", exact=True)).to_be_focused()  # the keys are for it now
    links = page.locator(".svelte-flow__edge")
    await expect(links).to_have_count(LINKS)
    await page.get_by_role("button", name="Show all").click()
    begin = node(page, "VAE Decode").locator('.source[data-handleid="0"]')
    await begin.drag_to(preview.locator('.target[data-handleid="images"]'))
    await expect(links).to_have_count(LINKS + 1)

    # It goes by a key, and comes back with its link.
    await preview.get_by_role("heading").click()
    await page.keyboard.press("Delete")
    await expect(preview).to_be_hidden()
    await page.keyboard.press("Control+z")
    await expect(preview).to_be_visible()
    await expect(links).to_have_count(LINKS + 1)
    await page.keyboard.press("Control+y")
    await expect(preview).to_be_hidden()

    # A value becomes an input of the workflow.
    mark = page.get_by_role("button", name="Make steps an input of the workflow")
    await mark.click()
    await expect(page.get_by_role("button", name="Make steps no input any more")).to_have_attribute(
        "aria-pressed", "true"
    )
    assert await serious_problems(page) == []

    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_text("all saved").wait_for()
    graph, inputs = await newest(stack, workflow_id)
    expected = json.loads(json.dumps(GRAPH))
    expected["3"]["inputs"]["steps"] = 12
    assert graph == expected
    assert [(each["name"], each["targets"]) for each in inputs] == [("steps", [{"node_id": "3", "input": "steps"}])]


async def test_a_graph_is_stored_and_run_and_run_as_it_is_drawn(page: Page, stack: Stack) -> None:
    workflow_id = await stored(stack, "Tried")
    await page.goto(f"{stack.url}/#/workflows/{workflow_id}")
    steps = page.get_by_label("steps, KSampler")
    await steps.fill("12")
    await page.get_by_role("button", name="Make steps an input of the workflow").click()
    await page.get_by_role("tab", name="Try it").click()
    async with page.expect_request(asks_for_a_job) as sent:
        await page.get_by_role("button", name="Save and try it", exact=True).click()
    asked = json.loads((await sent.value).post_data or "")
    assert asked["spec"]["workflow"]["workflow_id"] == workflow_id
    graph, _ = await newest(stack, workflow_id)
    assert graph["3"]["inputs"]["steps"] == 12
    await node(page, "KSampler").get_by_label("At work").wait_for()
    await node(page, "Save Image").get_by_label("Done").wait_for()
    await node(page, "Save Image").get_by_role("img", name="Preview").wait_for()

    await steps.fill("3")
    async with page.expect_request(asks_for_a_job) as sent:
        await steps.press("Control+Enter")
    asked = json.loads((await sent.value).post_data or "")
    drawn = json.loads(asked["spec"]["graph"]["json"])
    assert drawn["3"]["inputs"]["steps"] == 3


async def test_the_keyboard_does_what_the_pointer_does(page: Page, stack: Stack) -> None:
    workflow_id = await stored(stack, "By keys")
    await page.goto(f"{stack.url}/#/workflows/{workflow_id}")
    canvas = page.get_by_role("region", name="Graph")
    await node(page, "KSampler").wait_for()
    await canvas.focus()

    await page.keyboard.press("Control+f")
    await page.keyboard.type("wish")
    await page.keyboard.press("Enter")
    await expect(page.locator(".svelte-flow__node.selected")).to_have_attribute("data-id", "6")

    await page.keyboard.press("F2")
    await page.get_by_label("Title of the node").fill("Hope")
    await page.keyboard.press("Enter")
    await node(page, "Hope").wait_for()

    await canvas.focus()
    await page.keyboard.press("Control+d")
    await expect(node(page, "Hope")).to_have_count(2)
    await page.keyboard.press("Delete")
    await expect(node(page, "Hope")).to_have_count(1)

    await page.keyboard.press(".")  # all in sight: what is not is not drawn
    links = page.locator(".svelte-flow__edge")
    await expect(links).to_have_count(LINKS)
    await links.first.focus()
    await page.keyboard.press("Enter")
    await page.keyboard.press("Delete")
    await expect(links).to_have_count(LINKS - 1)
    await page.keyboard.press("Control+z")
    await expect(links).to_have_count(LINKS)

    await page.keyboard.press("Space")
    await page.keyboard.type("vae encode")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("combobox", name="Add a node")).to_be_hidden()
    await page.keyboard.press("Control+a")
    await expect(page.locator(".svelte-flow__node.selected")).to_have_count(len(GRAPH))


async def test_a_link_dropped_on_the_canvas_offers_the_nodes_that_take_it(page: Page, stack: Stack) -> None:
    workflow_id = await stored(stack, "Dropped")
    await page.goto(f"{stack.url}/#/workflows/{workflow_id}")
    begin = node(page, "VAE Decode").locator('.source[data-handleid="0"]')
    await begin.drag_to(page.locator(".svelte-flow__pane"), target_position={"x": 300, "y": 620})
    search = page.get_by_role("combobox", name="Add a node that fits")
    await search.fill("save image")
    found = page.get_by_role("listbox", name="Add a node that fits").get_by_role("option")
    await expect(found.first).to_contain_text("Save Image")
    await search.fill("ksampler")
    await expect(found).to_have_count(0)
    await search.fill("preview image")
    await page.keyboard.press("Enter")
    await expect(page.locator(".svelte-flow__edge")).to_have_count(LINKS + 1)


async def test_a_phone_edits_the_same_in_a_list(browser: Browser, stack: Stack) -> None:
    workflow_id = await stored(stack, "On a phone")
    async with watched_page(browser, **PHONE) as page:
        await page.goto(f"{stack.url}/#/workflows/{workflow_id}")
        decoder = page.get_by_role("listitem").filter(has_text="VAE Decode").first
        await decoder.locator("summary").click()
        samples = page.get_by_label("samples, VAE Decode")
        await expect(samples.locator("option:checked")).to_have_text("KSampler: LATENT")
        await samples.select_option(label="Empty Latent Image: LATENT")
        assert await serious_problems(page) == []
        await page.get_by_role("button", name="Save", exact=True).click()
        await page.get_by_text("all saved").wait_for()
    graph, _ = await newest(stack, workflow_id)
    assert graph["8"]["inputs"]["samples"] == ["5", 0]
