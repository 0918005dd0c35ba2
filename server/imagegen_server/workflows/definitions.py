"""What graphs can be made of, at each backend and at all of them together, as their catalogues say now."""

from collections.abc import Mapping

from imagegen_adapters.graphs.node_classes import NodeClasses
from imagegen_server.fleet import Backend, Fleet
from imagegen_server.workflows.inputs import Allowed
from imagegen_server.workflows.model import Workflow


class Definitions:
    """Parses each catalogue once, in a thread."""

    def __init__(self, fleet: Fleet) -> None:
        raise NotImplementedError

    async def classes(self, backend: Backend | None = None) -> NodeClasses:
        """The node classes of a backend; None: of all that take graphs and have told what they have."""
        raise NotImplementedError

    async def allowed(self, workflow: Workflow) -> Mapping[str, Allowed]:
        """What the backends allow for the workflow's inputs, by name."""
        raise NotImplementedError
