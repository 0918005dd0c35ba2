"""Uploads, masks, and what /view shows."""

from typing import Any

import aiohttp
import pytest

from imagegen_gateway.dialects.comfyui.filenames import FileName, Uploads, read_annotated
from tests.gateway.dialects.comfyui.client import ComfyClient, graph
from tests.gateway.dialects.pictures import opened, png

DIGEST = "0123456789abcdef" * 4


async def upload(comfy: ComfyClient, data: bytes, path: str = "image", name: str = "fox.png", **fields: str) -> Any:
    form = aiohttp.FormData()
    form.add_field("image", data, filename=name, content_type="image/png")
    for key, value in fields.items():
        form.add_field(key, value)
    async with comfy.http.post(f"{comfy.url}/upload/{path}", data=form) as response:
        assert response.status == 200, await response.text()
        return await response.json()


def image_to_image(name: str) -> dict[str, Any]:
    return graph(
        {
            "10": {"class_type": "LoadImage", "inputs": {"image": name}},
            "5": {"class_type": "VAEEncode", "inputs": {"pixels": ["10", 0], "vae": ["4", 2]}},
        }
    )


async def test_an_upload_is_used_by_the_answers_name_and_by_the_clients_own(comfy: ComfyClient) -> None:
    stored = await upload(comfy, png(128, 64), subfolder="mine")
    assert (stored["subfolder"], stored["type"]) == ("mine", "input")
    for name in (f"mine/{stored['name']}", f"{stored['name']} [input]", "mine/fox.png"):
        entry = await comfy.ended(await comfy.queue(image_to_image(name)))
        [image] = entry["outputs"]["9"]["images"]
        assert opened(await comfy.get("view", params=image)).size == (128, 64)
        assert entry["prompt"][2]["10"]["inputs"]["image"] == name
    assert "fox.png" not in (await comfy.get("object_info/LoadImage"))["LoadImage"]["input"]["required"]["image"][0]
    await upload(comfy, png())
    classes = await comfy.get("object_info")
    assert "fox.png" in classes["LoadImageMask"]["input"]["required"]["image"][0]


async def test_a_result_is_the_next_graphs_input(comfy: ComfyClient) -> None:
    entry = await comfy.ended(await comfy.queue(graph()))
    [image] = entry["outputs"]["9"]["images"]
    entry = await comfy.ended(await comfy.queue(image_to_image(f"{image['filename']} [output]")))
    assert entry["status"]["completed"] is True
    status, answer = await comfy.post("prompt", {"prompt": image_to_image(f"{DIGEST}.png")})
    assert status == 400
    assert answer["node_errors"]["10"]["errors"][0]["type"] == "custom_validation_failed"


async def test_a_mask_is_the_originals_colours_with_its_own_transparency(comfy: ComfyClient) -> None:
    original = await upload(comfy, png(32, 32, (10, 20, 30)))
    reference = f'{{"filename": "{original["name"]}", "subfolder": "", "type": "input"}}'
    mask = await upload(comfy, png(16, 16, (200, 200, 200, 0)), "mask", "mask.png", original_ref=reference)
    picture = opened(await comfy.get("view", params={"filename": mask["name"], "type": "input"}))
    assert (picture.size, picture.getpixel((3, 3))) == ((32, 32), (10, 20, 30, 0))


SHOWN: list[tuple[dict[str, str], str, str]] = [
    ({}, "image/png", "RGBA"),
    ({"preview": "webp;50"}, "image/webp", "RGBA"),
    ({"preview": "jpeg"}, "image/jpeg", "RGB"),
    ({"preview": "png"}, "image/webp", "RGBA"),
    ({"channel": "rgb"}, "image/png", "RGB"),
    ({"channel": "a"}, "image/png", "RGBA"),
    ({"channel": "a", "preview": "jpeg;80"}, "image/webp", "RGBA"),
]


async def test_view_shows_a_picture_as_asked(comfy: ComfyClient) -> None:
    await upload(comfy, png(8, 8, (10, 20, 30, 128)))
    for options, media_type, mode in SHOWN:
        params = {"filename": "fox.png", "type": "input", **options}
        async with comfy.http.get(f"{comfy.url}/view", params=params) as response:
            picture = opened(await response.read())
            assert (response.content_type, picture.mode, picture.size) == (media_type, mode, (8, 8)), options


async def test_view_has_nothing_but_files_that_it_knows(comfy: ComfyClient) -> None:
    for query, status in (
        ({}, 404),
        ({"filename": ""}, 400),
        ({"filename": "nope.png"}, 404),
        ({"filename": f"{DIGEST}.png"}, 404),
        ({"filename": f"{DIGEST}.png", "preview": "webp"}, 404),
        ({"filename": "../../etc/passwd"}, 404),
        ({"filename": "x.png", "subfolder": "../.."}, 404),
        ({"filename": "x.png", "type": "bogus"}, 400),
    ):
        async with comfy.http.get(f"{comfy.url}/view", params=query) as response:
            assert response.status == status, query


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("fox.png", FileName("input", "", "fox.png")),
        ("a/b/fox.png", FileName("input", "a/b", "fox.png")),
        ("fox.png [output]", FileName("output", "", "fox.png")),
        ("fox [nowhere]", FileName("input", "", "fox [nowhere]")),
        (f"a/{DIGEST}.png [temp]", FileName("temp", "a", f"{DIGEST}.png")),
    ],
)
def test_names_are_read_as_nodes_take_them(text: str, name: FileName) -> None:
    assert read_annotated(text) == name


def test_own_names_count_in_loaders_only_and_the_oldest_are_forgotten() -> None:
    uploads = Uploads(limit=2)
    uploads.remember("anna", read_annotated("fox.png"), DIGEST)
    nodes = {
        "1": {"class_type": "LoadImage", "inputs": {"image": "fox.png"}},
        "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "fox.png", "image": 3}},
        "3": {"class_type": "Custom", "inputs": {"clip.1": f"{DIGEST}.png", "file": f"sub/{DIGEST}.webp"}},
        "4": "nonsense",
    }
    assert uploads.images_in(nodes, "anna") == {"1.image": DIGEST, "3.file": DIGEST}
    assert uploads.images_in(nodes, "bert") == {"3.file": DIGEST}
    assert uploads.choices("anna") == ["fox.png"]
    for name in ("b.png", "c.png"):
        uploads.remember("anna", read_annotated(name), DIGEST)
    assert uploads.choices("anna") == ["b.png", "c.png"]
