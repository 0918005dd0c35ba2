"""Those who watch a job from its first event to its end, whatever goes away in between."""

import asyncio

import aiohttp

from imagegen_client import Client, ImagegenError
from tests.chaos.evidence import Watched
from tests.chaos.ways import PASSING
from tests.e2e.stack import DURABLE, SseEvent, read_events


async def watch_over_grpc(client: Client, watched: Watched) -> None:
    """Comes back by itself: that is what the client promises."""
    try:
        async with client.watch(watched.job_id, resume_token="earliest", max_pixels=16) as watch:
            async for event in watch:
                kind = str(event.WhichOneof("event"))
                if kind in DURABLE:
                    watched.marks.append((event.sequence, kind))
                elif kind == "preview":
                    watched.frames.append((event.attempt, event.preview.frame))
                elif kind == "progress":
                    watched.fractions.append(event.progress.fraction)
                elif kind == "reset":
                    watched.resets += 1
    except ImagegenError as error:
        watched.problem = f"its stream ended with {error}"


class HttpWatcher:
    """Comes back by Last-Event-ID, as a browser does. Leaves in between, after so many events each."""

    def __init__(self, session: aiohttp.ClientSession, watched: Watched, hang_up_after: tuple[int, ...]) -> None:
        self._session = session
        self._watched = watched
        self._hang_up_after = list(hang_up_after)
        self._token = ""

    async def watch(self) -> None:
        """Returns when the job has ended, or with a problem noted."""
        while not self._has_ended and not self._watched.problem:
            try:
                await self._read_on()
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, TimeoutError):
                await asyncio.sleep(0.1)

    @property
    def _has_ended(self) -> bool:
        return bool(self._watched.marks) and self._watched.marks[-1][1] == "completed"

    async def _read_on(self) -> None:
        headers = {"Last-Event-ID": self._token} if self._token else {}
        query = "" if self._token else "?last_event_id=earliest"
        async with self._session.get(f"/api/v1/jobs/{self._watched.job_id}/events{query}", headers=headers) as stream:
            if stream.status in PASSING:
                raise TimeoutError
            if stream.status != 200:
                self._watched.problem = f"was answered {stream.status}: {await stream.text()}"
                return
            self._watched.resumed += bool(self._token)
            patience = self._hang_up_after.pop(0) if self._hang_up_after else -1
            async for event in read_events(stream):
                self._note(event)
                patience -= 1
                if patience == 0 or self._has_ended:
                    return

    def _note(self, event: SseEvent) -> None:
        self._token = event.token or self._token
        if event.event in DURABLE:
            self._watched.marks.append((event.sequence, event.event))
        elif event.event == "preview":
            self._watched.frames.append((int(event.data["attempt"]), int(event.data["preview"]["frame"])))
        elif event.event == "progress":
            self._watched.fractions.append(float(event.data["progress"].get("fraction", 0.0)))
        elif event.event == "reset":
            self._watched.resets += 1
