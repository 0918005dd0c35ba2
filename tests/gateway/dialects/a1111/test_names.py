"""A1111's names are understood over backends of any kind, and shown where there are such."""

from collections.abc import Sequence

import pytest

from imagegen.v1 import backend_pb2, model_pb2
from imagegen_gateway.dialects.a1111.names import (
    CHECKPOINT,
    SAMPLER,
    SCHEDULER,
    Stock,
    find_model,
    listed_samplers,
    listed_schedulers,
    sampling,
    title_of,
)


def model(kind: int, name: str, *backends: str, description: str = "") -> model_pb2.Model:
    return model_pb2.Model(
        type=model_pb2.ModelType.ValueType(kind), name=name, backends=backends, description=description
    )


def stock(*models: model_pb2.Model, backends: Sequence[backend_pb2.Backend] = ()) -> Stock:
    return Stock(models, backends)


MIXED = stock(
    model(CHECKPOINT, "both.safetensors", "comfy", "auto"),
    model(CHECKPOINT, "comfy-only.safetensors", "comfy"),
    model(CHECKPOINT, "tiny", "auto", description="tiny.safetensors [bf31090b88]"),
    model(SAMPLER, "euler_ancestral", "comfy"),
    model(SAMPLER, "Euler a", "auto"),
    model(SAMPLER, "dpmpp_2m", "comfy"),
    model(SAMPLER, "res_multistep", "comfy"),
    model(SCHEDULER, "karras", "comfy", "auto"),
    model(SCHEDULER, "ddim_uniform", "comfy"),
)


@pytest.mark.parametrize(
    ("checkpoint", "sampler", "scheduler", "expected"),
    [
        ("comfy-only.safetensors", "Euler a", "Karras", ("euler_ancestral", "karras")),
        ("tiny", "Euler a", "Karras", ("Euler a", "karras")),
        ("tiny", "euler_ancestral", "", ("Euler a", "")),
        ("both.safetensors", "Euler a", "Automatic", ("Euler a", "")),
        ("", "k_euler_a", "automatic", ("Euler a", "")),
        ("", "euler a", "DDIM", ("euler_ancestral", "ddim_uniform")),
        ("", "DPM++ 2M Karras", "", ("dpmpp_2m", "karras")),
        ("", "DPM++ 2M Karras", "ddim", ("dpmpp_2m", "ddim_uniform")),
        ("", "res_multistep", "", ("res_multistep", "")),
        ("", "nope", "nope", ("nope", "nope")),
        ("", "k_euler_a", "nope", ("Euler a", "nope")),
        ("comfy-only.safetensors", "nope", "DDIM", ("nope", "ddim_uniform")),
        ("tiny", "DPM++ 2M", "", ("DPM++ 2M", "")),
    ],
)
def test_names_become_those_of_a_backend_that_has_the_model(
    checkpoint: str, sampler: str, scheduler: str, expected: tuple[str, str]
) -> None:
    found = sampling(MIXED, model=checkpoint, sampler=sampler, scheduler=scheduler)
    assert (found.sampler, found.scheduler) == expected


def test_labels_are_those_of_a1111() -> None:
    found = sampling(MIXED, model="", sampler="dpmpp_2m", scheduler="karras")
    assert (found.sampler_label, found.scheduler_label) == ("DPM++ 2M", "Karras")


def test_every_listed_name_is_understood() -> None:
    for row in listed_samplers(item.name for item in MIXED.of_type(SAMPLER)):
        for name in (row["name"], *row["aliases"]):
            found = sampling(MIXED, model="", sampler=name, scheduler="")
            assert MIXED.holders(SAMPLER, found.sampler), name
    for scheduler in listed_schedulers(item.name for item in MIXED.of_type(SCHEDULER)):
        for name in (scheduler["name"], scheduler["label"]):
            found = sampling(MIXED, model="", sampler="Euler a", scheduler=name)
            assert found.scheduler in {"", "karras", "ddim_uniform"}, name


def test_a_sampler_is_listed_once_with_the_names_of_others_as_aliases() -> None:
    rows = list(listed_samplers(["Euler a", "euler_ancestral", "res_multistep"]))
    assert [row["name"] for row in rows] == ["Euler a", "res_multistep"]
    assert rows[0]["aliases"] == ["k_euler_a", "k_euler_ancestral", "euler_ancestral"]


@pytest.mark.parametrize("name", ["tiny", "tiny.safetensors [bf31090b88]", "tiny.safetensors", "bf31090b88"])
def test_a_checkpoint_is_found_by_all_its_names(name: str) -> None:
    found = find_model(MIXED, name)
    assert found is not None
    assert found.name == "tiny"


def test_an_exact_name_goes_before_a_loose_one() -> None:
    models = stock(model(CHECKPOINT, "sub/a.safetensors"), model(CHECKPOINT, "a"), model(CHECKPOINT, "b.ckpt"))
    assert [found.name for name in ("a", "b", "a.safetensors") if (found := find_model(models, name))] == [
        "a",
        "b.ckpt",
        "sub/a.safetensors",
    ]
    assert find_model(models, "") is None


def test_a_sentence_about_a_model_is_no_title() -> None:
    assert title_of(model(CHECKPOINT, "demo-flow", description="Smooth lines; no neural network")) == "demo-flow"
