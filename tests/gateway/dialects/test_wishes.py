"""Models of the dialects: the job that a wish makes of each."""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from imagegen.v1 import job_pb2
from imagegen_client.specs import input_of
from imagegen_gateway.dialects.wishes import Offer, Wish, spec_for
from imagegen_gateway.errors import Problem

FOX = "f" * 64
PORTRAIT = Offer(
    id="portrait",
    workflow_id="portrait",
    inputs=frozenset({"prompt", "seed", "steps", "width", "count", "init_image", "init_image_2"}),
)
TALL = Offer(
    id="tall",
    workflow_id="tall",
    base="text-to-image",
    inputs=frozenset({"prompt", "model", "width", "height", "steps", "seed", "count", "hires_scale"}),
    defaults={"model": "b", "width": 512, "height": 768, "steps": 30, "hires_scale": 2},
)
UPSCALE = Offer(id="larger", workflow_id="larger", inputs=frozenset({"init_image", "scale"}))


def inputs(spec: job_pb2.JobSpec) -> dict[str, Any]:
    return MessageToDict(spec.workflow.inputs)


def test_a_checkpoint_gets_what_the_wish_says_and_leaves_the_rest_open() -> None:
    image = spec_for(Offer(id="b", model="b"), Wish(prompt="a fox")).image
    assert image == job_pb2.ImageParameters(prompt="a fox", model="b", count=1)
    wish = Wish(prompt="a fox", width=64, steps=1, cfg_scale=0.0, negative_prompt="", seed=0, count=4, sampler="lcm")
    image = spec_for(Offer(id="imagegen"), wish).image
    assert (image.width, image.height, image.steps, image.cfg_scale, image.model) == (64, 0, 1, 0.0, "")
    assert (image.HasField("seed"), image.count, image.sampler) == (True, 4, "lcm")
    changed = spec_for(Offer(id="b"), Wish(prompt="blue", init_images=(FOX,), mask=FOX, denoise=0.3)).image
    assert (changed.init_image, changed.mask, changed.denoise) == (FOX, FOX, 0.3)
    with pytest.raises(Problem, match="one picture"):
        spec_for(Offer(id="b"), Wish(prompt="blue", init_images=(FOX, FOX)))


def test_a_workflow_gets_its_values_by_name_and_says_the_rest_itself() -> None:
    spec = spec_for(PORTRAIT, Wish(prompt='a "fox"', width=640, count=2, seed=2**63 - 1, init_images=(FOX, FOX)))
    assert (spec.workflow.workflow_id, spec.workflow.revision) == ("portrait", 0)
    assert inputs(spec) == {
        "prompt": 'a "fox"',
        "width": 640.0,
        "count": 2.0,
        "seed": str(2**63 - 1),
        "init_image": FOX,
        "init_image_2": FOX,
    }
    assert inputs(spec_for(PORTRAIT, Wish(prompt=""))) == {"prompt": ""}


@pytest.mark.parametrize(
    ("offer", "wish", "field"),
    [
        (PORTRAIT, Wish(prompt="x", height=512), "height"),
        (PORTRAIT, Wish(prompt="x", negative_prompt="text"), "negative_prompt"),
        (PORTRAIT, Wish(prompt="x", cfg_scale=1.0), "cfg_scale"),
        (PORTRAIT, Wish(prompt="x", sampler="euler"), "sampler"),
        (PORTRAIT, Wish(prompt="x", mask=FOX), "mask"),
        (PORTRAIT, Wish(prompt="x", init_images=(FOX, FOX, FOX)), "image"),
        (UPSCALE, Wish(prompt="x", init_images=(FOX,)), "prompt"),
        (UPSCALE, Wish(prompt="", count=2), "n"),
        (TALL, Wish(prompt="x", init_images=(FOX, FOX)), "image"),
    ],
)
def test_what_a_workflow_has_no_input_for_is_refused(offer: Offer, wish: Wish, field: str) -> None:
    with pytest.raises(Problem, match=f"^{field}: the model {offer.id} takes") as caught:
        spec_for(offer, wish)
    assert caught.value.status == 400


def test_a_workflow_without_words_takes_a_picture_alone() -> None:
    assert inputs(spec_for(UPSCALE, Wish(prompt=" ", count=1, init_images=(FOX,)))) == {"init_image": FOX}


@pytest.mark.parametrize(("mask", "workflow"), [(None, "image-to-image"), (FOX, "inpaint")])
def test_a_style_changes_pictures_too_and_these_keep_their_size(mask: str | None, workflow: str) -> None:
    wish = Wish(prompt="blue", steps=5, denoise=0.4, init_images=(FOX,), mask=mask)
    spec = spec_for(TALL, wish)
    assert spec.workflow.workflow_id == workflow
    expected = {"prompt": "blue", "model": "b", "steps": 5.0, "denoise": 0.4, "init_image": FOX}
    assert inputs(spec) == expected | ({"mask": mask} if mask else {})
    assert spec_for(TALL, Wish(prompt="a fox")).workflow.workflow_id == "tall"


@given(st.text(max_size=50), st.integers(0, 2**63 - 1))
def test_any_prompt_and_seed_come_through(prompt: str, seed: int) -> None:
    spec = spec_for(PORTRAIT, Wish(prompt=prompt, seed=seed))
    assert (input_of(spec, "prompt"), input_of(spec, "seed")) == (prompt, seed)
