"""The same work with other seeds."""

import itertools
import json
from typing import Any

from imagegen_adapters.contract import ImageParameters, RawGraph
from imagegen_server.jobs import Invocation, JobSpec
from imagegen_server.reseeding import with_new_seeds


def reseeded(graph: dict[str, Any]) -> dict[str, Any] | None:
    numbers = itertools.count(100)
    spec = with_new_seeds(JobSpec(source=RawGraph(json=json.dumps(graph))), lambda: next(numbers))
    if spec is None:
        return None
    assert isinstance(spec.source, RawGraph)
    found: dict[str, Any] = json.loads(spec.source.json)
    return found


def test_images_get_a_new_first_seed_and_keep_all_else() -> None:
    spec = JobSpec(source=ImageParameters(prompt="fox", seed=1, count=3), labels={"a": "b"}, priority=2)
    new = with_new_seeds(spec, lambda: 7)
    assert new == JobSpec(source=ImageParameters(prompt="fox", seed=7, count=3), labels={"a": "b"}, priority=2)


def test_every_number_that_is_a_seed_of_a_graph_is_new() -> None:
    graph: dict[str, Any] = {
        "3": {"class_type": "KSampler", "inputs": {"seed": 2**64 - 1, "steps": 20, "model": ["4", 0]}},
        "5": {"class_type": "KSamplerAdvanced", "inputs": {"noise_seed": 5.0, "cfg": 7.5}},
        "6": {"class_type": "SaveImage"},
    }
    found = reseeded(graph)
    assert found is not None
    new = [found["3"]["inputs"].pop("seed"), found["5"]["inputs"].pop("noise_seed")]
    assert len(set(new)) == 2
    assert all(seed >= 100 for seed in new)
    del graph["3"]["inputs"]["seed"], graph["5"]["inputs"]["noise_seed"]
    assert found == graph


def test_equal_seeds_of_a_graph_stay_equal() -> None:
    found = reseeded({str(node): {"inputs": {"seed": 9, "noise_seed": 9 + node}} for node in range(2)})
    assert found is not None
    assert found["0"]["inputs"]["seed"] == found["0"]["inputs"]["noise_seed"] == found["1"]["inputs"]["seed"]
    assert found["1"]["inputs"]["noise_seed"] != found["1"]["inputs"]["seed"]


def test_a_seed_from_elsewhere_is_none_to_choose() -> None:
    graph = {
        "3": {"inputs": {"seed": ["7", 0], "noise_seed": "random", "other_seed": 5}},
        "4": {"inputs": {"seed": True}},
    }
    assert reseeded(graph) is None


def invoking(**inputs: Any) -> JobSpec:
    invocation = Invocation(workflow_id="portrait", revision=2, inputs=inputs)
    return JobSpec(source=RawGraph(json='{"3": {"inputs": {"seed": 5}}}'), invocation=invocation)


def test_of_a_workflow_the_values_of_its_seed_inputs_are_new() -> None:
    numbers = itertools.count(100)
    spec = invoking(prompt="a fox", seed=str(2**64 - 1), other=7, same=str(2**64 - 1))
    new = with_new_seeds(spec, lambda: next(numbers), seed_inputs=["seed", "other", "same", "not_given"])
    assert new is not None
    assert new.invocation is not None
    inputs = new.invocation.inputs
    assert inputs.keys() == {"prompt", "seed", "other", "same"}
    assert inputs["seed"] == inputs["same"] >= 100
    assert inputs["seed"] != inputs["other"] >= 100


def test_a_workflow_without_seed_inputs_is_left_for_its_graph() -> None:
    new = with_new_seeds(invoking(prompt="a fox"), lambda: 100)
    assert new == JobSpec(source=RawGraph(json='{"3": {"inputs": {"seed": 100}}}'))
