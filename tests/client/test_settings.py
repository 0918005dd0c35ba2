"""`imagegen settings` and what is new in `imagegen models`."""

import pytest

from tests.client.conftest import Run, lines


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["set", "defaults.steps"], "no PATH=VALUE"),
        (["set", "defaults.step=3"], "did you mean defaults.steps"),
        (["set", "stps=3"], "did you mean defaults.steps?"),
        (["set", "defaults.steps=many"], "defaults.steps takes a whole number from 0, not 'many'"),
        (["set", "defaults.steps=-1"], "defaults.steps takes a whole number from 0, not '-1'"),
        (["set", "defaults.cfg_scale=high"], "defaults.cfg_scale takes a number, not 'high'"),
        (["set", "preview.mode=maybe"], "preview.mode takes on or off, not 'maybe'"),
        (["set", "quotas.owners={"], "quotas.owners takes JSON, as"),
        (["unset", "colour"], "there is defaults.workflow_id"),
    ],
)
def test_what_cannot_be_set_is_told(run: Run, arguments: list[str], says: str) -> None:
    result = run("settings", *arguments)
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())


def test_settings_are_set_shown_unset_and_remembered(run: Run) -> None:
    wanted = [
        "defaults.steps=30",
        "defaults.cfg_scale=2.5",
        "exposure.models=sdxl/*, flux*",
        "exposure.workflows=",
        "preview.mode=off",
        'quotas.owners={"anna": {"weight": 2}}',
    ]
    result = run("--owner", "anna", "settings", "set", *wanted)
    assert result.stdout.splitlines() == [
        "defaults.steps=30",
        "defaults.cfg_scale=2.5",
        "preview.mode=off",
        'quotas.owners={"anna": {"weight": 2}}',
        "exposure.models=sdxl/*, flux*",
        "exposure.workflows=(none)",
    ]
    text = " ".join(run("settings").stdout.split())
    assert "defaults.steps 30 set here" in text
    assert "retention.keep_jobs 100 retention" in text
    stored = lines(run("settings", "--json"))[0]["settings"]["stored"]
    assert stored["exposure"] == {
        "models": {"patterns": ["sdxl/*", "flux*"]},
        "workflows": {"patterns": []},
    }
    assert run("settings", "unset", "defaults.steps", "preview", "quotas", "exposure").exit_code == 0
    assert run("settings", "unset", "defaults").exit_code == 0
    assert run("settings", "set", "defaults.steps=9", "--expected-version", "999").exit_code == 5
    history = " ".join(run("settings", "history").stdout.split())
    assert "anna defaults.steps (not set) 30" in history


def test_models_are_searched_shown_loaded_and_unloaded(run: Run) -> None:
    assert [line["model"]["name"] for line in lines(run("models", "--search", "dus", "--json"))] == ["dusk"]
    assert run("models", "show", "dusk").stdout == "dusk\n  type: checkpoint\n  backends: demo\n"
    unknown = run("models", "show", "dusc")
    assert (unknown.exit_code, unknown.stderr) == (3, "imagegen: there is no model 'dusc'; did you mean dusk?\n")
    assert "did you mean dusk?" in run("models", "show", "us").stderr
    assert run("models", "load", "dusk", "--backend", "demo").stdout == "dusk is loaded on demo\n"
    partly = run("models", "load", "dusk")
    assert (partly.exit_code, partly.stderr) == (1, "backend comfyui: it does not answer\n")
    assert run("models", "unload").stdout == "no models are loaded on demo\n"
