"""What each client has asked for here: its requests under way, how they stand, and what it has chosen.

A client is an owner at an address: the API knows no better name for who asks. All of it is in memory and bounded; jobs
themselves live at the server, which is asked about tasks that are not known here any more.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from imagegen.v1 import event_pb2, job_pb2
from imagegen_gateway.callers import Caller
from imagegen_gateway.dialects.a1111.options import Choice
from imagegen_gateway.dialects.rendering import Moment

MAX_CLIENTS: Final = 4096
MAX_ENDED: Final = 64
"""Tasks of a client that are known to have ended."""
TASK_LABEL: Final = "a1111.task"
"""Of a job whose request brought an id along: by it the job is found again, whatever became of this process."""
AT_WORK: Final = frozenset({job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_CANCELLING})


def task_key(caller: Caller, task_id: str) -> str:
    """The value of TASK_LABEL: two clients may use the same id."""
    return hashlib.sha256("\0".join((*caller.identity, task_id)).encode()).hexdigest()


@dataclass(slots=True, eq=False)
class Work:
    """One request that somebody waits for; it may take several jobs."""

    kind: str
    """"scripts_txt2img", "scripts_img2img" or "extras", as A1111 calls it."""
    count: int
    """Pictures that it makes."""
    task_id: str = ""
    job_id: str = ""
    """The job that is under way; empty before the first."""
    span: range = range(0)
    """The pictures that this job makes."""
    moment: Moment | None = None
    progress: job_pb2.Progress | None = None
    """Of this job, the newest; goes on to be shown when the job has ended."""
    preview: event_pb2.Preview | None = None
    began_s: float | None = None
    """By the loop's clock, when a backend began with it; None while it waits."""
    timestamp: str = "0"
    is_interrupted: bool = False
    is_skipped: bool = False
    is_skip_wanted: bool = False
    """The picture at work is to be left out, and nothing was done about it yet."""
    is_over: bool = False

    @property
    def is_at_work(self) -> bool:
        """Whether a backend has begun with it, and it has not ended."""
        return self.began_s is not None and not self.is_over

    @property
    def image_index(self) -> int:
        """The picture that is being made."""
        return self.span.start + (self.progress.image_index if self.progress is not None else 0)

    def begin(self, job_id: str, span: range) -> None:
        """Another of its jobs is followed now."""
        self.job_id, self.span, self.moment, self.progress = job_id, span, None, None

    def note(self, moment: Moment, now_s: float, today: datetime) -> None:
        """How it stands now."""
        self.moment = moment
        self.progress = moment.progress or self.progress
        if moment.preview is not None:
            self.preview = moment.preview
        if self.began_s is None and (moment.state in AT_WORK or moment.is_last):
            self.began_s = now_s
            self.timestamp = today.strftime("%Y%m%d%H%M%S")

    def take_skip(self) -> bool:
        """Whether a picture is to be left out; asked once for each."""
        is_wanted, self.is_skip_wanted = self.is_skip_wanted, False
        return is_wanted


@dataclass(slots=True, eq=False)
class Client:
    """One client."""

    choice: Choice = field(default_factory=Choice)
    works: list[Work] = field(default_factory=list)
    """Under way, oldest first."""
    last: Work | None = None
    """The newest that has ended: A1111 goes on to show parts of it while nothing runs."""
    _ended: OrderedDict[str, bool] = field(default_factory=OrderedDict)

    @contextmanager
    def working(self, work: Work) -> Iterator[None]:
        """Keeps a request among those under way meanwhile."""
        self.works.append(work)
        self._ended.pop(work.task_id, None)
        is_completed = False
        try:
            yield
            is_completed = True
        finally:
            self.works.remove(work)
            work.is_over, self.last = True, work
            work.preview = None
            if work.task_id:
                self._ended[work.task_id] = is_completed
                while len(self._ended) > MAX_ENDED:
                    self._ended.popitem(last=False)

    def shown(self) -> Work | None:
        """The request whose progress is the client's: the oldest at work, else the oldest that waits."""
        return next((work for work in self.works if work.is_at_work), None) or next(iter(self.works), None)

    def to_interrupt(self) -> list[Work]:
        """What an interrupt is for: all that is at work; what waits, if nothing is."""
        return [work for work in self.works if work.is_at_work] or list(self.works)

    def task(self, task_id: str) -> Work | None:
        """A request under way by the id that it brought along, the newest of that id."""
        return next((work for work in reversed(self.works) if work.task_id == task_id), None)

    def has_completed(self, task_id: str) -> bool | None:
        """Whether a request that has ended gave an answer; None: it is not known."""
        return self._ended.get(task_id)


class Desk:
    """All clients."""

    def __init__(self) -> None:
        self._clients: OrderedDict[tuple[str, str], Client] = OrderedDict()

    def client(self, caller: Caller) -> Client:
        """The client that asks; a new one has chosen nothing."""
        client = self._clients.setdefault(caller.identity, Client())
        self._clients.move_to_end(caller.identity)
        if len(self._clients) > MAX_CLIENTS:
            idle = (identity for identity, other in self._clients.items() if not other.works and other is not client)
            oldest = next(idle, None)
            if oldest is not None:
                del self._clients[oldest]
        return client
