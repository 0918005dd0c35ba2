"""The exit statuses of the command: one table for errors, one for the states of jobs."""

from collections.abc import Mapping
from enum import IntEnum

from imagegen.v1.job_pb2 import JobState
from imagegen_client.errors import (
    Damaged,
    ImagegenError,
    InvalidRequest,
    NotAllowed,
    NotFound,
    NotPossible,
    Overloaded,
    ServerFault,
    Unavailable,
)


class Exit(IntEnum):
    """The exit statuses, for scripts."""

    SUCCESS = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    UNAVAILABLE = 4
    NOT_POSSIBLE = 5
    CANCELLED = 130
    CLOSED = 141
    """As a shell tells the end by SIGPIPE."""


MEANINGS: Mapping[Exit, str] = {
    Exit.SUCCESS: "done",
    Exit.FAILED: "the job failed, or the server did",
    Exit.USAGE: "the request or the command line is wrong, or a file cannot be read or written",
    Exit.NOT_FOUND: "no such job, asset, backend, model, workflow or key",
    Exit.UNAVAILABLE: "the server cannot be reached, or takes no more jobs for now",
    Exit.NOT_POSSIBLE: "not now, or not for you: the job expired, has ended, or has not; a port is taken; not allowed",
    Exit.CANCELLED: "the job was cancelled, or Ctrl-C was pressed",
    Exit.CLOSED: "whoever read the output has gone, as `head` does",
}

EXIT_OF_ERROR: Mapping[type[ImagegenError], Exit] = {
    ImagegenError: Exit.FAILED,
    InvalidRequest: Exit.USAGE,
    NotFound: Exit.NOT_FOUND,
    NotPossible: Exit.NOT_POSSIBLE,
    NotAllowed: Exit.NOT_POSSIBLE,
    Unavailable: Exit.UNAVAILABLE,
    Overloaded: Exit.UNAVAILABLE,
    ServerFault: Exit.FAILED,
    Damaged: Exit.FAILED,
}

EXIT_OF_STATE: Mapping[JobState.ValueType, Exit] = {
    # The first four are no ends: a command that leaves a job there did what it was asked to.
    JobState.JOB_STATE_UNSPECIFIED: Exit.SUCCESS,
    JobState.JOB_STATE_QUEUED: Exit.SUCCESS,
    JobState.JOB_STATE_RUNNING: Exit.SUCCESS,
    JobState.JOB_STATE_CANCELLING: Exit.SUCCESS,
    JobState.JOB_STATE_SUCCEEDED: Exit.SUCCESS,
    JobState.JOB_STATE_FAILED: Exit.FAILED,
    JobState.JOB_STATE_CANCELLED: Exit.CANCELLED,
    JobState.JOB_STATE_EXPIRED: Exit.NOT_POSSIBLE,
}

EPILOG = "\n\n".join(["Exit statuses:", *(f"{status.value}: {meaning}" for status, meaning in MEANINGS.items())])
