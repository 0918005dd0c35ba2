"""`imagegen generate`: what is asked for, what is saved, and what is said."""

from pathlib import Path

import pytest
from google.protobuf.json_format import ParseDict

from imagegen.v1.event_pb2 import JobEvent
from imagegen.v1.job_pb2 import Job, JobState, UncertainPolicy
from tests.client.conftest import Run, lines
from tests.client.fake import png


def test_picture_is_saved_under_the_given_name(run: Run, tmp_path: Path) -> None:
    result = run("generate", "a red fox", "-o", "fox.png", "--seed", "7")

    assert result.stdout == "fox.png\n"
    assert (tmp_path / "fox.png").read_bytes() == png("a red fox 7")


def test_name_that_is_no_text_is_no_trouble(run: Run, tmp_path: Path) -> None:
    assert run("generate", "a red fox", "-o", "fox\udcff.png", "--json").exit_code == 0
    assert (tmp_path / "fox\udcff.png").exists()


def test_several_pictures_are_numbered(run: Run, tmp_path: Path) -> None:
    result = run("generate", "a red fox", "-o", "fox.png", "--seed", "7", "--count", "3")

    assert result.stdout.split() == ["fox-1.png", "fox-2.png", "fox-3.png"]
    assert (tmp_path / "fox-3.png").read_bytes() == png("a red fox 9")


def test_picture_without_a_name_is_called_after_the_job(run: Run, tmp_path: Path) -> None:
    result = run("generate", "a red fox", "--json")

    job = lines(result)[-1]["job"]
    assert [path.name for path in tmp_path.iterdir()] == [f"{job['job_id'][:8]}-1.png"]


def test_file_is_not_overwritten_and_no_job_is_made(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(b"mine")

    result = run("generate", "a fox that is never made", "-o", "fox.png")

    assert result.exit_code == 2
    assert "fox.png is there already" in result.stderr
    assert (tmp_path / "fox.png").read_bytes() == b"mine"
    assert "never made" not in run("jobs", "--limit", "500").stdout


def test_file_is_overwritten_by_force(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(b"mine")

    assert run("generate", "a red fox", "-o", "fox.png", "--force", "--seed", "1").exit_code == 0
    assert (tmp_path / "fox.png").read_bytes() == png("a red fox 1")


def test_pictures_of_a_failed_job_are_saved_too(run: Run) -> None:
    result = run("generate", "fail late", "-o", "fox.png", "--count", "2")

    assert result.exit_code == 1
    assert result.stdout.split() == ["fox.png"]


def test_events_come_as_json_lines_and_the_job_last(run: Run) -> None:
    result = run("generate", "a red fox", "-o", "fox.png", "--json")

    *events, saved, job = lines(result)
    parsed = [ParseDict(line["event"], JobEvent()) for line in events]
    kinds = [event.WhichOneof("event") for event in parsed]
    assert kinds[-1] == "completed"
    assert "preview" in kinds
    assert all(not event.preview.data for event in parsed)
    assert saved["saved"]["path"] == "fox.png"
    assert ParseDict(job["job"], Job()).state == JobState.JOB_STATE_SUCCEEDED
    assert result.stderr == ""


def test_failed_job_is_json_too(run: Run) -> None:
    result = run("generate", "fail", "--json")

    assert result.exit_code == 1
    error = lines(result)[-1]["job"]["error"]
    assert error["details"][0]["reason"] == "BACKEND_OUT_OF_MEMORY"


def test_refusal_is_json_too(run: Run) -> None:
    result = run("generate", "invalid", "--json")

    assert result.exit_code == 2
    assert lines(result) == [
        {
            "error": {
                "code": "INVALID_ARGUMENT",
                "reason": "INVALID_REQUEST",
                "message": "the request breaks a rule",
                "violations": [{"field": "spec.image.width", "description": "must be a multiple of 8"}],
                "quotas": [],
                "retry_after_s": None,
            }
        }
    ]


def test_options_become_the_specification(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(png("cat"))
    (tmp_path / "mask.png").write_bytes(png("mask"))

    arguments = "--negative dog --model dusk --size 768x512 --steps 30 --cfg 0 --sampler euler --scheduler karras"
    more = "--seed 0 --count 2 --batch-size 2 --init-image cat.png --mask mask.png --denoise 0 --backend demo"
    late = "--priority -3 --start-deadline 1.5m --deadline 2h --on-uncertain fail --backend-label gpu=h200"
    labels = "--label a=b=c --label d="
    rest = f"{arguments} {more} {late} {labels}".split()
    result = run("generate", "fox", *rest, "--detach", "--json")

    spec = ParseDict(lines(result)[-1]["job"], Job()).spec
    image = spec.image
    assert (image.prompt, image.negative_prompt, image.model) == ("fox", "dog", "dusk")
    assert (image.width, image.height, image.steps, image.cfg_scale) == (768, 512, 30, 0.0)
    assert (image.sampler, image.scheduler, image.seed, image.count, image.batch_size) == ("euler", "karras", 0, 2, 2)
    assert image.HasField("cfg_scale")
    assert image.HasField("seed")
    assert image.HasField("denoise")
    assert not image.HasField("hires")
    assert (len(image.init_image), len(image.mask)) == (64, 64)
    assert (spec.backend, dict(spec.labels)) == ("demo", {"a": "b=c", "d": ""})
    assert (spec.priority, dict(spec.backend_labels)) == (-3, {"gpu": "h200"})
    assert (spec.start_deadline.seconds, spec.execution_deadline.seconds) == (90, 7200)
    assert spec.on_uncertain == UncertainPolicy.UNCERTAIN_POLICY_FAIL


def test_what_is_not_said_is_left_to_the_server(run: Run) -> None:
    spec = ParseDict(lines(run("generate", "fox", "--hires", "2", "--detach", "--json"))[-1]["job"], Job()).spec
    image = spec.image

    assert image.hires.scale == 2.0
    assert not any(image.HasField(field) for field in ("steps", "cfg_scale", "seed", "denoise"))
    assert (image.width, image.height) == (0, 0)
    assert not any(spec.HasField(field) for field in ("priority", "start_deadline", "execution_deadline"))
    assert spec.on_uncertain == UncertainPolicy.UNCERTAIN_POLICY_UNSPECIFIED


def test_graph_is_sent_as_it_is_with_its_images(run: Run, tmp_path: Path) -> None:
    (tmp_path / "graph.json").write_text('{"3": {"seed": 18446744073709551615}}')
    (tmp_path / "cat.png").write_bytes(png("cat"))

    result = run("generate", "--graph", "graph.json", "--image", "10.image=cat.png", "--detach", "--json")

    graph = ParseDict(lines(result)[-1]["job"], Job()).spec.graph
    assert graph.json == '{"3": {"seed": 18446744073709551615}}'
    assert list(graph.images) == ["10.image"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a prompt too"], "everything from the graph"),
        (["--steps", "3"], "everything from the graph"),
        (["--image", "image=cat.png"], "NODE.INPUT=FILE"),
        (["--image", "10.image=nothing.png"], "nothing.png"),
    ],
)
def test_what_a_graph_does_not_take_is_refused(run: Run, tmp_path: Path, arguments: list[str], says: str) -> None:
    (tmp_path / "graph.json").write_text("{}")

    result = run("generate", "--graph", "graph.json", *arguments)

    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())


def test_graph_takes_the_options_of_running_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "graph.json").write_text("{}")

    assert run("generate", "--graph", "graph.json", "--priority", "1", "--deadline", "5m", "--detach").exit_code == 0


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("moved", "attempt 1 on old failed: the backend is silent; trying again"),
        ("uncertain", "attempt 1 on old was lost and may still be running there: the backend is silent; trying again"),
    ],
)
def test_broken_attempt_is_said(run: Run, prompt: str, says: str) -> None:
    result = run("generate", prompt)

    assert result.exit_code == 0
    assert says in result.stderr.splitlines()


def test_job_that_is_spread_is_said_without_the_steps_of_each(run: Run) -> None:
    result = run("generate", "spread", "--count", "4", "-o", "x.png")

    said = result.stderr.splitlines()
    assert "running on demo and big, 0 of 4 made" in said
    assert "running on demo and big, 1 of 4 made" in said
    assert not any("step" in line for line in said)
    assert len(result.stdout.split()) == 4


def test_graph_that_is_no_text_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "graph.json").write_bytes(b"\xff\xfe")

    assert run("generate", "--graph", "graph.json").exit_code == 2


def test_validation_makes_nothing(run: Run) -> None:
    result = run("generate", "a fox only thought of", "--validate-only")

    assert (result.exit_code, result.stdout) == (0, "the request is valid\n")
    assert "thought" not in run("jobs", "--limit", "500").stdout


def test_same_request_id_gives_the_same_job(run: Run) -> None:
    first = run("generate", "a red fox", "--request-id", "mine-1", "--detach")
    second = run("generate", "a red fox", "--request-id", "mine-1", "--detach")

    assert first.stdout == second.stdout


def test_warnings_are_said_without_control_characters(run: Run) -> None:
    result = run("generate", "warn me")

    assert "warning: the size was [31m rounded (SIZE_ADJUSTED)" in result.stderr


def test_what_goes_on_is_said_in_lines_where_there_is_no_terminal(run: Run) -> None:
    result = run("generate", "a red fox")

    assert "\x1b" not in result.output
    assert result.stderr.splitlines()[:2] == ["queued", "queued, next, starts in about 40 s"]
    assert "sampling (KSampler) on demo" in result.stderr
    assert result.stderr.splitlines()[-1] == "succeeded"
