"""What is wrong with what a workflow was made into is told at the workflow's inputs."""

import json
from dataclasses import replace
from typing import Any

import pytest

from imagegen.v1 import job_pb2
from imagegen_adapters.contract import RawGraph
from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_server.errors import Refused
from imagegen_server.invoking import Wanted, made
from imagegen_server.workflows.built_in import BUILT_IN
from imagegen_server.workflows.model import Field, Workflow

DIGEST = "a" * 64
GRAPH = {"3": {"class_type": "KSampler", "inputs": {"seed": 5, "steps": 20}}, "10": {"class_type": "LoadImage"}}
INPUTS = (
    GraphInput(name="seed", type=InputType.SEED, targets=(Target("3", "seed"),)),
    GraphInput(name="picture", type=InputType.IMAGE, targets=(Target("10", "image"),)),
)
OWN = Workflow(
    workflow_id="own",
    revision=3,
    graph_json=json.dumps(GRAPH),
    inputs=INPUTS,
    form=tuple(Field(input=each, target_classes=("",)) for each in INPUTS),
)
OF_GRAPH = made(OWN, {"seed": 7, "picture": DIGEST})
OF_PARAMETERS = made(BUILT_IN["image-to-image"], {"init_image": DIGEST, "prompt": "a fox"})
HIRES = made(BUILT_IN["text-to-image"], {"prompt": "a fox"})
PLAIN = Wanted(source=job_pb2.ImageParameters(init_image=DIGEST))


@pytest.mark.parametrize(
    ("wanted", "field", "told"),
    [
        (PLAIN, "image.model", ("spec.image.model", "wrong")),
        (OF_PARAMETERS, "image.model", ("spec.workflow.inputs.model", "wrong")),
        (OF_PARAMETERS, "image.loras[1].name", ("spec.workflow.inputs.loras[1].name", "wrong")),
        (OF_PARAMETERS, "image.text_encoders[0]", ("spec.workflow.inputs.text_encoder", "wrong")),
        (OF_PARAMETERS, "image.text_encoders[3]", ("spec.workflow.inputs.text_encoder_4", "wrong")),
        (OF_PARAMETERS, "image.text_encoders", ("spec.workflow", "image.text_encoders: wrong")),
        (OF_PARAMETERS, "image.hires.scale", ("spec.workflow", "image.hires.scale: wrong")),
        (HIRES, "image.hires.upscaler", ("spec.workflow.inputs.hires_upscaler", "wrong")),
        (HIRES, "image.hires", ("spec.workflow.inputs.hires_scale", "wrong")),
        (HIRES, "image", ("spec.workflow", "image: wrong")),
        (OF_GRAPH, 'graph.json["3"].inputs.seed', ("spec.workflow.inputs.seed", "wrong")),
        (OF_GRAPH, 'graph.images["10.image"]', ("spec.workflow.inputs.picture", "wrong")),
        (OF_GRAPH, 'graph.json["3"].inputs.steps', ("spec.workflow", 'graph.json["3"].inputs.steps: wrong')),
        (OF_GRAPH, "graph", ("spec.workflow", "graph: wrong")),
    ],
)
def test_a_fault_is_told_where_the_caller_can_mend_it(wanted: Wanted, field: str, told: tuple[str, str]) -> None:
    found = wanted.told(Violation(field, "wrong"))
    assert (found.field, found.description) == told
    assert wanted.is_of_input(found) == found.field.startswith("spec.workflow.inputs.")


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        (PLAIN, "spec.image.init_image"),
        (OF_PARAMETERS, "spec.workflow.inputs.init_image"),
        (OF_GRAPH, "spec.workflow.inputs.picture"),
        (Wanted(source=RawGraph(json="{}", images={"1.image": DIGEST})), 'spec.graph.images["1.image"]'),
    ],
)
def test_pictures_are_named_where_the_caller_gave_them(wanted: Wanted, path: str) -> None:
    assert list(wanted.assets()) == [(path, DIGEST)]


def test_a_graph_is_invoked_with_what_was_resolved() -> None:
    assert isinstance(OF_GRAPH.source, RawGraph)
    invocation = OF_GRAPH.invocation(OF_GRAPH.source)
    assert invocation is not None
    assert (invocation.workflow_id, invocation.revision) == ("own", 3)
    assert invocation.inputs == {"seed": 7, "picture": DIGEST}


@pytest.mark.parametrize(("fields", "path"), [({"steps": 0}, "steps"), ({"hires_scale": 9.0}, "hires_scale")])
def test_a_rule_of_the_parameters_is_told_at_the_input(fields: dict[str, Any], path: str) -> None:
    with pytest.raises(Refused) as caught:
        made(BUILT_IN["text-to-image"], fields)
    assert [each.field for each in caught.value.violations] == [f"spec.workflow.inputs.{path}"]


def test_a_graph_that_grows_too_large_is_refused() -> None:
    form = (Field(input=GraphInput(name="text", type=InputType.TEXT, targets=(Target("3", "text"),))),)
    with pytest.raises(Refused) as caught:
        made(replace(OWN, form=form), {"text": "x" * (4 * 1024 * 1024)})
    ((field, description),) = [(each.field, each.description) for each in caught.value.violations]
    assert field == "spec.workflow"
    assert description.startswith("graph.json: must be at most 4194304")
