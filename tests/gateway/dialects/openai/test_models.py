"""The models that OpenAI's clients can choose from."""

import aiohttp
import openai
import pytest

from imagegen_server.config import BackendSettings


@pytest.fixture(name="settings")
def settings_fixture() -> dict[str, object]:
    preset = {"id": "posters/a4", "name": "Posters", "model": "demo-geometric"}
    return {"exposed_models": ["demo-f*"], "presets": [preset]}


async def test_models_are_listed_and_found(api: openai.AsyncOpenAI) -> None:
    models = [model async for model in api.models.list()]
    assert {model.id: model.model_dump()["name"] for model in models} == {
        "imagegen": "imagegen",
        "demo-flow": "demo-flow",
        "posters/a4": "Posters",
    }
    assert [(await api.models.retrieve(model.id)) for model in models] == models


async def test_a_model_that_is_not_there_is_not_found(api: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model 'demo-geometric' here"):
        await api.models.retrieve("demo-geometric")


@pytest.mark.parametrize("backends", [(BackendSettings(kind="demo"), BackendSettings(kind="demo", name="b2"))])
async def test_what_several_backends_have_is_listed_once(http: aiohttp.ClientSession) -> None:
    async with http.get("/openai/v1/models") as answer:
        ids = [model["id"] for model in (await answer.json())["data"]]
    assert sorted(ids) == ["demo-flow", "imagegen", "posters/a4"]
