"""When a job need not run, because an earlier one has made exactly the same. Pure.

Same is what decides about pixels: parameters or graph with all seeds, pictures by their digests, and what is passed
through to backends. Labels, priority, previews, deadlines and where it runs are not.
"""

import hashlib
import json
from dataclasses import asdict, replace
from typing import Final

from imagegen_adapters.contract import ImageParameters
from imagegen_server.jobs import Job, JobSpec, JobState
from imagegen_server.lifecycle import with_model

_HARMLESS: Final = frozenset({"CANCEL_NOT_CONFIRMED", "PREVIEWS_UNAVAILABLE", "BACKEND_RECONNECTED"})
"""Warnings after which the pictures are what was asked for."""


def key_of(spec: JobSpec) -> bytes:
    """Equal for specs that make the same. Takes its time for large graphs."""
    made = [asdict(spec.source), dict(spec.backend_options)]
    return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).digest()


def is_complete(job: Job) -> bool:
    """Whether others can be answered with it: all that was asked for is there, and nothing was replaced."""
    if job.state is not JobState.SUCCEEDED or any(warning.code not in _HARMLESS for warning in job.warnings):
        return False
    if isinstance(job.spec.source, ImageParameters) and not job.spec.source.model:
        # A backend that tells no models took one; which, nobody knows, and the next time it may be another.
        return False
    count = job.spec.everything.count
    images = {output.image_index for output in job.outputs if not output.intermediate}
    return images >= set(range(count)) if count else bool(job.outputs)


def answered(job: Job, earlier: Job) -> Job:
    """The new job with the outputs of one that made the same; `lifecycle.create` ends it at once."""
    outputs = tuple(replace(output, attempt=0) for output in earlier.outputs)
    # Of several answers the first job that ran is named: it is the one that has attempts to look at.
    origin = earlier.reused_from or earlier.job_id
    return replace(job, spec=with_model(job.spec, earlier.spec.model), outputs=outputs, reused_from=origin)
