"""Which backends can have which job."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.contract import Catalog, Handle, ImageParameters, NamedModel
from imagegen_server.backend import Backend, Member
from imagegen_server.fleet import Fleet
from imagegen_server.jobs import Attempt, AttemptState, Job, JobSpec, Output, Slice
from imagegen_server.running.eligibility import Eligibility
from tests.server.material import a_job, an_asset
from tests.server.scripted import ScriptedAdapter


class Some:
    """A fleet of two backends with a model of their own each."""

    def __init__(self) -> None:
        self.adapters = {name: ScriptedAdapter() for name in ("one", "two")}
        labels: dict[str, Mapping[str, str]] = {"one": {"site": "home", "gpu": "big"}, "two": {"site": "home"}}
        self.fleet = Fleet(
            [
                Backend(
                    Member(config=BackendConfig(name=name, kind="demo"), labels=labels[name]),
                    adapter,
                    clock=lambda: 0.0,
                    on_change=lambda: None,
                )
                for name, adapter in self.adapters.items()
            ]
        )
        self.eligibility = Eligibility(self.fleet)

    async def learn(self, **models: str) -> None:
        """The backends' catalogues, as they are told now."""
        for name, model in models.items():
            catalog = Catalog(checkpoints=(NamedModel(name=model),))
            self.adapters[name].current_catalog = catalog
            await self.adapters[name].catalog()
            backend = self.fleet.find(name)
            version = backend.health.catalog_version + 1
            backend.health = replace(backend.health, catalog=catalog, catalog_version=version)


@pytest.fixture
async def some() -> Some:
    some = Some()
    await some.learn(one="a", two="b")
    return some


def job(model: str = "", **fields: object) -> Job:
    return a_job(spec=JobSpec(source=ImageParameters(prompt="", model=model), **fields))  # type: ignore[arg-type]  # of a spec


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (job(), {"one", "two"}),
        (job("b"), {"two"}),
        (job(backend="one"), {"one"}),
        (job(backend_labels={"site": "home"}), {"one", "two"}),
        (job(backend_labels={"site": "home", "gpu": "big"}), {"one"}),
        (job("b", backend_labels={"gpu": "small"}), set()),
        # Nobody can run it, and waiting would not end: those that it may go to refuse it with reasons.
        (job("c"), {"one", "two"}),
        (job("b", backend_labels={"gpu": "big"}), {"one"}),
    ],
)
async def test_a_job_goes_where_it_is_selected_and_can_run(some: Some, wanted: Job, names: set[str]) -> None:
    assert some.eligibility.accepting(wanted) == names
    assert some.eligibility.accepting(wanted) == names


async def test_nobody_is_ruled_out_by_a_backend_that_was_never_asked() -> None:
    some = Some()
    await some.learn(one="a")
    assert some.eligibility.accepting(job("c")) == {"two"}


async def test_a_new_catalogue_is_believed(some: Some) -> None:
    wanted = job("b")
    assert some.eligibility.accepting(wanted) == {"two"}
    await some.learn(one="b", two="c")
    assert some.eligibility.accepting(wanted) == {"one"}


async def test_a_model_that_was_chosen_binds_what_is_made_with_it(some: Some) -> None:
    open_job = job()
    assert some.eligibility.leaves_model_open(open_job)
    assert some.eligibility.accepting(open_job) == {"one", "two"}
    attempt = Attempt(
        number=1,
        attempt_id="1",
        backend="one",
        handle=Handle(remote_id=""),
        state=AttemptState.RUNNING,
        start_time=1.0,
        slice=Slice(count=1),
    )
    running = replace(open_job, spec=job("a").spec, attempts=(attempt,))
    assert some.eligibility.accepting(running) == {"one"}
    assert not some.eligibility.leaves_model_open(running)
    failed = replace(running, attempts=(replace(attempt, state=AttemptState.FAILED),))
    assert some.eligibility.accepting(failed) == {"one", "two"}, "nothing was made with it yet"
    output = Output(index=0, asset=an_asset(), image_index=0, seed=1, node_id="", intermediate=False, attempt=1)
    assert some.eligibility.accepting(replace(failed, outputs=(output,))) == {"one"}


async def test_jobs_that_have_ended_are_forgotten(some: Some) -> None:
    some.eligibility.accepting(job())
    some.eligibility.keep_only([])
    assert (some.eligibility._accepting, some.eligibility._verdicts, some.eligibility._names_no_model) == (
        {},
        {},
        set(),
    )
