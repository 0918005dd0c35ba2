"""A client may change its checkpoint and VAE, and what it only sends back is no change."""

import json
from typing import Any

import pytest

from imagegen_gateway.dialects.a1111.faults import Refused
from imagegen_gateway.dialects.a1111.names import CHECKPOINT, VAE
from imagegen_gateway.dialects.a1111.options import FIXED, Choice, changed, shown
from tests.gateway.dialects.a1111.conftest import RECORDINGS
from tests.gateway.dialects.a1111.test_names import model, stock

STOCK = stock(
    model(CHECKPOINT, "tiny", description="tiny.safetensors [bf31090b88]"),
    model(CHECKPOINT, "other.safetensors"),
    model(VAE, "soft.vae"),
)


def test_every_setting_is_one_of_a1111_and_of_its_type() -> None:
    recorded = json.loads((RECORDINGS / "catalog" / "options.json").read_text())
    for name, value in FIXED.items():
        if recorded.get(name) is not None:
            assert isinstance(value, (type(recorded[name]), int, float)), name


def test_the_whole_set_with_another_checkpoint_is_a_change_of_the_checkpoint() -> None:
    values = shown(Choice(), STOCK) | {"sd_model_checkpoint": "other.safetensors"}
    choice = changed(Choice(), values, STOCK)
    assert choice == Choice(model="other.safetensors")
    assert shown(choice, STOCK)["sd_model_checkpoint"] == "other.safetensors"


def test_sending_back_what_was_never_chosen_chooses_nothing() -> None:
    assert shown(Choice(), STOCK)["sd_model_checkpoint"] == "tiny.safetensors [bf31090b88]"
    assert changed(Choice(), shown(Choice(), STOCK), STOCK) == Choice()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"sd_vae": "soft.vae"}, Choice("tiny", "soft.vae")),
        ({"sd_vae": "None"}, Choice("tiny", "")),
        ({"sd_model_checkpoint": ""}, Choice("", "")),
        ({"sd_model_checkpoint": None}, Choice("", "")),
        ({"CLIP_stop_at_last_layers": 1.0}, Choice("tiny", "")),
    ],
)
def test_choices(values: dict[str, Any], expected: Choice) -> None:
    assert changed(Choice("tiny"), values, STOCK) == expected


@pytest.mark.parametrize(
    ("values", "status", "document"),
    [
        ({"no_such": 1}, 500, {"error": "KeyError", "errors": "'no_such'"}),
        ({"sd_model_checkpoint": "nope"}, 500, {"error": "RuntimeError", "errors": "model 'nope' not found"}),
        ({"sd_vae": 3}, 500, {"error": "RuntimeError", "errors": "VAE 3 not found"}),
        ({"samples_format": "jpg"}, 422, {}),
        ({"CLIP_stop_at_last_layers": True}, 422, {}),
    ],
)
def test_what_cannot_be_changed_is_refused(values: dict[str, Any], status: int, document: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        changed(Choice(), values, STOCK)
    assert caught.value.status == status
    assert document.items() <= caught.value.document.items()
