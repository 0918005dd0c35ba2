"""The workflows that there are: the built-in ones, and those that the store keeps."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from imagegen_adapters.errors import Violation
from imagegen_adapters.graphs.naming import unknown_name
from imagegen_server.changes import Changes, Topic
from imagegen_server.errors import (
    Refused,
    invalid,
    workflow_built_in,
    workflow_changed,
    workflow_exists,
    workflow_not_found,
)
from imagegen_server.stores.store import Store, StoredRevision
from imagegen_server.wire.workflows import decode_document, encode_document
from imagegen_server.workflows.built_in import BUILT_IN
from imagegen_server.workflows.forms import with_form
from imagegen_server.workflows.model import Workflow
from imagegen_server.workflows.naming import free_id, slug
from imagegen_server.workflows.structure import find_faults

MAX_WORKFLOWS: Final = 1000
MAX_DOCUMENT_BYTES: Final = 10 * 1024 * 1024


class Library:
    """Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, *, clock: Callable[[], float], changes: Changes | None = None) -> None:
        self._store = store
        self._clock = clock
        self._changes = changes or Changes()
        self._updating = asyncio.Lock()
        self._listed: dict[tuple[str, int], Workflow] = {}
        """What was listed last, so that graphs need not be read for every list."""

    async def get(self, workflow_id: str, revision: int = 0, *, field: str = "workflow_id") -> Workflow:
        """The newest revision (0), or another one, which is also there when the workflow was deleted.

        Refused: WORKFLOW_NOT_FOUND, naming the request's `field`, with near matches.
        """
        found = BUILT_IN.get(workflow_id)
        if found is not None:
            if revision not in {0, found.revision}:
                raise _no_revision(found, revision, field)
            return found
        wanted = revision or (await self._store.newest_revisions()).get(workflow_id, 0)
        stored = await self._store.get_revision(workflow_id, wanted)
        if stored is not None:
            return await asyncio.to_thread(_decoded, stored)
        if workflow_id in await self._store.newest_revisions():
            raise _no_revision(await self.get(workflow_id), revision, field)
        raise await self._not_found(workflow_id, field)

    async def list(self) -> Sequence[Workflow]:
        """The built-in ones, then the others by title. Without `graph_json` and `ui_json`."""
        newest = await self._store.newest_revisions()
        stored = [await self._brief(workflow_id, revision) for workflow_id, revision in newest.items()]
        self._listed = {(each.workflow_id, each.revision): each for each in stored}
        stored.sort(key=lambda each: ((each.title or each.workflow_id).casefold(), each.workflow_id))
        return [*map(_without_graphs, BUILT_IN.values()), *stored]

    async def revisions(self, workflow_id: str) -> Sequence[Workflow]:
        """Newest first. Without `graph_json` and `ui_json`. Refused: WORKFLOW_NOT_FOUND."""
        if workflow_id in BUILT_IN:
            return [_without_graphs(BUILT_IN[workflow_id])]
        if workflow_id not in await self._store.newest_revisions():
            raise await self._not_found(workflow_id, "workflow_id")
        numbers = await self._store.revision_numbers(workflow_id)
        return [await self._brief(workflow_id, number) for number in numbers]

    async def create(self, workflow: Workflow, owner: str) -> Workflow:
        """Stores a new one, under an id made from its title if it has none.

        Refused: WORKFLOW_EXISTS, QUOTA_EXCEEDED, INVALID_REQUEST, INVALID_GRAPH.
        """
        workflow = replace(workflow, workflow_id=workflow.workflow_id or slug(workflow.title))
        newest = await self._store.newest_revisions()
        if workflow.workflow_id in BUILT_IN or workflow.workflow_id in newest:
            raise workflow_exists(workflow.workflow_id)
        if len(newest) >= MAX_WORKFLOWS:
            raise Refused("QUOTA_EXCEEDED", f"there are {len(newest)} workflows, the most that are kept; delete one")
        document = await asyncio.to_thread(_checked_document, workflow, _path_of_creation)
        revision = await self._add(workflow.workflow_id, 0, document, owner)
        if revision is None:
            raise workflow_exists(workflow.workflow_id)
        return await self.get(workflow.workflow_id, revision)

    async def update(
        self, workflow_id: str, change: Callable[[Workflow], Workflow], owner: str, *, expected_revision: int = 0
    ) -> Workflow:
        """Stores a new revision, unless it equals the newest. One after the other, so that none takes back another.

        Refused: WORKFLOW_NOT_FOUND, WORKFLOW_BUILT_IN, CHANGED_MEANWHILE, INVALID_REQUEST, INVALID_GRAPH.
        """
        if workflow_id in BUILT_IN:
            raise workflow_built_in(workflow_id)
        # Held across the write: who is told that others were faster would only do it all again.
        async with self._updating:
            newest = await self._newest(workflow_id)
            if expected_revision not in {0, newest.revision}:
                raise workflow_changed(workflow_id, expected_revision, newest.revision)
            document = await asyncio.to_thread(_checked_document, change(newest), _path_of_update)
            if document == await asyncio.to_thread(encode_document, newest):
                return newest
            revision = await self._add(workflow_id, newest.revision, document, owner)
        if revision is None:  # it was deleted meanwhile, or changed by a caller who has gone away
            raise workflow_changed(workflow_id, newest.revision, (await self._newest(workflow_id)).revision)
        return await self.get(workflow_id, revision)

    async def delete(self, workflow_id: str) -> None:
        """Its revisions stay, for the jobs that ran them. Refused: WORKFLOW_NOT_FOUND, WORKFLOW_BUILT_IN."""
        if workflow_id in BUILT_IN:
            raise workflow_built_in(workflow_id)
        if not await self._store.delete_workflow(workflow_id):
            raise await self._not_found(workflow_id, "workflow_id")
        self._changes.tell(Topic.WORKFLOWS, workflow_id)

    async def free_id(self, title: str) -> str:
        """An id made from a title that no workflow has."""
        return free_id(title, {*BUILT_IN, *await self._store.newest_revisions()})

    async def _newest(self, workflow_id: str) -> Workflow:
        if workflow_id not in await self._store.newest_revisions():
            raise await self._not_found(workflow_id, "workflow_id")
        return await self.get(workflow_id)

    async def _add(self, workflow_id: str, expected: int, document: bytes, owner: str) -> int | None:
        revision = await self._store.add_revision(
            workflow_id, expected, time=self._clock(), owner=owner, document=document
        )
        if revision is not None:
            self._changes.tell(Topic.WORKFLOWS, workflow_id)
        return revision

    async def _brief(self, workflow_id: str, revision: int) -> Workflow:
        known = self._listed.get((workflow_id, revision))
        return known or _without_graphs(await self.get(workflow_id, revision))

    async def _not_found(self, workflow_id: str, field: str) -> Refused:
        known = [*BUILT_IN, *await self._store.newest_revisions()]
        return workflow_not_found(workflow_id, field, unknown_name("workflow", workflow_id, known))


def _decoded(stored: StoredRevision) -> Workflow:
    workflow = replace(
        decode_document(stored.document),
        revision=stored.revision,
        owner=stored.owner,
        create_time=stored.create_time,
        update_time=stored.time,
    )
    return with_form(workflow)


def _checked_document(workflow: Workflow, path: Callable[[str], str]) -> bytes:
    """What to store. Refused: INVALID_REQUEST, INVALID_GRAPH, with the paths of the request."""
    faults = find_faults(workflow)
    for found, reason in ((faults.of_graph, "INVALID_GRAPH"), (faults.of_fields, "INVALID_REQUEST")):
        if found:
            raise invalid([Violation(path(each.field), each.description) for each in found], reason=reason)
    document = encode_document(workflow)
    if len(document) > MAX_DOCUMENT_BYTES:
        raise invalid([Violation(path("inputs"), f"the workflow must not take more than {MAX_DOCUMENT_BYTES} bytes")])
    return document


def _path_of_creation(path: str) -> str:
    return f"workflow.{path}"


def _path_of_update(path: str) -> str:
    return f"inputs.{path}" if path.startswith("inputs[") else path


def _without_graphs(workflow: Workflow) -> Workflow:
    return replace(workflow, graph_json="", ui_json="")


def _no_revision(workflow: Workflow, revision: int, field: str) -> Refused:
    message = f"workflow {workflow.workflow_id!r} has no revision {revision}; the newest is {workflow.revision}"
    # Wherever a workflow is named, its revision stands beside it.
    return workflow_not_found(workflow.workflow_id, field.removesuffix("workflow_id") + "revision", message)
