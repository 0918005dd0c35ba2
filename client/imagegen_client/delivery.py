"""Which events of a stream that is opened again and again are new to the caller. Pure."""

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import JobState

DURABLE = frozenset(
    {"state_changed", "attempt_started", "attempt_failed", "plan", "output_ready", "warning", "updated", "completed"}
)
"""Names of the events that are stored, numbered without gaps, and delivered exactly once."""

FINAL = frozenset(
    {
        JobState.JOB_STATE_SUCCEEDED,
        JobState.JOB_STATE_FAILED,
        JobState.JOB_STATE_CANCELLED,
        JobState.JOB_STATE_EXPIRED,
    }
)
"""States that a job does not leave."""


class Delivery:
    """The position of one watcher of one job.

    Durable events pass exactly once and in order; heartbeats, and every caught_up but the first, stay inside, because
    they speak of a connection that the caller does not see.
    """

    def __init__(self, resume_token: str = "") -> None:
        self.resume_token = resume_token
        """Where the next stream has to begin."""
        self._sequence = 0
        self._is_caught_up = False

    def accepts(self, event: JobEvent) -> bool:
        """Notes the event's position; whether the caller gets it."""
        kind = event.WhichOneof("event")
        if kind in DURABLE:
            if event.sequence <= self._sequence:
                return False
            self._move_to(event)
            return True
        match kind:
            case "reset":
                # The old token stays until the snapshot is here: a stream cut in between has to bring it again.
                self._sequence = 0
                return True
            case "snapshot":
                self._move_to(event)
                if event.snapshot.state in FINAL:
                    self._sequence -= 1  # the job's `completed` follows, and the caller has not had it
                return True
            case "caught_up":
                is_first, self._is_caught_up = not self._is_caught_up, True
                return is_first
            case "heartbeat" | None:  # None: a kind of event that this version does not know
                return False
            case _:
                return True

    def _move_to(self, event: JobEvent) -> None:
        # Only durable events and snapshots move the position. Ephemeral ones have tokens too, but a token that is
        # taken only from what the caller has got can never skip anything, whatever overtook it on the way.
        self._sequence = event.sequence
        if event.resume_token:
            self.resume_token = event.resume_token
