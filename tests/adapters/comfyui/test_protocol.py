"""Frames of the websocket."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagegen_adapters.comfyui.protocol import (
    Executing,
    ExecutionFailed,
    FeatureFlags,
    Frame,
    FrameDecoder,
    ImageFrame,
    NodeExecuted,
    NodeStepped,
    OutputFile,
    ServerStatus,
)
from imagegen_adapters.errors import Unintelligible
from tests.adapters.comfyui.recordings import SCENARIOS, load

LEGACY_PREVIEW = b"\x00\x00\x00\x01\x00\x00\x00\x01\xff\xd8jpeg"
LEGACY_PNG = b"\x00\x00\x00\x01\x00\x00\x00\x02\x89PNG"


def decode(message: str | bytes) -> Frame | None:
    return FrameDecoder().decode(message)


def text(kind: str, **data: object) -> str:
    return json.dumps({"type": kind, "data": data})


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_recorded_message_is_understood(scenario: str) -> None:
    recording = load(scenario)

    frames = list(recording.frames())

    assert len(frames) > 20


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        (text("status", status={"exec_info": {"queue_remaining": 2}}, sid="a"), ServerStatus(queue_remaining=2)),
        (text("feature_flags", supports_preview_metadata=True), FeatureFlags(supports_preview_metadata=True)),
        (text("feature_flags", supports_preview_metadata="true"), FeatureFlags(supports_preview_metadata=False)),
        (text("executing", node=None, prompt_id="p"), Executing(prompt_id="p", node=None, display_node=None)),
        (
            text("executing", node="1.0.0.1", display_node="1", prompt_id="p"),
            Executing(prompt_id="p", node="1.0.0.1", display_node="1"),
        ),
        (
            text("progress", value=1, max=4, prompt_id="p", node=None),
            NodeStepped(prompt_id="p", node="", value=1.0, maximum=4.0),
        ),
        (
            text("executed", node="9", prompt_id="p", output={"gifs": [{"filename": "a.mp4", "type": "temp"}], "x": 1}),
            NodeExecuted(
                prompt_id="p",
                node="9",
                files=(OutputFile(filename="a.mp4", subfolder="", folder="temp", node="9"),),
            ),
        ),
        (text("executed", node="9", prompt_id="p", output=None), NodeExecuted(prompt_id="p", node="9", files=())),
        (
            text(
                "execution_error", prompt_id="p", node_id="3", node_type="K", exception_type="E", exception_message="m"
            ),
            ExecutionFailed(prompt_id="p", node="3", node_type="K", kind="E", message="m"),
        ),
    ],
)
def test_decodes_text(message: str, frame: Frame) -> None:
    assert decode(message) == frame


@pytest.mark.parametrize(
    "message",
    [
        text("executing", node="1"),  # the greeting after a reconnect
        text("some.custom.node", anything=1),
        b"\x00\x00\x00\x03\x00\x00\x00\x013step 1/3",
        b"\x00\x00\x00\x63",
        LEGACY_PREVIEW,  # nothing has stepped yet: it belongs to nobody
    ],
)
def test_ignores_what_concerns_nobody(message: str | bytes) -> None:
    assert decode(message) is None


@pytest.mark.parametrize(
    "message",
    [
        "not json",
        "[]",
        "null",
        '{"type": "progress"}',
        '{"type": "progress", "data": {"value": "x", "max": 1, "prompt_id": "p", "node": "1"}}',
        '{"type": "progress_state", "data": {"prompt_id": "p", "nodes": [1]}}',
        '{"type": "status", "data": null}',
        b"",
        b"\x00\x00",
        b"\x00\x00\x00\x04\x7f\xff\xff\xff{",
        b"\x00\x00\x00\x04\x00\x00\x00\x02{}image",
    ],
)
def test_garbage_is_unintelligible(message: str | bytes) -> None:
    with pytest.raises(Unintelligible):
        decode(message)


@given(st.one_of(st.binary(max_size=64), st.text(max_size=64)))
def test_anything_is_decoded_or_unintelligible(message: str | bytes) -> None:
    with suppress(Unintelligible):
        decode(message)


def test_old_previews_belong_to_the_node_that_stepped_before() -> None:
    decoder = FrameDecoder()
    decoder.decode(text("progress", value=1, max=4, prompt_id="p", node="3"))

    assert decoder.decode(LEGACY_PREVIEW) == ImageFrame(
        prompt_id="p", node="3", media_type="image/jpeg", data=b"\xff\xd8jpeg"
    )

    decoder.decode(text("executing", node="9", prompt_id="p"))

    assert decoder.decode(LEGACY_PNG) == ImageFrame(prompt_id="p", node="9", media_type="image/png", data=b"\x89PNG")


def test_old_previews_are_dropped_once_metadata_is_agreed() -> None:
    """They come from jobs of others that were queued without a client id."""
    decoder = FrameDecoder()
    decoder.decode(text("feature_flags", supports_preview_metadata=True))
    decoder.decode(text("progress", value=1, max=4, prompt_id="p", node="3"))

    assert decoder.decode(LEGACY_PREVIEW) is None


def test_previews_with_metadata_say_whose_they_are() -> None:
    recording = load("text_to_image_metadata")

    images = [frame for frame in recording.frames() if isinstance(frame, ImageFrame)]

    assert len(images) == 8
    assert {(image.prompt_id, image.node, image.media_type) for image in images} == {
        (recording.prompt(0), "3", "image/jpeg")
    }
    assert all(image.data.startswith(b"\xff\xd8\xff") for image in images)
