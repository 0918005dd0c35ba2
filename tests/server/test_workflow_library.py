"""What is kept of workflows, and how much of it."""

import asyncio

import pytest

from imagegen_server.errors import Refused
from imagegen_server.stores.store import Store
from imagegen_server.workflows.library import MAX_DOCUMENT_BYTES, MAX_WORKFLOWS, Library
from imagegen_server.workflows.model import Workflow

VARIANT = Workflow(workflow_id="one-more", base="text-to-image")


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


async def test_a_workflow_has_a_greatest_size(library: Library) -> None:
    with pytest.raises(Refused) as refused:
        await library.create(Workflow(workflow_id="large", base="upscale", ui_json="x" * MAX_DOCUMENT_BYTES), "")
    assert [each.field for each in refused.value.violations] == ["workflow.inputs"]
