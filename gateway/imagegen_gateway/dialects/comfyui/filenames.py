"""How files are called towards clients, who know names and folders where there are only digests. Pure.

A file's name is its digest, so that it is found again by whomever and whenever. What a client calls its upload works as
well, for as long as this process remembers it. Nothing here is ever a path.
"""

import mimetypes
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from imagegen.v1 import asset_pb2
from imagegen_gateway.dialects.comfyui.graphs import Graph, class_of, inputs_of

FOLDERS: Final = frozenset({"input", "output", "temp"})
MAX_NAME_CHARS: Final = 255
MAX_UPLOADS: Final = 10_000
"""So many names of uploads are remembered, the newest."""
DIGEST_NAME: Final = re.compile(r"([0-9a-f]{64})\.[a-z0-9]{1,8}")
ANNOTATED: Final = re.compile(r"(.*) \[(input|output|temp)\]", re.DOTALL)
LOADERS: Final = frozenset({"LoadImage", "LoadImageMask", "LoadImageOutput"})
"""Classes whose `image` may be what a client calls its upload. Elsewhere the same word may be a prompt."""


@dataclass(frozen=True, slots=True)
class FileName:
    """A file as a client names it."""

    folder: str
    subfolder: str
    name: str

    @property
    def digest(self) -> str:
        """The digest in the name; empty: it is another name."""
        match = DIGEST_NAME.fullmatch(self.name)
        return match[1] if match is not None else ""


def file_name(asset: asset_pb2.Asset) -> str:
    """What clients are told that a file is called."""
    return asset.digest + (mimetypes.guess_extension(asset.media_type) or ".bin")


def read_annotated(text: str) -> FileName:
    """A name as nodes take it: "sub/name.png", "name.png [output]"."""
    folder = "input"
    if (match := ANNOTATED.fullmatch(text)) is not None:
        text, folder = match[1], match[2]
    subfolder, _, name = text.rpartition("/")
    return FileName(folder, subfolder, name)


class Uploads:
    """What owners call their uploads. The newest of a name counts."""

    def __init__(self, limit: int = MAX_UPLOADS) -> None:
        self._limit = limit
        self._digests: OrderedDict[tuple[str, FileName], str] = OrderedDict()

    def remember(self, owner: str, name: FileName, digest: str) -> None:
        """Notes a name, and forgets the oldest where there are too many."""
        self._digests[owner, name] = digest
        self._digests.move_to_end((owner, name))
        if len(self._digests) > self._limit:
            self._digests.popitem(last=False)

    def find(self, owner: str, name: FileName) -> str:
        """The digest of a file; empty: nobody knows it."""
        return name.digest or self._digests.get((owner, name), "")

    def choices(self, owner: str) -> list[str]:
        """What the owner can write into a graph, as ComfyUI lists it: files that lie in no subfolder."""
        own = (name for whose, name in self._digests if whose == owner)
        return sorted({name.name for name in own if name.folder == "input" and not name.subfolder})

    def images_in(self, graph: Graph, owner: str) -> dict[str, str]:
        """The uploads and results that a graph takes, by node and input as in RawGraph.images."""
        images: dict[str, str] = {}
        for node_id in graph:
            for key, value in inputs_of(graph, node_id).items():
                if not isinstance(value, str) or "." in key or len(value) > 2 * MAX_NAME_CHARS:
                    continue
                name = read_annotated(value)
                is_file = key == "image" and class_of(graph, node_id) in LOADERS
                digest = self.find(owner, name) if is_file else name.digest
                if digest:
                    images[f"{node_id}.{key}"] = digest
        return images
