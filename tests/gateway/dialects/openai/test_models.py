"""The models that OpenAI's clients can choose from."""

import json

import aiohttp
import openai
import pytest

from imagegen.v1 import workflow_pb2
from imagegen.v1.settings_pb2 import ExposureSettings, PatternList, Settings
from imagegen.v1.workflow_pb2 import InputTarget, Workflow, WorkflowInput
from imagegen_client.specs import input_of, invocation, size_of
from imagegen_server.config import BackendSettings
from tests.gateway.dialects.conftest import House
from tests.gateway.dialects.openai.conftest import jobs_of
from tests.gateway.dialects.pictures import png

GRAPH = {
    "1": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "demo-flow"}},
    "2": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["1", 1]}},
    "3": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["1", 1]}},
    "4": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 64, "batch_size": 1}},
    "5": {
        "class_type": "KSampler",
        "inputs": {
            "model": ["1", 0],
            "positive": ["2", 0],
            "negative": ["3", 0],
            "latent_image": ["4", 0],
            "seed": 1,
            "steps": 4,
            "cfg": 7.0,
            "sampler_name": "euler",
            "scheduler": "normal",
            "denoise": 1.0,
        },
    },
    "6": {"class_type": "VAEDecode", "inputs": {"samples": ["5", 0], "vae": ["1", 2]}},
    "7": {"class_type": "SaveImage", "inputs": {"images": ["6", 0], "filename_prefix": "x"}},
}


def place(name: str, kind: workflow_pb2.WorkflowInputType.ValueType, node: str, key: str) -> WorkflowInput:
    return WorkflowInput(name=name, type=kind, targets=[InputTarget(node_id=node, input=key)])


@pytest.fixture(autouse=True)
async def _workflows(house: House) -> None:
    """A graph, a style, and settings that show the first checkpoint only."""
    await house.client.create_workflow(
        Workflow(
            workflow_id="comic",
            title="Comic",
            graph_json=json.dumps(GRAPH),
            inputs=[
                place("prompt", workflow_pb2.WORKFLOW_INPUT_TYPE_TEXT, "2", "text"),
                place("seed", workflow_pb2.WORKFLOW_INPUT_TYPE_SEED, "5", "seed"),
                place("steps", workflow_pb2.WORKFLOW_INPUT_TYPE_INT, "5", "steps"),
            ],
        )
    )
    defaults = invocation("", {"model": "demo-geometric", "width": 64, "height": 128, "steps": 3}).inputs.fields
    styled = [WorkflowInput(name=name, default_value=value) for name, value in defaults.items()]
    await house.client.create_workflow(
        Workflow(workflow_id="posters", title="Posters", base="text-to-image", inputs=styled)
    )
    await house.client.create_workflow(Workflow(workflow_id="secret", base="text-to-image"))
    exposure = ExposureSettings(
        models=PatternList(patterns=["demo-f*"]), workflows=PatternList(patterns=["comic", "post*"])
    )
    await house.client.update_settings(Settings(exposure=exposure))


async def test_models_are_listed_and_found(api: openai.AsyncOpenAI) -> None:
    models = [model async for model in api.models.list()]
    assert {model.id: model.model_dump()["name"] for model in models} == {
        "imagegen": "imagegen",
        "demo-flow": "demo-flow",
        "comic": "Comic",
        "posters": "Posters",
    }
    assert [(await api.models.retrieve(model.id)) for model in models] == models


@pytest.mark.parametrize("name", ["demo-geometric", "demo-fl", "secret", "text-to-image", "Comic", "x" * 600])
async def test_a_model_that_is_not_offered_is_not_found(api: openai.AsyncOpenAI, name: str) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no model"):
        await api.models.retrieve(name)
    with pytest.raises(openai.APIStatusError, match=r"there is no model|longer than"):
        await api.images.generate(model=name, prompt="a fox")


async def test_a_near_name_is_told(api: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"did you mean posters\?"):
        await api.images.generate(model="postres", prompt="a fox")
    with pytest.raises(openai.NotFoundError, match=r"did you mean posters\?"):
        await api.models.retrieve("postres")


@pytest.mark.parametrize("name", ["dall-e-2", "GPT-Image-1", "imagegen", ""])
async def test_a_foreign_name_leaves_the_choice_to_the_server(api: openai.AsyncOpenAI, house: House, name: str) -> None:
    await api.images.generate(model=name, prompt="a fox", size="64x64")
    assert (await jobs_of(house))[-1].spec.HasField("image")


async def test_a_change_of_the_settings_counts_at_once(api: openai.AsyncOpenAI, house: House) -> None:
    await house.client.update_settings(Settings(), update_mask=["exposure"])
    assert {"demo-geometric", "secret"} <= {model.id async for model in api.models.list()}
    with pytest.raises(openai.NotFoundError, match="there is no model"):
        await api.images.generate(model="text-to-image", prompt="a fox")


async def test_a_graph_is_run_with_its_inputs_and_the_seed_is_told(api: openai.AsyncOpenAI, house: House) -> None:
    answer = await api.images.generate(model="comic", prompt="a fox", quality="high")
    [job] = await jobs_of(house)
    assert (job.spec.workflow.workflow_id, job.spec.workflow.revision) == ("comic", 1)
    assert (input_of(job.spec, "prompt"), input_of(job.spec, "steps")) == ("a fox", 8)
    assert isinstance(input_of(job.spec, "seed"), int)
    assert answer.data
    with pytest.raises(openai.BadRequestError, match="size: the model comic takes none") as caught:
        await api.images.generate(model="comic", prompt="a fox", size="64x64")
    assert caught.value.param == "size"


async def test_a_repeated_key_finds_the_job_of_a_workflow_again(api: openai.AsyncOpenAI, house: House) -> None:
    headers = {"Idempotency-Key": "k"}
    await api.images.generate(model="comic", prompt="a fox", extra_headers=headers)
    await api.images.generate(model="comic", prompt="a fox", extra_headers=headers)
    assert len(await jobs_of(house)) == 1


async def test_a_style_has_its_defaults_and_changes_pictures_too(api: openai.AsyncOpenAI, house: House) -> None:
    answer = await api.images.generate(model="posters", prompt="a fox", quality="low")
    assert answer.data
    made = (await jobs_of(house))[-1]
    assert (made.outputs[0].asset.width, made.outputs[0].asset.height) == (64, 128)
    said = [input_of(made.spec, name) for name in ("model", "steps")]
    assert (made.spec.workflow.workflow_id, said) == ("posters", ["demo-geometric", 2])
    await api.images.edit(model="posters", prompt="at night", image=png(96, 64))
    made = (await jobs_of(house))[-1]
    assert (made.outputs[0].asset.width, made.outputs[0].asset.height) == (96, 64)
    assert (made.spec.workflow.workflow_id, input_of(made.spec, "model")) == ("image-to-image", "demo-geometric")


async def test_errors_of_inputs_name_the_callers_parameters(api: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await api.images.generate(model="posters", prompt="a fox", extra_body={"sampler": "nothing"})
    assert caught.value.param == "sampler"
    assert "spec." not in str(caught.value)


async def test_the_chat_tells_what_makes_the_same_again(http: aiohttp.ClientSession) -> None:
    question = {"model": "comic", "messages": [{"role": "user", "content": "a fox --seed 7"}]}
    async with http.post("/openai/v1/chat/completions", json=question) as answer:
        text = (await answer.json())["choices"][0]["message"]["content"]
    assert "Made with `Comic`. The same again: `--steps 4 --seed 7`" in text


async def test_a_shape_is_had_at_the_size_that_the_style_has(http: aiohttp.ClientSession, house: House) -> None:
    question = {"model": "posters", "messages": [{"role": "user", "content": "a fox --ar 2:1"}]}
    async with http.post("/openai/v1/chat/completions", json=question) as answer:
        assert answer.status == 200
    [job] = await jobs_of(house)
    assert size_of(job.spec) == (128, 64)


async def test_a_workflow_comes_by_upload_and_is_an_endpoint(http: aiohttp.ClientSession, house: House) -> None:
    form = aiohttp.FormData()
    form.add_field("file", json.dumps(GRAPH), filename="Night fox.json")
    async with http.post("/api/v1/workflows:import", data=form) as answer:
        read = await answer.json()
    assert {each["name"]: each["confidence"] for each in read["proposals"]}["prompt"] == "CONFIDENCE_HIGH"
    async with http.post("/api/v1/workflows", json={"workflow": read["workflow"]}) as answer:
        stored = (await answer.json())["workflow"]
    address = f"/api/v1/workflows/{stored['workflow_id']}"
    async with http.get(f"{address}/schema") as answer:
        assert json.loads(await answer.text()) == json.loads(stored["input_schema_json"])
    async with http.post(
        f"{address}:run", json={"prompt": "a fox", "steps": 2, "seed": "18446744073709551615"}
    ) as answer:
        assert answer.status == 201
    [job] = await jobs_of(house)
    assert (input_of(job.spec, "steps"), input_of(job.spec, "seed")) == (2, 2**64 - 1)
    async with http.post(f"{address}:run", json={"prompt": "a fox", "stepz": 2}) as answer:
        assert [error["field"] for error in (await answer.json())["errors"]] == ["stepz"]
    async with http.get("/openapi.json") as answer:
        assert f"{address}:run" in (await answer.json())["paths"]


@pytest.mark.parametrize("backends", [(BackendSettings(kind="demo"), BackendSettings(kind="demo", name="b2"))])
async def test_what_several_backends_have_is_listed_once(http: aiohttp.ClientSession) -> None:
    async with http.get("/openai/v1/models") as answer:
        ids = [model["id"] for model in (await answer.json())["data"]]
    assert sorted(ids) == ["comic", "demo-flow", "imagegen", "posters"]
