"""Workflows are brought in, used, changed, compared, deleted and brought back."""

import json
from pathlib import Path
from typing import Any

from playwright.async_api import FilePayload, Page, expect

from tests.page.browsing import asks_for_a_job, serious_problems
from tests.page.stack import Stack

PICTURE = Path(__file__).parents[1] / "recordings" / "comfyui" / "output.png"
GRAPH: dict[str, Any] = {
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "somebody-elses.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 256, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a lighthouse", "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["4", 1]}},
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 18446744073709551615,
            "steps": 4,
            "cfg": 8,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1,
            "model": ["4", 0],
            "positive": ["6", 0],
            "negative": ["7", 0],
            "latent_image": ["5", 0],
        },
    },
    "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
    "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "tower", "images": ["8", 0]}},
}


async def stored(stack: Stack, workflow_id: str) -> None:
    """Stores the graph with the demo's own model, as an import proposes it."""
    model = (await stack.call("GET", "/api/v1/models?type=MODEL_TYPE_CHECKPOINT"))["models"][0]["name"]
    graph = json.dumps(GRAPH | {"4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": model}}})
    imported = await stack.call("POST", "/api/v1/workflows:import", {"text": graph})
    workflow = imported["workflow"] | {"workflow_id": workflow_id, "title": workflow_id.capitalize()}
    await stack.call("POST", "/api/v1/workflows", {"workflow": workflow})


async def newest(stack: Stack, workflow_id: str) -> dict[str, Any]:
    return dict((await stack.call("GET", f"/api/v1/workflows/{workflow_id}"))["workflow"])


async def made_by(page: Page, stack: Stack, button: str) -> str:
    """Presses the button and waits for the picture; gives the workflow that made it."""
    async with page.expect_response(lambda answer: asks_for_a_job(answer.request)) as answer:
        await page.get_by_role("button", name=button, exact=True).click()
    job = await stack.ended((await (await answer.value).json())["job"]["job_id"])
    assert job["state"] == "JOB_STATE_SUCCEEDED"
    return str(job["spec"]["workflow"]["workflow_id"])


async def test_a_file_is_imported_mended_and_used(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/workflows")
    await page.get_by_role("button", name="Import a workflow").click()
    file = FilePayload(name="Tower.json", mimeType="application/json", buffer=json.dumps(GRAPH).encode())
    await page.locator("input[type=file]").set_input_files(file)
    await page.get_by_role("heading", name="This is what was found").wait_for()
    await expect(page.get_by_role("checkbox", name="Seed")).to_be_checked()
    await page.get_by_text("demo cannot run it").wait_for()
    assert await serious_problems(page) == []

    await page.get_by_text("Use instead").locator("..").get_by_role("button").first.click()
    await page.get_by_text("demo can run it").wait_for()
    await page.get_by_role("checkbox", name="CFG scale").uncheck()
    await page.get_by_role("button", name="Add to my workflows").click()
    await page.get_by_role("link", name="Make a picture with it").wait_for()
    tower = await newest(stack, "tower")
    assert "cfg_scale" not in [each["name"] for each in tower["inputs"]]
    assert "18446744073709551615" in tower["graph_json"]

    await page.get_by_role("link", name="Make a picture with it").click()
    assert await made_by(page, stack, "Generate a picture") == "tower"
    await page.goto(f"{stack.url}/#/workflows/tower?panel=try")
    assert await made_by(page, stack, "Try it") == "tower"


async def test_a_picture_brings_its_workflow(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/workflows?import=")
    await page.locator("input[type=file]").set_input_files(PICTURE)
    await page.get_by_role("heading", name="This is what was found").wait_for()
    await page.get_by_text("A ComfyUI workflow in API format, from output.png · 7 nodes").wait_for()


async def test_an_input_is_exposed_moved_and_stored(page: Page, stack: Stack) -> None:
    await stored(stack, "mill")
    await page.goto(f"{stack.url}/#/workflows/mill")
    inputs = page.get_by_role("tabpanel").get_by_role("listitem")
    await expect(inputs).to_have_count(11)
    await page.get_by_role("button", name="As a list").click()
    await page.locator("summary", has_text="Save Image").click()
    await page.get_by_role("button", name="Make filename_prefix an input").click()
    await expect(inputs).to_have_count(12)
    await page.keyboard.press("Control+z")
    await expect(inputs).to_have_count(11)
    await page.keyboard.press("Control+Shift+z")
    await expect(inputs).to_have_count(12)

    added = inputs.last
    await added.get_by_role("button", name="Move").press("ArrowUp")
    await added.get_by_role("button", name="Move").focus()
    await page.get_by_role("button", name="Filename prefix", expanded=False).click()
    await page.get_by_label("Title", exact=True).fill("Name of the file")
    assert await serious_problems(page) == []
    await page.keyboard.press("Control+s")
    await page.get_by_text("version 2 · all saved").wait_for()
    assert (await newest(stack, "mill"))["inputs"][10]["title"] == "Name of the file"

    await page.get_by_role("tab", name="Versions").click()
    await page.get_by_role("button", name="version 2").click()
    await page.get_by_text("+ Name of the file").wait_for()
    await page.get_by_role("button", name="version 1").click()
    await page.get_by_role("button", name="Make this the newest").click()
    await page.get_by_text("version 3 · all saved").wait_for()
    assert len((await newest(stack, "mill"))["inputs"]) == 11


async def test_what_somebody_else_stored_is_not_lost(page: Page, stack: Stack) -> None:
    await stored(stack, "bridge")
    await page.goto(f"{stack.url}/#/workflows/bridge")
    await page.get_by_role("tab", name="About").click()
    await page.get_by_label("What it is for").fill("Mine")
    await stack.call("PATCH", "/api/v1/workflows/bridge", {"title": "Viaduct"})
    await page.get_by_role("button", name="Save").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_text("Viaduct").wait_for()
    await dialog.get_by_role("button", name="Take theirs").click()
    await page.get_by_role("heading", name="Viaduct").wait_for()
    await page.keyboard.press("Control+z")
    await expect(page.get_by_label("What it is for")).to_have_value("Mine")


async def test_changes_wait_for_whoever_looks_elsewhere(page: Page, stack: Stack) -> None:
    await stored(stack, "harbour")
    await page.goto(f"{stack.url}/#/workflows/harbour")
    await page.get_by_role("tab", name="About").click()
    await page.get_by_label("What it is for").fill("Ships")
    await page.get_by_role("link", name="All workflows").click()
    await page.get_by_role("button", name="Go back").click()
    await page.get_by_text("unsaved changes").wait_for()
    await page.get_by_role("tab", name="About").click()
    await expect(page.get_by_label("What it is for")).to_have_value("Ships")


async def test_a_style_is_made_changed_deleted_and_brought_back(page: Page, stack: Stack) -> None:
    await page.goto(f"{stack.url}/#/workflows/text-to-image")
    await page.get_by_role("button", name="Make a style of it").click()
    await page.get_by_role("heading", name="My text to image").wait_for()
    await page.get_by_role("textbox", name="Negative prompt").fill("text, watermark")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_text("version 2 · all saved").wait_for()
    style = await newest(stack, "my-text-to-image")
    assert [each["default_value"] for each in style["inputs"]] == ["text, watermark"]

    await page.get_by_role("link", name="All workflows").click()
    card = page.get_by_role("article").filter(has=page.get_by_role("heading", name="My text to image"))
    await card.get_by_label("More for My text to image").click()
    await card.get_by_role("button", name="Delete").click()
    await expect(card).to_be_hidden()
    await page.get_by_role("button", name="Undo").click()
    await card.wait_for()
    assert (await newest(stack, "my-text-to-image"))["inputs"] == style["inputs"]


DROP = """({selector, text}) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([text], 'dropped.json', {type: 'application/json'}));
    const event = new DragEvent('drop', {dataTransfer, bubbles: true, cancelable: true});
    return !document.querySelector(selector).dispatchEvent(event);
}"""


async def test_a_file_dropped_on_a_graph_is_read_and_one_dropped_elsewhere_is_not(page: Page, stack: Stack) -> None:
    await stored(stack, "barn")
    await page.goto(f"{stack.url}/#/workflows/barn")
    await page.get_by_label("steps, KSampler").fill("9")
    assert await page.evaluate(DROP, {"selector": ".svelte-flow", "text": json.dumps(GRAPH)})
    await page.get_by_text("A ComfyUI workflow in API format, from dropped.json · 7 nodes").wait_for()
    await page.goto(f"{stack.url}/#/workflows/barn")
    await expect(page.get_by_label("steps, KSampler")).to_have_value("9")

    await page.goto(f"{stack.url}/#/queue")
    await page.get_by_role("heading", name="Queue").first.wait_for()
    assert await page.evaluate(DROP, {"selector": "main", "text": "{}"})  # or the browser would go there
