"""The workflows that there are: the built-in ones, and those that the store keeps."""

from collections.abc import Callable, Sequence

from imagegen_server.stores.store import Store
from imagegen_server.workflows.model import Workflow


class Library:
    """Every method raises StoreError when the database fails."""

    def __init__(self, store: Store, *, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def get(self, workflow_id: str, revision: int = 0, *, field: str = "workflow_id") -> Workflow:
        """The newest revision (0), or another one, which is also there when the workflow was deleted.

        Refused: WORKFLOW_NOT_FOUND, naming the request's `field`, with near matches.
        """
        raise NotImplementedError

    async def list(self) -> Sequence[Workflow]:
        """The built-in ones, then the others by title. Without `graph_json` and `ui_json`."""
        raise NotImplementedError

    async def revisions(self, workflow_id: str) -> Sequence[Workflow]:
        """Newest first. Without `graph_json` and `ui_json`. Refused: WORKFLOW_NOT_FOUND."""
        raise NotImplementedError

    async def create(self, workflow: Workflow, owner: str) -> Workflow:
        """Stores a new one. Refused: WORKFLOW_EXISTS, INVALID_REQUEST, INVALID_GRAPH."""
        raise NotImplementedError

    async def delete(self, workflow_id: str) -> None:
        """Refused: WORKFLOW_NOT_FOUND, WORKFLOW_BUILT_IN."""
        raise NotImplementedError
