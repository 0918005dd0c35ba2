"""SystemService: what this service is, and what changes beside jobs."""

import asyncio
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from imagegen.v1 import backend_pb2
from imagegen.v1 import system_pb2 as pb
from imagegen_adapters.registry import KINDS
from imagegen_server.changes import Change, Changes, Topic
from imagegen_server.services.present import Present
from imagegen_server.services.rpc import Context
from imagegen_server.stores.store import Store
from imagegen_server.wire.scalars import to_timestamp
from imagegen_server.workflows.definitions import Catalogs, Definitions

PAUSE_S: Final = 0.5
"""After each change; what happens meanwhile is told together, so nothing is told more often than twice a second."""
ALIVE_S: Final = 15.0
TOPICS: Final[Mapping[Topic, pb.Topic.ValueType]] = {
    Topic.SETTINGS: pb.TOPIC_SETTINGS,
    Topic.WORKFLOWS: pb.TOPIC_WORKFLOWS,
    Topic.MODELS: pb.TOPIC_MODELS,
    Topic.ASSETS: pb.TOPIC_ASSETS,
    Topic.KEYS: pb.TOPIC_KEYS,
    Topic.JOBS: pb.TOPIC_JOBS,
}
"""Those that are told as they are; of the others it is told what there is now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemService:
    present: Present
    definitions: Definitions
    changes: Changes
    store: Store
    folder: Path
    """Where files are kept."""
    version: str
    start_time: float
    max_asset_bytes: int
    allows_backend_changes: bool
    pause_s: float = PAUSE_S
    alive_s: float = ALIVE_S

    async def get_system(self, _request: pb.GetSystemRequest, _: Context) -> pb.GetSystemResponse:
        totals = await self.store.totals()
        disk = await asyncio.to_thread(shutil.disk_usage, self.folder)
        return pb.GetSystemResponse(
            version=self.version,
            start_time=to_timestamp(self.start_time),
            assets=totals.assets,
            assets_bytes=totals.assets_bytes,
            free_bytes=disk.free,
            jobs=totals.jobs,
            max_asset_bytes=self.max_asset_bytes,
            backend_changes_allowed=self.allows_backend_changes,
            backend_kinds=KINDS,
        )

    async def watch_system(self, _request: pb.WatchSystemRequest, context: Context) -> None:
        """Writes what changes until the caller goes. Raises ShuttingDown or TooManyWatchers."""
        now = asyncio.get_running_loop().time
        async with self.changes.watch() as watcher:
            telling = Telling(self.present, self.definitions)
            events = telling.everything()
            while True:
                for event in events:
                    await context.write(pb.WatchSystemResponse(event=event))
                if events:
                    alive_at = now() + self.alive_s
                try:
                    async with asyncio.timeout_at(alive_at):
                        await asyncio.sleep(self.pause_s)
                        events = telling.news(await watcher.news())
                except TimeoutError:
                    events = [pb.SystemEvent(alive=pb.Alive())]


class Telling:
    """What one stream has told, and so what is news there."""

    def __init__(self, present: Present, definitions: Definitions) -> None:
        self._present = present
        self._definitions = definitions
        self._backends: dict[str, bytes] = {}
        self._queue = b""
        self._catalogs: Catalogs = ()

    def everything(self) -> list[pb.SystemEvent]:
        """To begin with."""
        self._catalogs = self._definitions.catalogs()
        return [*self._backend_news(), *self._queue_news(), pb.SystemEvent(ready=pb.Ready())]

    def news(self, changes: Iterable[Change]) -> list[pb.SystemEvent]:
        """What there is to be told of these changes."""
        events: list[pb.SystemEvent] = []
        for change in changes:
            match change.topic:
                case Topic.BACKENDS:
                    events += self._backend_news()
                case Topic.QUEUE:
                    events += self._queue_news()
                case topic:
                    events.append(_changed(topic, change.id))
        return events

    def _backend_news(self) -> list[pb.SystemEvent]:
        present = {backend.name: backend for backend in self._present.backends()}
        seen = {name: _without_time(backend) for name, backend in present.items()}
        gone = self._backends.keys() - seen.keys()
        events = [pb.SystemEvent(backend_removed=pb.BackendRemoved(name=name)) for name in sorted(gone)]
        events += [pb.SystemEvent(backend=present[name]) for name in seen if seen[name] != self._backends.get(name)]
        catalogs, self._backends = self._definitions.catalogs(), seen
        if catalogs != self._catalogs:
            self._catalogs = catalogs
            events.append(_changed(Topic.MODELS, ""))
        return events

    def _queue_news(self) -> list[pb.SystemEvent]:
        queue = self._present.queue()
        told, self._queue = self._queue, queue.SerializeToString(deterministic=True)
        return [] if told == self._queue else [pb.SystemEvent(queue=queue)]


def _changed(topic: Topic, id_: str) -> pb.SystemEvent:
    return pb.SystemEvent(changed=pb.Changed(topic=TOPICS[topic], id=id_))


def _without_time(backend: backend_pb2.Backend) -> bytes:
    """All but when it was seen last: that alone is no news."""
    still = backend_pb2.Backend()
    still.CopyFrom(backend)
    still.ClearField("last_seen_time")
    return still.SerializeToString(deterministic=True)
