"""The workflows that a store keeps."""

import asyncio
from dataclasses import replace

import pytest

from imagegen_server.errors import Refused
from imagegen_server.stores.store import Store
from imagegen_server.workflows.library import MAX_WORKFLOWS, Library
from imagegen_server.workflows.model import Workflow


async def test_no_more_are_kept_than_can_be_listed(store: Store) -> None:
    library = Library(store, clock=lambda: 1.0)
    others = [f"other-{number}" for number in range(MAX_WORKFLOWS - 1)]
    await asyncio.gather(*(store.add_revision(each, 0, time=1.0, owner="", document=b"") for each in others))
    last = Workflow(workflow_id="last", base="inpaint")
    await library.create(last, owner="")
    with pytest.raises(Refused, match=f"there are {MAX_WORKFLOWS} workflows"):
        await library.create(replace(last, workflow_id="one-more"), owner="")
    await library.delete("other-7")
    await library.create(replace(last, workflow_id="one-more"), owner="")
