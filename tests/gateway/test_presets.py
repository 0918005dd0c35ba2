"""Models of the dialects: which there are, and the job that a wish makes of each."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.errors import Problem
from imagegen_gateway.presets import PresetSettings, Wish, WorkflowInput, find_preset, spec_for

GRAPH: dict[str, Any] = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 1, "steps": 20, "model": ["4", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}},
    "10": {"class_type": "LoadImage", "inputs": {"image": "x.png"}},
    "11": {"class_type": "LoadImage", "inputs": {"image": "x.png"}},
}
PROMPT = {"type": "prompt", "key": "text", "node_ids": ["6"]}
INPUTS: list[dict[str, Any]] = [
    PROMPT,
    {"type": "seed", "key": "seed", "node_ids": ["3"]},
    {"type": "steps", "key": "steps", "node_ids": ["3"]},
    {"type": "width", "key": "width", "node_ids": ["5"]},
    {"type": "n", "key": "batch_size", "node_ids": ["5"]},
    {"type": "image", "key": "image", "node_ids": ["10", "11"]},
    {"key": "sampler_name", "node_ids": ["3"], "value": "euler"},
]
FOX = "f" * 64


@pytest.fixture(name="workflow")
def workflow_fixture(tmp_path: Path) -> Path:
    path = tmp_path / "portrait.json"
    path.write_text(json.dumps(GRAPH))
    return path


@pytest.fixture(name="portrait")
def portrait_fixture(workflow: Path) -> PresetSettings:
    return PresetSettings.model_validate({"id": "portrait", "workflow": workflow, "inputs": INPUTS, "steps": 12})


@pytest.mark.parametrize(
    ("model", "patterns", "expected"),
    [
        ("", ["*"], ("imagegen", "")),
        ("imagegen", ["*"], ("imagegen", "")),
        ("dall-e-2", ["*"], ("imagegen", "")),
        ("gpt-image-1-mini", [], ("imagegen", "")),
        ("sd/a.safetensors", ["*"], ("sd/a.safetensors", "sd/a.safetensors")),
        ("sd/a.safetensors", ["xl/*", "sd/*"], ("sd/a.safetensors", "sd/a.safetensors")),
        ("tall", ["*"], ("tall", "b.safetensors")),
    ],
)
def test_a_model_is_found_by_what_is_offered(model: str, patterns: list[str], expected: tuple[str, str]) -> None:
    presets = [PresetSettings(id="tall", model="b.safetensors")]
    found = find_preset(model, presets, ["sd/a.safetensors", "b.safetensors"], patterns)
    assert (found.id, found.model) == expected


@pytest.mark.parametrize(
    ("model", "patterns"),
    [("c.safetensors", ["*"]), ("a.safetensors", ["b*"]), ("a.safetensors", []), ("IMAGEGEN", ["*"])],
)
def test_what_is_not_offered_is_not_found(model: str, patterns: list[str]) -> None:
    with pytest.raises(Problem, match="no model") as caught:
        find_preset(model, [], ["a.safetensors"], patterns)
    assert (caught.value.status, caught.value.reason) == (404, "MODEL_NOT_FOUND")


def test_a_wish_goes_before_the_preset_and_the_preset_before_nothing() -> None:
    tall = PresetSettings(
        id="tall", model="b", width=512, height=768, steps=30, cfg_scale=0.0, negative_prompt="text", denoise=0.3
    )
    image = spec_for(tall, Wish(prompt="a fox"), seed=1).image
    assert (image.prompt, image.model, image.width, image.height) == ("a fox", "b", 512, 768)
    assert (image.steps, image.cfg_scale, image.negative_prompt, image.count) == (30, 0.0, "text", 1)
    assert (image.HasField("seed"), image.HasField("denoise")) == (False, False)

    wish = Wish(prompt="a fox", width=64, steps=1, cfg_scale=2.5, negative_prompt="", seed=0, count=4, sampler="lcm")
    image = spec_for(tall, wish, seed=1).image
    assert (image.width, image.height, image.steps, image.cfg_scale) == (64, 0, 1, 2.5)
    assert (image.negative_prompt, image.seed, image.count, image.sampler) == ("", 0, 4, "lcm")


def test_a_picture_that_is_changed_keeps_its_size() -> None:
    tall = PresetSettings(id="tall", width=512, height=768, denoise=0.3)
    image = spec_for(tall, Wish(prompt="blue", init_images=(FOX,), mask=FOX), seed=1).image
    assert (image.width, image.height, image.denoise, image.init_image, image.mask) == (0, 0, 0.3, FOX, FOX)
    with pytest.raises(Problem, match="one picture"):
        spec_for(tall, Wish(prompt="blue", init_images=(FOX, FOX)), seed=1)


def test_a_workflow_gets_its_values_where_they_belong(portrait: PresetSettings) -> None:
    graph = spec_for(portrait, Wish(prompt='a "fox"', width=640, count=2, init_images=(FOX,)), seed=2**63 + 9).graph
    nodes = json.loads(graph.json)
    assert nodes["3"]["inputs"] == {"seed": 2**63 + 9, "steps": 12, "sampler_name": "euler", "model": ["4", 0]}
    assert nodes["5"]["inputs"] == {"width": 640, "height": 512, "batch_size": 2}
    assert nodes["6"]["inputs"] == {"text": 'a "fox"'}
    assert dict(graph.images) == {"10.image": FOX}
    assert portrait.graph == GRAPH  # the next wish starts from the same


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        (Wish(prompt="x", height=512), "height"),
        (Wish(prompt="x", negative_prompt="text"), "negative_prompt"),
        (Wish(prompt="x", cfg_scale=1.0), "cfg_scale"),
        (Wish(prompt="x", sampler="euler"), "sampler"),
        (Wish(prompt="x", mask=FOX), "mask"),
        (Wish(prompt="x", init_images=(FOX, FOX, FOX)), "image"),
    ],
)
def test_what_a_workflow_has_no_place_for_is_refused(portrait: PresetSettings, wish: Wish, field: str) -> None:
    with pytest.raises(Problem, match=f"^{field}: ") as caught:
        spec_for(portrait, wish, seed=1)
    assert caught.value.status == 400


@given(st.text(max_size=50), st.integers(0, 2**64 - 1))
def test_any_prompt_and_seed_come_through(prompt: str, seed: int) -> None:
    preset = PresetSettings(id="p").model_copy(update={"inputs": [WorkflowInput.model_validate(i) for i in INPUTS]})
    preset._graph = GRAPH
    nodes = json.loads(spec_for(preset, Wish(prompt=prompt), seed=seed).graph.json)
    assert (nodes["6"]["inputs"]["text"], nodes["3"]["inputs"]["seed"]) == (prompt, seed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "cannot be read"),
        ("{", "no JSON"),
        ("[]", "API format"),
        ('{"nodes": [], "links": []}', "API format"),
        (json.dumps(GRAPH), "where the prompt goes"),
    ],
)
def test_a_file_that_is_no_workflow_stops_the_start(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "w.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ValidationError, match=words):
        PresetSettings(id="p", workflow=path)


def test_inputs_must_name_nodes_that_are_there(workflow: Path) -> None:
    with pytest.raises(ValidationError, match="no node 99"):
        PresetSettings.model_validate({"id": "p", "workflow": workflow, "inputs": [PROMPT | {"node_ids": ["6", "99"]}]})
    with pytest.raises(ValidationError, match="need a workflow"):
        PresetSettings.model_validate({"id": "p", "inputs": [PROMPT]})


@pytest.mark.parametrize(
    ("name", "value"), [("model", "b"), ("negative_prompt", "text"), ("steps", 3), ("cfg_scale", 2.0)]
)
def test_a_default_that_no_input_takes_stops_the_start(workflow: Path, name: str, value: object) -> None:
    with pytest.raises(ValidationError, match=f"{name}: no input"):
        PresetSettings.model_validate({"id": "p", "workflow": workflow, "inputs": [PROMPT], name: value})


def test_a_workflow_keeps_its_words_where_nobody_says_others(workflow: Path) -> None:
    negative = {"type": "negative_prompt", "key": "text", "node_ids": ["5"]}
    preset = PresetSettings.model_validate({"id": "p", "workflow": workflow, "inputs": [PROMPT, negative]})
    assert "text" not in json.loads(spec_for(preset, Wish(prompt="a fox"), seed=1).graph.json)["5"]["inputs"]
    emptied = spec_for(preset, Wish(prompt="a fox", negative_prompt=""), seed=1).graph
    assert json.loads(emptied.json)["5"]["inputs"]["text"] == ""


def test_presets_are_read_from_the_configuration(
    tmp_path: Path, workflow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert workflow == tmp_path / "portrait.json"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagegen.toml").write_text(
        'exposed_models = ["sd/*"]\n'
        '[[presets]]\nid = "portrait"\nname = "Portrait"\nworkflow = "portrait.json"\n'
        'inputs = [{type = "prompt", key = "text", node_ids = ["6"]}]\n'
    )
    settings = GatewaySettings()
    assert settings.exposed_models == ["sd/*"]
    assert (settings.presets[0].name, settings.presets[0].graph) == ("Portrait", GRAPH)
    with pytest.raises(ValidationError, match="id of its own"):
        GatewaySettings(presets=[PresetSettings(id="a"), PresetSettings(id="a")])
