"""Which backends can run which job, as far as their catalogues tell."""

from collections.abc import Iterable
from dataclasses import replace

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_server.fleet import Backend, Fleet
from imagegen_server.jobs import Job, JobSpec


class Eligibility:
    """Asks the adapters, once per job, backend and catalogue.

    A job that named no model can go to any backend. The first one's choice is written back into its spec; from then on
    it binds the job only where that model exists, so that the job can still move when its backend dies.
    """

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._verdicts: dict[tuple[str, str], tuple[int, bool]] = {}
        self._names_no_model: set[str] = set()

    def keep_only(self, jobs: Iterable[Job]) -> None:
        """Forgets all other jobs."""
        kept = {job.job_id for job in jobs}
        self._names_no_model &= kept
        self._verdicts = {key: verdict for key, verdict in self._verdicts.items() if key[0] in kept}

    async def judge_graphs(self, jobs: Iterable[Job]) -> None:
        """Finds out beforehand, in a thread, what `accepts` would have to find out in the loop."""
        for job in jobs:
            if not isinstance(job.spec.source, RawGraph):
                continue
            for backend in self._candidates(job):
                version = backend.health.catalog_version
                if self._known(job, backend) is None:
                    is_able = not await backend.validate(job.spec.source)
                    self._verdicts[job.job_id, backend.name] = (version, is_able)

    def accepts(self, job: Job, backend: Backend) -> bool:
        """Whether the backend may have the job.

        A job that no backend can run, all of them having been asked, may go to any: that one refuses it with reasons,
        where waiting would never end.
        """
        candidates = self._candidates(job)
        able = [each.name for each in candidates if self._is_able(job, each)]
        if able:
            return backend.name in able
        return all(each.health.catalog is not None for each in candidates)

    def spec_for(self, job: Job, backend: Backend) -> JobSpec:
        """The job's spec with what this backend chooses where nothing was asked for."""
        source = job.spec.source
        if isinstance(source, ImageParameters) and backend.adapter.validate(source):
            return resolved(self._wish(job), backend)
        return resolved(job.spec, backend)

    def _candidates(self, job: Job) -> list[Backend]:
        return [each for each in self._fleet if job.spec.backend in {"", each.name}]

    def _is_able(self, job: Job, backend: Backend) -> bool:
        known = self._known(job, backend)
        if known is None:
            known = not backend.adapter.validate(self._wish(job).source)
            self._verdicts[job.job_id, backend.name] = (backend.health.catalog_version, known)
        return known

    def _known(self, job: Job, backend: Backend) -> bool | None:
        """The verdict by the backend's present catalogue, if there is one."""
        version, is_able = self._verdicts.get((job.job_id, backend.name), (None, False))
        return is_able if version == backend.health.catalog_version else None

    def _wish(self, job: Job) -> JobSpec:
        source = job.spec.source
        if not isinstance(source, ImageParameters):
            return job.spec
        if not source.model:
            self._names_no_model.add(job.job_id)
        return replace(job.spec, source=replace(source, model="")) if job.job_id in self._names_no_model else job.spec


def resolved(spec: JobSpec, backend: Backend) -> JobSpec:
    """The spec with the model that this backend takes where none was asked for."""
    catalog, source = backend.health.catalog, spec.source
    if not isinstance(source, ImageParameters) or source.model or catalog is None or not catalog.checkpoints:
        return spec
    names = [model.name for model in catalog.checkpoints]
    resident = backend.health.status.resident_model
    model = resident if resident in names else names[0]
    return replace(spec, source=replace(source, model=model))
