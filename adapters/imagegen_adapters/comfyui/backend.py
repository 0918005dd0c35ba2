"""What is known about one server, shared by all attempts there."""

import asyncio
import zlib
from collections.abc import Mapping, Sequence

from imagegen_adapters.comfyui.answers import ServerInfo
from imagegen_adapters.comfyui.client import ComfyClient, Timing
from imagegen_adapters.comfyui.completing import complete
from imagegen_adapters.comfyui.link import Link
from imagegen_adapters.comfyui.listing import FOLDERS, IGNORED_FOLDERS, catalog_of
from imagegen_adapters.comfyui.validation import check_parameters
from imagegen_adapters.contract import Capabilities, Catalog, ImageParameters, RawGraph
from imagegen_adapters.errors import Rejected, Violation
from imagegen_adapters.graphs.checking import check_graph
from imagegen_adapters.graphs.node_classes import NodeClasses, parse_node_classes

CAPABILITIES = Capabilities(
    image_parameters=True,
    graphs=True,
    image_to_image=True,
    inpainting=True,
    hires=True,
    loras=True,
    model_loading=True,
    previews=True,
    max_batch_size=16,
    reattach=True,
    max_concurrent_runs=2,  # the second one waits in the server's own queue, so that the device never idles
)

_TRUSTED_S = 600.0
"""A restart that nobody noticed is made good after so long."""


class Backend:
    """The server's calls, its socket, and what it was last known to have."""

    def __init__(self, client: ComfyClient, link: Link, timing: Timing) -> None:
        self.client = client
        self.link = link
        self.timing = timing
        self.info = ServerInfo()
        self.classes: NodeClasses | None = None
        self.catalog: Catalog | None = None
        self.drivers = set[asyncio.Task[None]]()
        """What runs the attempts that are open now."""
        self._definitions = zlib.compress(b"{}")
        self._informed_at = -1
        self._listed: tuple[Mapping[str, tuple[str, ...]] | None, int] = (None, -1)
        """The files when the catalogue was read, and the generation of the link."""
        self._read_at = 0.0
        self._resident = ("", -1)

    @property
    def resident_model(self) -> str:
        """The model that our last job used; not known after the socket was lost, as the server may have restarted."""
        model, generation = self._resident
        return model if self.link.is_up and generation == self.link.generation else ""

    def note_resident(self, model: str) -> None:
        self._resident = model, self.link.generation

    async def close(self) -> None:
        """Ends what still runs on this side. The server goes on."""
        for driver in self.drivers:
            driver.cancel()
        await asyncio.gather(*self.drivers, return_exceptions=True)

    async def refresh_info(self) -> ServerInfo:
        self.info = await self.client.server_info()
        self._informed_at = self.link.generation
        return self.info

    async def refresh_catalog(self) -> Catalog:
        """The same object as before where nothing points to a change: the node classes are megabytes, the names of
        files are not. They are read again in any case from time to time.
        """
        listed = await self.client.model_lists(IGNORED_FOLDERS), self.link.generation
        now = asyncio.get_running_loop().time()
        if self.catalog is None or listed[0] is None or listed != self._listed or now - self._read_at > _TRUSTED_S:
            self.catalog = await self._read_catalog()
            self._listed, self._read_at = listed, now
        return self.catalog

    def doubt_catalog(self) -> None:
        """Has the next refresh read everything: the server may have restarted."""
        self._listed = (None, -1)

    async def _read_catalog(self) -> Catalog:
        answer = await self.client.object_info()
        classes, self._definitions = await asyncio.to_thread(_understood, answer)
        self.classes = classes
        folders = tuple(FOLDERS.values())
        sizes = await asyncio.gather(*(self.client.model_sizes(folder) for folder in folders))
        return catalog_of(classes, await self.client.embeddings(), dict(zip(folders, sizes, strict=True)))

    async def node_definitions(self) -> bytes:
        return await asyncio.to_thread(zlib.decompress, self._definitions)

    async def free_memory(self) -> None:
        """Takes effect after the running prompt."""
        await self.client.free()
        self._resident = ("", -1)

    async def learn(self) -> None:
        """Asks for what is not known yet, and for the version again after a reconnect: it may be another."""
        if self._informed_at != self.link.generation:
            await self.refresh_info()
        if self.catalog is None:
            await self.refresh_catalog()

    def validate(self, source: ImageParameters | RawGraph) -> Sequence[Violation]:
        match source:
            case ImageParameters():
                completed = complete(source, self.catalog or Catalog(), resident=self.resident_model)
                return check_parameters(completed, CAPABILITIES, self.catalog, self.classes)
            case RawGraph():
                return check_graph(source, self.classes)

    async def resolve(self, source: ImageParameters | RawGraph) -> ImageParameters | RawGraph:
        """The request with every name filled in. Raises Rejected where it cannot run here."""
        await self.learn()
        violations = await asyncio.to_thread(self.validate, source)
        if violations:
            await self.refresh_catalog()  # what it names may have been installed since
            violations = await asyncio.to_thread(self.validate, source)
        if violations:
            reasons = "; ".join(f"{violation.field}: {violation.description}" for violation in violations[:3])
            raise Rejected(f"the request cannot run at this backend: {reasons}", violations)
        return self.completed(source)

    def completed(self, source: ImageParameters | RawGraph) -> ImageParameters | RawGraph:
        """With every name filled in, as far as the catalogue is known."""
        match source:
            case ImageParameters():
                return complete(source, self.catalog or Catalog(), resident=self.resident_model)
            case RawGraph():
                return source


def _understood(answer: bytes) -> tuple[NodeClasses, bytes]:
    """The answer to `/object_info`, understood, and compressed: large installations have 10 MB of it."""
    return parse_node_classes(answer), zlib.compress(answer, level=1)
