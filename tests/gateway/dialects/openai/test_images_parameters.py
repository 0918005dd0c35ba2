"""OpenAI's parameters, as a specification."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.v1 import job_pb2
from imagegen_gateway.dialects.openai.errors import answer_problem, message_of, parameter
from imagegen_gateway.dialects.openai.parameters import EDIT, GENERATION, parse, set_steps, step_factor, to_spec
from imagegen_gateway.dialects.wishes import Offer
from imagegen_gateway.errors import MAX_PHRASE_CHARS, FieldError, Problem, phrase

PLAIN = Offer(id="imagegen")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {}),
        ({"n": None, "size": "", "model": ""}, {}),
        ({"size": "auto", "quality": "auto", "background": "opaque", "moderation": "low"}, {}),
        ({"size": "768x512"}, {"width": 768, "height": 512}),
        ({"stream": "false", "output_compression": 100}, {}),
        ({"n": 4}, {"count": 4}),
        ({"n": "4"}, {"count": 4}),
        ({"n": 4.0}, {"count": 4}),
        ({"steps": "8", "cfg_scale": "5.5", "seed": 2**63 - 1}, {"steps": 8, "cfg_scale": 5.5, "seed": 2**63 - 1}),
        ({"sampler": "euler", "scheduler": "karras"}, {"sampler": "euler", "scheduler": "karras"}),
        ({"negative_prompt": "wolf"}, {"negative_prompt": "wolf"}),
        ({"quality": "high", "steps": 7}, {"steps": 7}),
    ],
)
def test_what_is_said_becomes_the_jobs(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    image = to_spec(parse({"prompt": "fox", **fields}, GENERATION), PLAIN).image
    said = {field.name: value for field, value in image.ListFields()}
    assert said == {"prompt": "fox", "count": 1, **expected}


@pytest.mark.parametrize(
    ("own", "quality", "steps"),
    [
        (None, "low", 10),
        (None, "max", 80),
        (4, "low", 2),
        (4, "high", 8),
        (4, "hd", 8),
        (4, "xhigh", 12),
        (400, "max", 500),
        (1, "low", 1),
    ],
)
def test_quality_counts_in_the_models_own_steps(own: int | None, quality: str, steps: int) -> None:
    wanted = parse({"prompt": "fox", "quality": quality}, GENERATION)
    factor = step_factor(wanted)
    assert factor is not None
    spec = to_spec(wanted, PLAIN)
    set_steps(spec, job_pb2.JobSpec(image=job_pb2.ImageParameters(steps=own)), factor, PLAIN)
    assert spec.image.steps == steps


@pytest.mark.parametrize("fields", [{}, {"quality": "standard"}, {"quality": "auto"}, {"quality": "high", "steps": 7}])
def test_steps_are_as_they_are_where_quality_does_not_count(fields: dict[str, Any]) -> None:
    assert step_factor(parse({"prompt": "fox", **fields}, GENERATION)) is None


def test_a_workflow_that_does_not_say_its_steps_has_no_quality() -> None:
    mine = Offer(id="mine", workflow_id="mine", inputs=frozenset({"prompt"}))
    spec = to_spec(parse({"prompt": "fox"}, GENERATION), mine)
    with pytest.raises(Problem, match="quality: cannot be had of the model mine"):
        set_steps(spec, spec, 2.0, mine)


def test_the_rest_of_the_job() -> None:
    fields = {"prompt": "fox", "user": "anna", "priority": "-3", "backend": "big"}
    spec = to_spec(parse(fields, GENERATION), PLAIN)
    assert (spec.backend, spec.priority, dict(spec.labels)) == ("big", -3, {"dialect": "openai", "user": "anna"})
    named = parse({**fields, "safety_identifier": "4f2a"}, GENERATION)
    assert to_spec(named, PLAIN).labels["user"] == "4f2a"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": "x" * 32769}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 65}, "n"),
        ({"n": True}, "n"),
        ({"n": "1e1"}, "n"),
        ({"n": 10**30}, "n"),
        ({"n": 1.5}, "n"),
        ({"n": [1]}, "n"),
        ({"size": "100x100"}, "size"),
        ({"size": "4104x64"}, "size"),
        ({"size": "1024X1024"}, "size"),
        ({"size": "٦٤x٦٤"}, "size"),
        ({"size": 512}, "size"),
        ({"quality": "best"}, "quality"),
        ({"quality": {}}, "quality"),
        ({"background": "transparent"}, "background"),
        ({"moderation": "high"}, "moderation"),
        ({"response_format": "text"}, "response_format"),
        ({"output_format": "gif"}, "output_format"),
        ({"output_compression": 50}, "output_compression"),
        ({"output_compression": 50, "output_format": "png"}, "output_compression"),
        ({"output_compression": 101, "output_format": "webp"}, "output_compression"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 2}, "stream"),
        ({"stream": True, "partial_images": 4}, "partial_images"),
        ({"partial_images": 1}, "partial_images"),
        ({"stream": True, "response_format": "url"}, "response_format"),
        ({"cfg_scale": "nan"}, "cfg_scale"),
        ({"cfg_scale": float("inf")}, "cfg_scale"),
        ({"cfg_scale": 101}, "cfg_scale"),
        ({"seed": -1}, "seed"),
        ({"priority": 11}, "priority"),
        ({"style": "natural"}, "style"),
        ({"denoise": 0.5}, "denoise"),  # of edits only
        ({"user": "x" * 257}, "user"),
        ({"x" * 100000: 1}, "x" * 64),
    ],
)
def test_what_cannot_be_had_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(Problem) as caught:
        parse({"prompt": "fox", **fields}, GENERATION)
    assert (caught.value.status, caught.value.errors[0].field) == (400, param)


def test_an_edit_has_parameters_of_its_own() -> None:
    wanted = parse({"prompt": "fox", "denoise": "0.5", "input_fidelity": "low"}, EDIT)
    image = to_spec(wanted, PLAIN, init_images=["a" * 64], mask="b" * 64).image
    assert (image.init_image, image.mask, image.denoise) == ("a" * 64, "b" * 64, 0.5)
    with pytest.raises(Problem, match="input_fidelity: must be low"):
        parse({"prompt": "fox", "input_fidelity": "high"}, EDIT)
    with pytest.raises(Problem, match="image: the model imagegen starts from one picture; 2 were given"):
        to_spec(wanted, PLAIN, init_images=["a" * 64, "b" * 64])


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@given(st.dictionaries(st.sampled_from(sorted(EDIT)) | st.text(max_size=8), JSON_VALUES, max_size=5))
def test_any_json_becomes_a_job_or_a_refusal(fields: dict[str, Any]) -> None:
    result = outcome({"prompt": "fox", **fields})
    assert result.errors if isinstance(result, Problem) else result.SerializeToString()


def outcome(fields: dict[str, Any]) -> job_pb2.JobSpec | Problem:
    try:
        return to_spec(parse(fields, EDIT), PLAIN)
    except Problem as problem:
        return problem


@given(st.text())
def test_the_status_line_takes_any_sentence(text: str) -> None:
    line = phrase(text)
    assert len(line) <= MAX_PHRASE_CHARS
    assert all(" " <= character <= "~" for character in line)
    assert answer_problem(Problem(400, text)).reason == (line or "Bad Request")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("spec.image.width", "size"),
        ("spec.image.count", "n"),
        ("image.sampler", "sampler"),
        ("spec.image", "image"),
        ("spec.image.init_image", "image"),
        ("spec.workflow.inputs.width", "size"),
        ("spec.workflow.inputs.init_image_2", "image"),
        ("spec.workflow.workflow_id", "model"),
        ('spec.graph.json["4"].inputs.ckpt_name', "model"),
        ('spec.labels["user"]', "labels"),
        ("spec.backend", "backend"),
        ("size", "size"),
        ("", None),
    ],
)
def test_fields_are_called_as_the_caller_calls_them(path: str, name: str | None) -> None:
    assert parameter(path) == name


def test_sentences_name_the_callers_fields_and_the_time_to_come_back() -> None:
    field = FieldError(field="spec.image.width", description="must be 64")
    assert message_of(Problem(400, "spec.image.width: must be 64", errors=(field,))) == "size: must be 64"
    place = FieldError(field='spec.graph.json["4"].inputs.ckpt_name', description="no such choice")
    told = message_of(Problem(400, f"{place.field}: no such choice", errors=(place,)))
    assert told == 'model, in its workflow ["4"].inputs.ckpt_name: no such choice'
    full = Problem(429, "12 jobs wait already; at most 12 may; try again later", "QUEUE_FULL", retry_after_s=39.2)
    assert message_of(full) == "12 jobs wait already; at most 12 may; try again in 40 s"
    assert answer_problem(full).headers["Retry-After"] == "40"
