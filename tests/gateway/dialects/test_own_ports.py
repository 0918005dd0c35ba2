"""A1111's and ComfyUI's API at addresses of their own, for programs that know host and port only."""

import aiohttp
import pytest

from imagegen_gateway.keys import KeySettings
from tests.gateway.dialects.conftest import House

PORTS = {"a1111_http": "127.0.0.1:0", "comfyui_http": "127.0.0.1:0"}
KEYS = [KeySettings.model_validate({"name": "anna", "key": "anna-0123456789abcdef"})]


@pytest.mark.parametrize("settings", [PORTS])
async def test_a_dialect_is_at_the_root_of_its_own_port(house: House, http: aiohttp.ClientSession) -> None:
    a1111, comfyui = house.gateway.dialects["a1111_http"], house.gateway.dialects["comfyui_http"]
    wish = {"prompt": "a fox", "steps": 2, "width": 64, "height": 64}
    async with http.post(f"{a1111}/sdapi/v1/txt2img", json=wish) as response:
        assert (response.status, len((await response.json())["images"])) == (200, 1)
    async with http.get(f"{comfyui}/object_info/KSampler") as response:
        assert (await response.json()).keys() == {"KSampler"}
    async with http.ws_connect(f"{comfyui}/ws?clientId=c") as socket:
        assert (await socket.receive_json())["type"] == "status"
    # Errors too are in its own words, and nothing else is there.
    async with http.get(f"{a1111}/api/v1/jobs") as response:
        assert (response.status, (await response.json()).keys()) == (404, {"detail"})
    async with http.get(f"{comfyui}/") as response:
        assert response.status == 404


@pytest.mark.parametrize("settings", [PORTS])
async def test_both_ways_lead_to_the_same(house: House, http: aiohttp.ClientSession) -> None:
    a1111 = house.gateway.dialects["a1111_http"]
    async with http.get(f"{a1111}/sdapi/v1/sd-models") as response:
        title = (await response.json())[-1]["title"]
    async with http.post(f"{a1111}/sdapi/v1/options", json={"sd_model_checkpoint": title}) as response:
        assert response.status == 200
    async with http.get("/a1111/sdapi/v1/options") as response:
        assert (await response.json())["sd_model_checkpoint"] == title


@pytest.mark.parametrize("settings", [PORTS | {"keys": KEYS}])
async def test_keys_are_asked_for_there_too(house: House, http: aiohttp.ClientSession) -> None:
    for url in (
        f"{house.gateway.dialects['a1111_http']}/sdapi/v1/options",
        f"{house.gateway.dialects['comfyui_http']}/queue",
    ):
        async with http.get(url) as response:
            assert response.status == 401
        async with http.get(url, headers={"X-Api-Key": "anna-0123456789abcdef"}) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/sdapi/v1/options", "/a1111"),
        ("/v1/models", "/openai/v1"),
        ("/prompt", "/comfyui"),
        ("/ws", "/comfyui"),
        ("/nowhere", "/docs"),
    ],
)
async def test_who_forgets_the_path_is_told_where_it_is(http: aiohttp.ClientSession, path: str, place: str) -> None:
    async with http.get(path) as response:
        assert response.status == 404
        assert place in (await response.json())["detail"]
