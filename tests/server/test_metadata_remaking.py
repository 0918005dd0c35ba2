"""What to ask for to get one picture of a job again."""

from dataclasses import replace
from typing import Any

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_server.jobs import Invocation, JobSpec, Output, PreviewOptions
from imagegen_server.metadata.remaking import notes_of, output_of, spec_of
from tests.server.material import a_job, an_asset

PARAMETERS = ImageParameters(prompt="a red fox", seed=2**60, count=4, batch_size=2)
INPUTS = {"prompt": "a red fox", "seed": str(2**60), "count": 4, "batch_size": 2}


def an_output(**fields: Any) -> Output:
    known = {"index": 0, "image_index": 0, "seed": None, "node_id": "", "intermediate": False, "attempt": 1}
    return Output(**{"asset": an_asset()} | known | fields)


def test_a_variant_of_a_built_in_workflow_gets_the_seed_of_the_picture() -> None:
    invocation = Invocation(workflow_id="portrait", revision=3, inputs=INPUTS)
    job = a_job(spec=JobSpec(source=PARAMETERS, invocation=invocation))
    made = spec_of(job, an_output(image_index=3))
    assert made.source == replace(PARAMETERS, seed=2**60 + 3, count=1, batch_size=1)
    inputs = {"prompt": "a red fox", "seed": str(2**60 + 3), "count": 1, "batch_size": 1}
    assert made.invocation == Invocation(workflow_id="portrait", revision=3, inputs=inputs)
    assert spec_of(job, an_output(image_index=3, seed=7)).invocation == replace(invocation, inputs=inputs | {"seed": 7})


def test_a_workflow_with_a_graph_is_asked_for_as_it_was() -> None:
    source = RawGraph(json='{"3": {}}')
    invocation = Invocation(workflow_id="mine", revision=1, inputs={"noise": "18446744073709551615", "count": 2})
    job = a_job(spec=JobSpec(source=source, invocation=invocation))
    assert spec_of(job, an_output()) == JobSpec(source=source, invocation=invocation)
    assert notes_of(job, an_output()) == []


def test_what_was_about_that_one_request_is_left_out() -> None:
    lasting: dict[str, Any] = {"backend": "gpu", "backend_labels": {"a": "b"}, "backend_options": {"a1111": {"x": 1}}}
    passing: dict[str, Any] = {"labels": {"task": "1"}, "priority": 3, "preview": PreviewOptions(enabled=False)}
    source = replace(PARAMETERS, count=1, batch_size=1)
    job = a_job(spec=JobSpec(source=source, **lasting, **passing))
    assert spec_of(job, an_output()) == JobSpec(source=source, **lasting)


def test_a_result_is_found_rather_than_a_by_product_of_the_same_bytes() -> None:
    by_product, result = an_output(intermediate=True), an_output(index=1)
    job = a_job(outputs=(by_product, result, an_output(index=2, asset=an_asset("cd" * 32))))
    assert output_of(job, an_asset().digest) == result
    assert output_of(job, "ef" * 32) is None
    assert "by-product" in notes_of(job, by_product)[0]
