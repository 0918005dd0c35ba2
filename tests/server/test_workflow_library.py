"""What is kept of workflows, and how much of it."""

import asyncio
import json
from dataclasses import replace

import pytest

from imagegen_adapters.graphs.inputs import GraphInput, InputType, Target
from imagegen_server.errors import Refused
from imagegen_server.stores.store import Store
from imagegen_server.workflows.library import MAX_DOCUMENT_BYTES, MAX_WORKFLOWS, Library
from imagegen_server.workflows.model import Workflow
from imagegen_server.workflows.structure import MAX_IMAGES

VARIANT = Workflow(workflow_id="one-more", base="text-to-image")
LARGE = Workflow(workflow_id="large")


@pytest.fixture
def library(store: Store) -> Library:
    return Library(store, clock=lambda: 0.0)


async def test_of_too_many_workflows_one_has_to_go_first(store: Store, library: Library) -> None:
    names = [f"workflow-{number}" for number in range(MAX_WORKFLOWS)]
    await asyncio.gather(*(store.add_revision(name, 0, time=0.0, owner="", document=b"") for name in names))
    with pytest.raises(Refused) as refused:
        await library.create(VARIANT, "")
    assert refused.value.reason == "QUOTA_EXCEEDED"
    await library.delete("workflow-7")
    assert (await library.create(VARIANT, "")).revision == 1


async def test_a_workflow_brings_no_more_pictures_than_a_job_can(library: Library) -> None:
    nodes = {str(number): {"class_type": "LoadImage"} for number in range(MAX_IMAGES + 1)}
    inputs = [
        GraphInput(name=f"image_{number}", type=InputType.IMAGE, targets=(Target(number, "image"),)) for number in nodes
    ]
    with pytest.raises(Refused) as refused:
        await library.create(replace(LARGE, graph_json=json.dumps(nodes), inputs=tuple(inputs)), "")
    assert [each.field for each in refused.value.violations] == ["workflow.inputs"]
    await library.create(replace(LARGE, graph_json=json.dumps(nodes), inputs=tuple(inputs[1:])), "")


async def test_a_workflow_has_a_greatest_size(library: Library) -> None:
    with pytest.raises(Refused) as refused:
        await library.create(replace(LARGE, base="upscale", ui_json="x" * MAX_DOCUMENT_BYTES), "")
    assert [each.field for each in refused.value.violations] == ["workflow.inputs"]
