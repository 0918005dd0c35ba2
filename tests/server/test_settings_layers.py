"""What counts of several layers of settings, and how the topmost is changed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen.v1 import job_pb2
from imagegen.v1 import settings_pb2 as pb
from imagegen_server.config import OwnerSettings, ServerSettings
from imagegen_server.jobs import PreviewOptions
from imagegen_server.retention import Policy
from imagegen_server.settings.layers import (
    BUILT_IN,
    GROUPS,
    PATHS,
    UnknownPath,
    changed,
    effective,
    layer_of,
    paths_of,
    settings_of,
)
from imagegen_server.settings.model import Exposure, GenerationDefaults
from imagegen_server.wire.settings import decode_layer, encode_layer, given_paths

CONFIGURED = layer_of(
    ServerSettings(max_queued_jobs=5, keep_jobs_days=2, owners={"anna": OwnerSettings(max_queued_jobs=2)})
)


def test_the_paths_are_those_of_the_proto() -> None:
    groups = {group.name: group.message_type for group in pb.Settings.DESCRIPTOR.fields}
    assert {name: tuple(type_.fields_by_name) for name, type_ in groups.items() if type_} == GROUPS


def test_nothing_that_was_stored_leaves_what_the_file_says_and_what_is_built_in() -> None:
    settings = settings_of(effective(BUILT_IN, CONFIGURED))
    assert settings.defaults == GenerationDefaults()
    assert settings.preview == PreviewOptions()
    assert settings.exposure == Exposure()
    assert settings.quotas.max_queued_jobs == 5
    assert settings.quotas.of("anna") == OwnerSettings(max_queued_jobs=2)
    assert settings.retention == Policy(
        keep_jobs=100_000, keep_jobs_s=172_800.0, keep_events_s=86_400.0, keep_assets_s=0.0, keep_assets_bytes=0
    )


def test_what_was_stored_goes_first() -> None:
    stored = decode_layer(
        pb.Settings(
            defaults=pb.GenerationDefaults(model="sdxl", width=1024, cfg_scale=0.0),
            preview=job_pb2.PreviewOptions(
                mode=job_pb2.PREVIEW_MODE_OFF, format=job_pb2.PREVIEW_FORMAT_WEBP, max_pixels=256
            ),
            retention=pb.RetentionSettings(keep_jobs=0, keep_assets_bytes=2**64 - 1),
            quotas=pb.QuotaSettings(owners=pb.OwnerQuotas(owners={"bert": pb.OwnerQuota(max_running_jobs=1)})),
            exposure=pb.ExposureSettings(models=pb.PatternList()),
        )
    )
    settings = settings_of(effective(BUILT_IN, CONFIGURED, stored))
    assert settings.defaults == GenerationDefaults(model="sdxl", width=1024, cfg_scale=0.0)
    assert settings.preview == PreviewOptions(enabled=False, format="webp", max_pixels=256)
    assert (settings.retention.keep_jobs, settings.retention.keep_jobs_s) == (0, 172_800.0)
    assert settings.retention.keep_assets_bytes == 2**64 - 1
    assert settings.quotas.owners == {"bert": OwnerSettings(max_running_jobs=1)}
    assert settings.exposure == Exposure(models=())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("defaults.steps", {"defaults.steps"}),
        ("exposure", {"exposure.models", "exposure.workflows"}),
        ("retention", {f"retention.{name}" for name in GROUPS["retention"]}),
    ],
)
def test_a_mask_names_fields_or_groups(path: str, expected: set[str]) -> None:
    assert paths_of(path) == expected


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("defaults.step", "did you mean defaults.steps"),
        ("exposures", "did you mean exposure"),
        ("retention.keep", "allowed: retention.keep_jobs, retention.keep_jobs_days"),
        ("quotas.owners.anna", "did you mean quotas.owners"),
        ("zzz", "allowed: defaults, preview, retention, quotas, exposure"),
        ("z" * 100_000, f"'{'z' * 64}'; allowed: "),
    ],
)
def test_a_mask_that_names_what_there_is_not_is_told_what_there_is(path: str, said: str) -> None:
    with pytest.raises(UnknownPath) as caught:
        paths_of(path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("given_layer", "paths", "expected"),
    [
        ({}, [], {"defaults.steps": 30, "preview.mode": "off"}),
        ({"defaults.steps": 8}, ["defaults.steps"], {"defaults.steps": 8, "preview.mode": "off"}),
        ({}, ["defaults.steps"], {"preview.mode": "off"}),
        ({"defaults.steps": 8}, ["preview.mode"], {"defaults.steps": 30}),
        ({"defaults.width": 64}, ["defaults.width", "defaults.steps"], {"defaults.width": 64, "preview.mode": "off"}),
    ],
)
def test_exactly_what_the_mask_names_is_changed(
    given_layer: dict[str, Any], paths: list[str], expected: dict[str, Any]
) -> None:
    assert changed({"defaults.steps": 30, "preview.mode": "off"}, given_layer, paths) == expected


def test_an_empty_text_is_given_and_sets_nothing() -> None:
    settings = pb.Settings(defaults=pb.GenerationDefaults(model="", workflow_id="", steps=4))
    assert decode_layer(settings) == {"defaults.steps": 4}
    assert given_paths(settings) == {"defaults.model", "defaults.workflow_id", "defaults.steps"}


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "defaults.model": st.sampled_from(["a", "b"]),
    "defaults.steps": st.integers(1, 500),
    "defaults.cfg_scale": st.floats(0, 100),
    "preview.mode": st.sampled_from(["on", "off"]),
    "preview.format": st.sampled_from(["jpeg", "webp"]),
    "preview.quality": st.integers(1, 100),
    "retention.keep_jobs_days": st.floats(0, 1e6),
    "retention.keep_assets_bytes": st.integers(0, 2**64 - 1),
    "quotas.owners": st.dictionaries(
        st.sampled_from(["", "*", "anna"]),
        st.fixed_dictionaries(
            {
                "weight": st.floats(0.01, 100),
                "max_queued_jobs": st.integers(0, 9),
                "max_running_jobs": st.integers(0, 9),
            }
        ),
    ),
    "exposure.models": st.lists(st.sampled_from(["*", "sdxl/*"]), max_size=2),
}
layers = st.fixed_dictionaries({}, optional=VALUES)


@given(layers)
def test_a_layer_reads_back_from_the_wire(layer: dict[str, Any]) -> None:
    encoded = encode_layer(layer)
    assert decode_layer(encoded) == layer
    assert given_paths(encoded) == layer.keys()


@given(st.lists(st.tuples(layers, st.sets(st.sampled_from(sorted(VALUES))))))
def test_any_sequence_of_changes_leaves_of_each_path_what_was_set_last(
    changes: list[tuple[dict[str, Any], set[str]]],
) -> None:
    stored: Any = {}
    for given_layer, paths in changes:
        stored = changed(stored, given_layer, paths)
    counting = effective(BUILT_IN, CONFIGURED, stored)
    settings_of(counting)
    for path in PATHS:
        last: dict[str, Any] = next((layer for layer, paths in reversed(changes) if path in paths), {})
        assert stored.get(path) == last.get(path)
        below = CONFIGURED.get(path, BUILT_IN.get(path))
        assert counting.get(path) == last.get(path, below)
