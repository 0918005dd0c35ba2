"""The server's one global state, with the traps of the real one: what is stale, what lies, what is never said."""

import asyncio
import base64
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from tests.fakes.a1111.painting import Motif, encode, paint

FINISHED_KEPT = 16


@dataclass(slots=True)
class State:
    """`shared.state`: the one running job. What is not set by `begin` stays from the previous one."""

    job: str = ""
    job_count: int = 0
    job_no: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0
    job_timestamp: str = "0"
    interrupted: bool = False
    skipped: bool = False
    begun_at: float = 0.0
    id_live_preview: int = 0
    current_image: Image.Image | None = None
    current_image_step: int = 0
    latent: tuple[Motif, ...] = ()
    """What a preview would show; empty before sampling."""

    def begin(self, job: str, now: float) -> None:
        self.job, self.job_count, self.job_no = job, -1, 0
        self.job_timestamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))  # a resolution of one second
        self.sampling_step = 0
        self.interrupted = self.skipped = False
        self.begun_at = now
        self.id_live_preview, self.current_image, self.current_image_step, self.latent = 0, None, 0, ()

    def next_pass(self) -> None:
        self.job_no += 1
        self.sampling_step = self.current_image_step = 0

    def end(self) -> None:
        """`sampling_steps`, `job_no` and the flags stay as they are."""
        self.job, self.job_count = "", 0

    def document(self) -> dict[str, Any]:
        return {
            "skipped": self.skipped,
            "interrupted": self.interrupted,
            "stopping_generation": False,
            "job": self.job,
            "job_count": self.job_count,
            "job_timestamp": self.job_timestamp,
            "job_no": self.job_no,
            "sampling_step": self.sampling_step,
            "sampling_steps": self.sampling_steps,
        }

    @property
    def fraction(self) -> float:
        if self.job_count <= 0:
            return 0.0
        within = self.sampling_step / self.sampling_steps if self.sampling_steps > 0 else 0.0
        return min(1.0, (self.job_no + within) / self.job_count)


@dataclass(slots=True)
class Tasks:
    """`modules.progress`: which task is where. A failed one is never taken out."""

    pending: OrderedDict[str, None] = field(default_factory=OrderedDict)
    current: str | None = None
    finished: list[str] = field(default_factory=list)

    def add(self, task: str) -> None:
        self.pending[task] = None

    def start(self, task: str) -> None:
        self.pending.pop(task, None)
        self.current = task

    def finish(self, task: str) -> None:
        """Only after success: a failed task stays current until another one starts."""
        if self.current == task:
            self.current = None
        self.finished = [*self.finished, task][-FINISHED_KEPT:]


class Previews:
    """Renders inside the poll, as the real server does."""

    def __init__(self, state: State, options: dict[str, Any]) -> None:
        self._state = state
        self._options = options
        self.rendered = 0

    def refresh(self) -> None:
        """`set_current_image`: what every poll does that may show a preview, also one that then leaves it out."""
        every = int(self._options["show_progress_every_n_steps"])
        steps_since = self._state.sampling_step - self._state.current_image_step
        if self._options["live_previews_enable"] and every != -1 and steps_since >= every:
            self.render()

    def render_after_pass(self) -> None:
        if self._options["show_progress_every_n_steps"] == -1:
            self.render()

    def render(self) -> None:
        state = self._state
        if not state.latent:
            return
        share = state.sampling_step / state.sampling_steps if state.sampling_steps else 1.0
        frames = [paint(motif, share) for motif in state.latent]
        frames = [frame.resize((max(1, frame.width // 4), max(1, frame.height // 4))) for frame in frames]
        state.current_image = _side_by_side(frames if self._options["show_progress_grid"] else frames[:1])
        state.current_image_step = state.sampling_step
        state.id_live_preview += 1
        self.rendered += 1

    def encode(self, image_format: str) -> str | None:
        """The newest one as base64."""
        image = self._state.current_image
        return None if image is None else base64.b64encode(encode(image, image_format)).decode()


class Changes:
    """Wakes whoever waits for something to become true."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait_until(self, condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
        async with asyncio.timeout(timeout_s):
            while not condition():
                await self._event.wait()


def _side_by_side(frames: list[Image.Image]) -> Image.Image:
    if len(frames) == 1:
        return frames[0]
    grid = Image.new("RGB", (sum(frame.width for frame in frames), frames[0].height))
    left = 0
    for frame in frames:
        grid.paste(frame, (left, 0))
        left += frame.width
    return grid
