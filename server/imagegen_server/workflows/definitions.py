"""What graphs can be made of, at each backend and at all of them together, as their catalogues say now."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import orjson

from imagegen_adapters.graphs.node_classes import NodeClasses, read_node_classes
from imagegen_server.backend import Backend
from imagegen_server.definitions import united
from imagegen_server.fleet import Fleet
from imagegen_server.workflows.allowances import by_catalogs, by_classes
from imagegen_server.workflows.model import Workflow
from imagegen_server.workflows.values import Allowed

Catalogs: TypeAlias = tuple[tuple[str, int], ...]
"""Names of backends with the versions of their catalogues."""


class Definitions:
    """Reads each catalogue once, in a thread."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._classes: dict[Catalogs, NodeClasses] = {}
        self._united: tuple[Catalogs, Mapping[str, bytes]] = ((), {})
        self._turn = asyncio.Lock()

    def tellers(self) -> list[Backend]:
        """The backends that take graphs and have told what they have."""
        return [backend for backend in self._fleet if has_told(backend)]

    def catalogs(self) -> Catalogs:
        """Changes whenever `allowed` may."""
        return _catalogs([backend for backend in self._fleet if backend.health.catalog is not None])

    async def by_class(self, backends: Sequence[Backend]) -> Mapping[str, bytes]:
        """What the backends have together: the JSON of each class as ComfyUI's `/object_info` has it."""
        # Held while the work is done: whoever comes meanwhile most likely wants the same.
        async with self._turn:
            catalogs = _catalogs(backends)
            if catalogs != self._united[0]:
                answers = await _answers(backends)
                self._united = (catalogs, await asyncio.to_thread(_encoded, answers))
            return self._united[1]

    async def classes(self, backends: Sequence[Backend] | None = None) -> NodeClasses:
        """The node classes of backends that have told them; None: of all that have."""
        chosen = self.tellers() if backends is None else backends
        async with self._turn:
            catalogs = _catalogs(chosen)
            if catalogs not in self._classes:
                self._classes[catalogs] = await asyncio.to_thread(_read, await _answers(chosen))
                current = set(_catalogs(self._fleet))
                self._classes = {key: known for key, known in self._classes.items() if current.issuperset(key)}
            return self._classes.get(catalogs, NodeClasses())

    async def allowed(self, workflow: Workflow, backends: Sequence[Backend] | None = None) -> Mapping[str, Allowed]:
        """What backends, or all of them (None), allow for the workflow's inputs, by name.

        Nothing is said of what they have not told.
        """
        chosen = list(self._fleet) if backends is None else backends
        if workflow.makes_parameters:
            return by_catalogs(workflow, [each.health.catalog for each in chosen if each.health.catalog is not None])
        classes = await self.classes([backend for backend in chosen if has_told(backend)])
        return await asyncio.to_thread(by_classes, workflow.form, classes)


def has_told(backend: Backend) -> bool:
    """Whether a backend takes graphs and has told its node classes."""
    return backend.adapter.capabilities.graphs and backend.health.catalog is not None


def _catalogs(backends: Iterable[Backend]) -> Catalogs:
    return tuple((backend.name, backend.health.catalog_version) for backend in backends)


async def _answers(backends: Sequence[Backend]) -> list[bytes]:
    return [await backend.adapter.node_definitions() for backend in backends]


def _together(answers: Sequence[bytes]) -> dict[str, Any]:
    return united(orjson.loads(answer) for answer in answers)


def _encoded(answers: Sequence[bytes]) -> dict[str, bytes]:
    return {name: orjson.dumps(entry) for name, entry in _together(answers).items()}


def _read(answers: Sequence[bytes]) -> NodeClasses:
    return read_node_classes(_together(answers))
