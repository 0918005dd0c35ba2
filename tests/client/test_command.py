"""The `imagegen` command as a script sees it: exit statuses, stdout, stderr."""

import socket
from pathlib import Path

import pytest

from imagegen_client import __version__
from tests.client.conftest import Run, lines
from tests.client.fake import png


def unused_address() -> str:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{closed.getsockname()[1]}"


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["generate", "a red fox"], 0, ""),
        (["generate", "fail"], 1, "the device had too little memory"),
        (["generate", "invalid"], 2, "spec.image.width: must be a multiple of 8"),
        (["generate"], 2, "say what to make"),
        (["generate", "a red fox", "--size", "big"], 2, "WIDTHxHEIGHT"),
        (["generate", "a red fox", "--size", "8x8", "--width", "8"], 2, "--size or --width"),
        (["generate", "a red fox", "--label", "key"], 2, "KEY=VALUE"),
        (["generate", "a red fox", "--image", "10.image=x.png"], 2, "--graph only"),
        (["generate", "a red fox", "--init-image", "nothing.png"], 2, "nothing.png"),
        (["generate", "a red fox", "-o", "nowhere/fox.png"], 2, "no such folder"),
        (["generate", "a red fox", "--steps", "many"], 2, "as an integer"),
        (["generate", "a red fox", "--seed", "9" * 20], 2, "out of range"),
        (["generate", "a red fox", "--width", "9" * 10], 2, "out of range"),
        (["generate", "\udcff"], 2, "valid text"),
        (["generate", "full"], 4, "try again in 7 s"),
        (["generate", "expire"], 5, "expired"),
        (["watch", "00000000-0000-0000-0000-000000000000"], 3, "no such job"),
        (["watch", "zzzz"], 3, "no job begins with"),
        (["watch", "abc"], 2, "at least 4 characters"),
        (["cancel", "zzzz"], 3, "no job begins with"),
        (["delete", "zzzz"], 3, "no job begins with"),
        (["jobs", "--state", "lost"], 2, "queued, running"),
        (["models", "--type", "cat"], 2, "checkpoint"),
        (["assets", "get", "0" * 64, "-o", "x.png"], 3, "no such asset"),
        (["assets", "delete", "0" * 64], 3, "no such asset"),
        (["--server", "nonsense", "jobs"], 2, "HOST:PORT"),
        (["--server", "127.0.0.1:99999", "jobs"], 2, "HOST:PORT"),
        (["draw"], 2, "draw"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_exit_status_and_what_is_said(run: Run, arguments: list[str], status: int, says: str) -> None:
    result = run(*arguments)

    assert result.exit_code == status, result.output
    assert says in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.output
    assert "\x1b" not in result.stdout


def test_server_that_is_not_there(run: Run) -> None:
    address = unused_address()

    result = run("--server", address, "jobs")

    assert result.exit_code == 4
    assert f"cannot reach the server at {address}" in result.stderr
    assert "imagegen up" in result.stderr


def test_exit_statuses_are_documented(run: Run) -> None:
    text = run("--help").stdout

    assert all(f" {status}:" in text for status in (0, 1, 2, 3, 4, 5, 130))


def test_job_is_followed_by_the_beginning_of_its_id_and_saved(run: Run, tmp_path: Path) -> None:
    job_id = run("generate", "a red fox", "--seed", "3", "--detach").stdout.strip()

    result = run("watch", job_id[:8], "-o", "fox.png")

    assert (result.exit_code, result.stdout) == (0, "fox.png\n")
    assert (tmp_path / "fox.png").read_bytes() == png("a red fox 3")
    again = run("watch", job_id)
    assert again.exit_code == 0
    assert len(again.stdout.strip()) == 64


def test_file_that_is_there_keeps_the_pictures_on_the_server(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fox.png").write_bytes(b"mine")
    job_id = run("generate", "a red fox", "--detach").stdout.strip()

    result = run("watch", job_id, "-o", "fox.png")

    assert result.exit_code == 2
    assert f"imagegen watch {job_id} -o FILE saves them" in result.stderr
    assert (tmp_path / "fox.png").read_bytes() == b"mine"
    assert run("watch", job_id, "-o", "fox.png", "--force").exit_code == 0


def test_end_of_a_job_that_has_ended_is_its_exit_status(run: Run) -> None:
    job_id = lines(run("generate", "fail", "--json"))[-1]["job"]["job_id"]

    result = run("watch", job_id)

    assert result.exit_code == 1
    assert "too little memory" in result.stderr


def test_cancelled_job_ends_with_130(run: Run, job_id: str) -> None:
    cancelled = run("cancel", job_id[:6])
    watched = run("watch", job_id)

    assert (cancelled.exit_code, cancelled.stdout) == (0, f"{job_id} cancelling\n")
    assert watched.exit_code == 130
    assert run("delete", job_id).exit_code == 0
    assert run("watch", job_id).exit_code == 3


def test_what_works_is_done_and_the_first_error_is_the_exit_status(run: Run, job_id: str) -> None:
    result = run("cancel", "zzzz", job_id, "abc", "--json")

    assert result.exit_code == 3
    assert [next(iter(line)) for line in lines(result)] == ["error", "job", "error"]


def test_job_that_has_not_ended_is_not_deleted(run: Run, job_id: str) -> None:
    result = run("delete", job_id)

    assert result.exit_code == 5
    assert "cancel it first" in result.stderr


def test_jobs_are_listed(run: Run, job_id: str) -> None:
    text = run("jobs", "--limit", "1")
    as_json = run("jobs", "--limit", "1", "--state", "queued", "--json")

    assert text.stdout.split()[:5] == ["JOB", "STATE", "CREATED", "BACKEND", "PROMPT"]
    assert job_id[:8] in text.stdout
    assert [line["job"]["job_id"] for line in lines(as_json)] == [job_id]


def test_models_are_listed(run: Run) -> None:
    result = run("models", "--refresh", "--type", "sampler")

    assert "euler" in result.stdout
    assert "dusk" not in result.stdout
    assert "backend comfyui does not answer" in result.stderr
    assert [line["model"]["name"] for line in lines(run("models", "--json"))] == ["dusk", "euler"]


def test_backends_are_listed(run: Run) -> None:
    result = run("backends", "--refresh")

    assert "unhealthy: refused" in result.stdout
    assert "http://127.0.0.1:8188" in result.stdout
    assert [line["backend"]["name"] for line in lines(run("backends", "--json"))] == ["demo", "comfyui"]


def test_assets_go_up_and_come_down(run: Run, tmp_path: Path) -> None:
    content = png("up and down")
    (tmp_path / "cat.png").write_bytes(content)

    digest = run("assets", "put", "cat.png").stdout.strip()

    assert digest in run("assets").stdout
    assert lines(run("assets", "list", "--uploads", "--limit", "1", "--json"))[0]["asset"]["digest"] == digest
    assert run("assets", "get", digest).stdout_bytes == content
    assert run("assets", "get", digest, "-o", "copy.png").stdout == "copy.png\n"
    assert (tmp_path / "copy.png").read_bytes() == content
    assert run("assets", "get", digest, "-o", "copy.png").exit_code == 2
    assert run("assets", "delete", digest).exit_code == 0
    assert run("assets", "get", digest).exit_code == 3


def test_version(run: Run) -> None:
    assert run("version").stdout == f"imagegen {__version__}\n"
