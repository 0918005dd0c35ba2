"""Which backends can run which job, as far as their labels and catalogues tell."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

import structlog

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_server.backend import Backend
from imagegen_server.fleet import Fleet
from imagegen_server.jobs import Job, JobSpec

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Accepting:
    """Which backends may have a job, and what that was found out from."""

    source: ImageParameters | RawGraph
    is_bound: bool
    catalogs: tuple[int, ...]
    names: frozenset[str]


class Eligibility:
    """Asks the adapters, once per job, backend and catalogue.

    A job that named no model can go to any backend. The first one's choice is written back into its spec. While that
    attempt runs, and once it has delivered an image, the choice binds the job, so that all of its images are of one
    model; before, the job can still move to a backend that has another one.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._verdicts: dict[tuple[str, str], tuple[JobSpec, int, bool]] = {}
        self._accepting: dict[str, _Accepting] = {}
        self._names_no_model: set[str] = set()

    def keep_only(self, jobs: Iterable[Job]) -> None:
        """Forgets all other jobs."""
        kept = {job.job_id for job in jobs}
        if kept.issuperset(self._accepting):
            return
        self._names_no_model &= kept
        self._accepting = {job_id: known for job_id, known in self._accepting.items() if job_id in kept}
        self._verdicts = {key: verdict for key, verdict in self._verdicts.items() if key[0] in kept}

    async def judge_graph(self, job: Job) -> None:
        """Finds out beforehand, in a thread, what `accepting` would have to find out in the loop."""
        for backend in self._candidates(job.spec):
            if self._known(job.job_id, job.spec, backend) is None:
                version = backend.health.catalog_version
                is_able = await asyncio.to_thread(_can_run, backend, job.spec.source)
                self._verdicts[job.job_id, backend.name] = (job.spec, version, is_able)

    def is_judged(self, job: Job) -> bool:
        """Whether `accepting` has nothing to find out that takes long."""
        if not isinstance(job.spec.source, RawGraph):
            return True
        return all(self._known(job.job_id, job.spec, each) is not None for each in self._candidates(job.spec))

    def accepting(self, job: Job) -> frozenset[str]:
        """The backends that may have the job, whether they are healthy or not.

        A job that no backend can run, all that it may go to having been asked, may go to any of these: that one refuses
        it with reasons, where waiting would never end.
        """
        # No two catalogues have the same version, so these tell of backends that have come or gone, too.
        catalogs = tuple([backend.health.catalog_version for backend in self._fleet])
        source, is_bound = job.spec.source, _is_bound(job)
        known = self._accepting.get(job.job_id)
        if known is None or known.catalogs != catalogs or known.source is not source or known.is_bound != is_bound:
            names = self._find_accepting(job.job_id, self._wish(job))
            known = self._accepting[job.job_id] = _Accepting(source, is_bound, catalogs, names)
        return known.names

    def leaves_model_open(self, job: Job) -> bool:
        """Whether the next attempt is to choose the model of all that follow."""
        wish = self._wish(job).source
        return isinstance(wish, ImageParameters) and not wish.model

    def spec_for(self, job: Job, backend: Backend) -> JobSpec:
        """The job's spec with what this backend chooses where nothing was asked for."""
        source = job.spec.source
        if isinstance(source, ImageParameters) and not _can_run(backend, source):
            return resolved(self._wish(job), backend)
        return resolved(job.spec, backend)

    def _find_accepting(self, job_id: str, spec: JobSpec) -> frozenset[str]:
        candidates = self._candidates(spec)
        able = frozenset(each.name for each in candidates if self._is_able(job_id, spec, each))
        if able or any(each.health.catalog is None for each in candidates):
            return able
        return frozenset(each.name for each in candidates)

    def _candidates(self, spec: JobSpec) -> list[Backend]:
        return [each for each in self._fleet if is_selected(each, spec)]

    def _is_able(self, job_id: str, spec: JobSpec, backend: Backend) -> bool:
        known = self._known(job_id, spec, backend)
        if known is None:
            known = _can_run(backend, spec.source)
            self._verdicts[job_id, backend.name] = (spec, backend.health.catalog_version, known)
        return known

    def _known(self, job_id: str, spec: JobSpec, backend: Backend) -> bool | None:
        """The verdict by the backend's present catalogue, if there is one."""
        verdict = self._verdicts.get((job_id, backend.name))
        if verdict is None:
            return None
        judged, version, is_able = verdict
        is_current = judged.source == spec.source and version == backend.health.catalog_version
        return is_able if is_current else None

    def _wish(self, job: Job) -> JobSpec:
        source = job.spec.source
        if not isinstance(source, ImageParameters):
            return job.spec
        if not source.model:
            self._names_no_model.add(job.job_id)
        if _is_bound(job) or job.job_id not in self._names_no_model:
            return job.spec
        return replace(job.spec, source=replace(source, model=""))


def _can_run(backend: Backend, source: ImageParameters | RawGraph) -> bool:
    try:
        return not backend.adapter.validate(source)
    except Exception:
        # All others must not wait because of one job: it goes there, and fails by itself.
        log.exception("adapter failed over a request", backend=backend.name)
        return True


def _is_bound(job: Job) -> bool:
    """Whether images of it are made, or being made, with the model that its spec names."""
    return bool(job.attempts) and bool(job.running or job.outputs)


def is_selected(backend: Backend, spec: JobSpec) -> bool:
    """Whether the job may go there by the name and the labels that it asks for."""
    return spec.backend in {"", backend.name} and spec.backend_labels.items() <= backend.labels.items()


def resolved(spec: JobSpec, backend: Backend) -> JobSpec:
    """The spec with the model that this backend takes where none was asked for."""
    model, source = default_model(backend), spec.source
    if not isinstance(source, ImageParameters) or source.model or not model:
        return spec
    return replace(spec, source=replace(source, model=model))


def default_model(backend: Backend) -> str:
    """The model that it takes where none is asked for; empty: not known."""
    catalog = backend.health.catalog
    names = [model.name for model in catalog.checkpoints] if catalog is not None else []
    resident = backend.health.status.resident_model
    return resident if resident in names else next(iter(names), "")
