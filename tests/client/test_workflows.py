"""`imagegen workflows`, and `generate` with one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.conftest import Run, lines
from tests.client.fake import png


@pytest.fixture(autouse=True)
def _files(run: Run, tmp_path: Path) -> Iterator[None]:
    """Files to import, and nothing left behind: all tests share a server."""
    (tmp_path / "comic.json").write_text('{"3": {}}')
    (tmp_path / "nodes.json").write_text("[]")
    (tmp_path / "photo.png").write_bytes(png("photo"))
    yield
    run("workflows", "delete", "comic", "photo", "tall")


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["workflows", "show", "nothing"], 3, "no such workflow"),
        (["workflows", "import", "comic.json", "--as", "portrait"], 5, "there is one already"),
        (["workflows", "import", "missing.json"], 2, "missing.json"),
        (["workflows", "export", "text-to-image"], 2, "has no graph of its own"),
        (["workflows", "export", "portrait", "--format", "ui"], 2, "not imported in UI format"),
        (["workflows", "export", "portrait", "--format", "png"], 2, "neither api nor ui"),
        (["workflows", "validate", "portrait", "--set", "step=1"], 2, "did you mean steps"),
        (["workflows", "validate", "portrait", "--backend", "comfyui"], 1, ""),
        (["workflows", "validate", "comic.json", "--set", "steps=1"], 2, "a file is taken as it is"),
        (["workflows", "create", "photo.png"], 2, "is no workflow"),
        (["workflows", "create", "comic.json"], 2, "is brought in by `imagegen workflows import`"),
        (["workflows", "update", "nodes.json"], 2, "is no workflow"),
        (["workflows", "--search", "x", "show", "portrait"], 2, "goes after 'show'"),
        (["generate", "fox", "-w", "portrait", "--set", "strenth=1"], 2, "did you mean strength"),
        (["generate", "fox", "-w", "portrait", "--negative", "dog"], 2, "has no input negative_prompt"),
        (["generate", "fox", "-w", "nothing"], 3, "no such workflow"),
        (["generate", "fox", "-w", "portrait", "--set", "init_image=@none.png"], 2, "none.png"),
        (["generate", "invalid", "-w", "portrait"], 2, " width: must be a multiple of 8"),
        (["generate", "fox", "--revision", "2"], 2, "goes with --workflow"),
        (["generate", "--graph", "comic.json", "-w", "portrait"], 2, "leave out the prompt"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_exit_status_and_what_is_said(run: Run, arguments: list[str], status: int, says: str) -> None:
    result = run(*arguments)
    assert result.exit_code == status, result.output
    assert says in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output


def test_workflows_are_listed_and_shown(run: Run) -> None:
    assert [line.split()[0] for line in run("workflows").stdout.splitlines()] == ["ID", "text-to-image", "portrait"]
    assert [line["workflow"]["workflow_id"] for line in lines(run("workflows", "--search", "port", "--json"))] == [
        "portrait"
    ]
    text = " ".join(run("workflows", "show", "portrait").stdout.split())
    assert "a graph, revision 1" in text
    assert "steps int from 1 to 150 20" in text
    assert "model dusk, dawn dusk" in text
    assert "strength number from 0 to 1 How much changes." in text
    assert run("workflows", "export", "portrait").stdout == '{"3":{}}\n'


def test_import_says_what_was_found_and_stores_it(run: Run) -> None:
    result = run("workflows", "import", "comic.json", "--openwebui-nodes", "nodes.json")
    assert (result.exit_code, result.stdout) == (0, "comic revision 1\n")
    assert "seed (high): of KSampler (3)" in result.stderr
    assert "warning: Blur (7): it was muted" in result.stderr
    stored = lines(run("workflows", "show", "comic", "--json"))[0]["workflow"]
    assert (stored["graph_json"], stored["title"]) == ('{"3": {}}', "[]")


def test_a_picture_is_uploaded_and_read(run: Run) -> None:
    result = run("workflows", "import", "photo.png", "--dry-run", "--json")
    read = lines(result)[0]["import"]
    assert (len(read["workflow"]["title"]), read["workflow"]["graph_json"]) == (64, "")
    assert run("workflows", "show", "photo").exit_code == 3


def test_a_workflow_is_read_from_stdin(run: Run) -> None:
    result = run("workflows", "import", "-", "--as", "photo", "--dry-run", "--json", input="fox\nSteps: 3")
    assert lines(result)[0]["import"]["workflow"]["graph_json"] == "fox\nSteps: 3"


def test_a_workflow_is_changed_by_the_json_that_shows_it(run: Run, tmp_path: Path) -> None:
    run("workflows", "import", "comic.json")
    shown = lines(run("workflows", "show", "comic", "--json"))[0]
    shown["workflow"]["title"] = "Comic"
    (tmp_path / "changed.json").write_text(json.dumps(shown))
    assert run("workflows", "update", "changed.json").stdout == "comic revision 2\n"
    again = run("workflows", "update", "changed.json")
    assert (again.exit_code, "changed meanwhile" in again.stderr) == (5, True)
    assert [line["workflow"]["revision"] for line in lines(run("workflows", "revisions", "comic", "--json"))] == [2, 1]


def test_a_variant_has_defaults_of_its_own(run: Run) -> None:
    arguments = ["--title", "Tall", "--set", "steps=30", "--set", "seed=18446744073709551615", "--set", "loras=a:0.5"]
    stored = lines(run("workflows", "variant", "tall", *arguments, "--json"))[0]["workflow"]
    assert (stored["base"], stored["title"]) == ("text-to-image", "Tall")
    assert {each["name"]: each["default_value"] for each in stored["inputs"]} == {
        "steps": 30,
        "seed": "18446744073709551615",
        "loras": [{"name": "a", "weight": 0.5}],
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"3": {}}', "demo yes"),
        ('{"workflow": {"graph_json": "{}"}}', "{} no"),
        ('{"graph_json": "{}"}', "{} no"),
        ('{"nodes": []}', "read:{'nodes': []} no"),
        ("no JSON", "no JSON no"),
        ("[]", "[] no"),
        ('{"workflow": {"base": "text-to-image", "graph_json": ""}}', "a variant has no graph of its own"),
    ],
)
def test_a_file_is_validated_by_the_graph_in_it(run: Run, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "w.json").write_text(text)
    assert says.replace("'", '"') in " ".join(run("workflows", "validate", "w.json").output.split())


def test_what_backends_say_is_shown(run: Run) -> None:
    result = run("workflows", "validate", "comic.json")
    text = " ".join(result.stdout.split())
    assert result.exit_code == 0
    assert "demo yes" in text
    assert "error: CheckpointLoaderSimple (4): there is no model dusk; near: dust" in text


def test_the_graph_is_rendered_and_nothing_is_run(run: Run) -> None:
    result = run("workflows", "render", "portrait", "--set", "steps=3")
    assert json.loads(result.stdout) == {"3": {"inputs": {"steps": 3.0}}}


def test_generate_fills_the_inputs_of_a_workflow(run: Run) -> None:
    flags = ["--seed", "5", "--set", "strength=0.6", "--set", "init_image=@photo.png", "--reuse", "--lora", "a:0.5"]
    result = run("generate", "fox", "-w", "portrait", "--revision", "1", *flags, "--detach", "--json")
    spec = lines(result)[0]["job"]["spec"]
    assert (spec["workflow"]["workflow_id"], spec["workflow"]["revision"], spec["reuse"]) == ("portrait", 1, True)
    inputs = spec["workflow"]["inputs"]
    assert len(inputs.pop("init_image")) == 64
    assert repr(inputs["seed"]) == "5"  # and not 5.0
    assert inputs == {"prompt": "fox", "seed": 5, "strength": 0.6, "loras": [{"name": "a", "weight": 0.5}]}


def test_generate_begins_with_the_workflow_of_the_settings(run: Run) -> None:
    assert "image" in lines(run("generate", "fox", "--detach", "--json"))[0]["job"]["spec"]
    spec = lines(run("generate", "fox", "--set", "steps=3", "--detach", "--json"))[0]["job"]["spec"]
    assert spec["workflow"]["workflow_id"] == "text-to-image"
    run("settings", "set", "defaults.workflow_id=portrait")
    try:
        spec = lines(run("generate", "fox", "--detach", "--json"))[0]["job"]["spec"]
        assert spec["workflow"]["workflow_id"] == "portrait"
        job = run("jobs", "--limit", "1").stdout
        assert "portrait: fox" in job
        run("settings", "set", "defaults.workflow_id=deleted")
        result = run("generate", "fox", "--detach", "--json")
        assert "the default workflow deleted is not there any more" in result.stderr
        assert "image" in lines(result)[0]["job"]["spec"]
        assert run("generate", "fox", "-w", "deleted").exit_code == 3
    finally:
        run("settings", "unset", "defaults.workflow_id")
