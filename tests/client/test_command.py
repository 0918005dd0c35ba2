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
        (["generate", "a red fox", "--denoise", "0.5"], 2, "goes with --init-image"),
        (["generate", "a red fox", "--mask", "cat.png"], 2, "goes with --init-image"),
        (["generate", "a red fox", "-o", "-"], 2, "imagegen assets get DIGEST"),
        (["generate", "a red fox", "--deadline", "soon"], 2, "90s, 5m, 2h"),
        (["generate", "a red fox", "--start-deadline", "0"], 2, "above 0 and at most 30 days"),
        (["generate", "a red fox", "--deadline", "31d"], 2, "above 0 and at most 30 days"),
        (["generate", "a red fox", "--priority", "11"], 2, "10"),
        (["generate", "a red fox", "--backend-label", "gpu"], 2, "KEY=VALUE"),
        (["generate", "full"], 4, "queue: at most 5 jobs may wait, and 5 do try again in 7 s"),
        (["generate", "expire"], 5, "expired"),
        (["watch", "00000000-0000-0000-0000-000000000000"], 3, "no such job"),
        (["watch", "zzzz"], 3, "no job begins with"),
        (["watch", "abc"], 2, "at least 4 characters"),
        (["cancel", "zzzz"], 3, "no job begins with"),
        (["delete", "zzzz"], 3, "no job begins with"),
        (["retry", "zzzz"], 3, "no job begins with"),
        (["retry", "zzzz", "-o", "-"], 2, "imagegen assets get DIGEST"),
        (["watch", "zzzz", "-o", "-"], 2, "imagegen assets get DIGEST"),
        (["update", "zzzz"], 2, "say what to change"),
        (["update", "zzzz", "--no-labels", "--label", "a=b"], 2, "--label or --no-labels"),
        (["queue", "move", "zzzz"], 2, "say where to, once"),
        (["queue", "move", "zzzz", "--first", "--after", "zzzz"], 2, "say where to, once"),
        (["queue", "--owner", "anna", "pause"], 2, "goes after 'pause'"),
        (["backends", "--json", "drain", "demo"], 2, "goes after 'drain'"),
        (["backends", "drain", "none"], 3, "no such backend"),
        (["backends", "remove", "none"], 3, "no such backend"),
        (["backends", "probe", "http://silent"], 4, "the backend is silent"),
        (["jobs", "--state", "lost"], 2, "queued, running"),
        (["models", "--type", "cat"], 2, "checkpoint"),
        (["assets", "get", "0" * 64, "-o", "x.png"], 3, "no such asset"),
        (["assets", "delete", "0" * 64], 3, "no such asset"),
        (["assets", "get", "cafe", "-o", "x.png"], 2, "64 hexadecimal digits"),
        (["assets", "delete", "cafe"], 2, "64 hexadecimal digits"),
        (["--owner", "ännä", "jobs"], 2, "printable ASCII"),
        (["--server", "nonsense", "jobs"], 2, "HOST:PORT"),
        (["--server", "127.0.0.1:99999", "jobs"], 2, "HOST:PORT"),
        (["draw"], 2, "draw"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_exit_status_and_what_is_said(run: Run, arguments: list[str], status: int, says: str) -> None:
    Path("cat.png").write_bytes(png("cat"))

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


def test_ended_job_is_made_once_more(run: Run, tmp_path: Path) -> None:
    first = lines(run("generate", "a red fox", "--seed", "5", "--json"))[-1]["job"]["job_id"]

    again = run("retry", first[:8], "-o", "again.png")
    other = run("retry", first, "-o", "other.png", "--new-seeds", "--json")

    assert (again.exit_code, again.stdout) == (0, "again.png\n")
    assert (tmp_path / "again.png").read_bytes() == png("a red fox 5")
    assert lines(other)[-1]["job"]["retry_of"] == first
    assert (tmp_path / "other.png").read_bytes() != png("a red fox 5")


def test_retry_is_left_running(run: Run, job_id: str) -> None:
    ended = lines(run("generate", "a red fox", "--json"))[-1]["job"]["job_id"]

    first, second = (run("retry", ended, "--detach", "--request-id", f"mine-{ended}") for _ in range(2))
    shown = run("retry", ended, "--detach", "--json")

    assert first.stdout == second.stdout != f"{ended}\n"
    assert lines(shown)[0]["job"]["retry_of"] == ended
    assert run("retry", job_id).exit_code == 5


def test_file_that_is_there_makes_no_retry(run: Run, tmp_path: Path) -> None:
    ended = lines(run("generate", "a fox that is not retried", "--json"))[-1]["job"]["job_id"]
    (tmp_path / "fox.png").write_bytes(b"mine")

    assert run("retry", ended, "-o", "fox.png").exit_code == 2
    assert run("jobs", "--limit", "500").stdout.count("not retried") == 1


def test_jobs_are_updated(run: Run, job_id: str) -> None:
    other = run("generate", "wait too", "--detach").stdout.strip()

    result = run("update", job_id, other[:8], "--priority", "3", "--label", "a=b", "--pause", "--json")

    for line in lines(result):
        job = line["job"]
        assert (job["spec"]["priority"], job["spec"]["labels"], job["paused"]) == (3, {"a": "b"}, True)
    resumed = run("update", job_id, "--resume", "--no-labels")
    assert resumed.stdout == f"{job_id} updated\n"
    job = next(line["job"] for line in lines(run("jobs", "--json")) if line["job"]["job_id"] == job_id)
    assert (job["paused"], job["spec"]["labels"]) == (False, {})


def test_owner_is_said_and_filtered_by(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "OWNER" not in run("jobs", "--owner", "nobody").stdout
    monkeypatch.setenv("IMAGEGEN_OWNER", "anna")
    annas = run("generate", "wait for anna", "--detach").stdout.strip()
    berts = run("--owner", "bert", "generate", "wait for bert", "--detach").stdout.strip()

    listed = run("jobs", "--owner", "anna").stdout

    assert "OWNER" in listed
    assert annas[:8] in listed
    assert berts[:8] not in listed


def test_queue_is_shown_and_reordered(run: Run) -> None:
    a, b, c = (run("--owner", "queuer", "generate", "wait", "--detach").stdout.strip() for _ in range(3))

    assert run("queue", "move", c[:8], "--before", a[:8]).exit_code == 0
    assert run("queue", "move", a, "--last").exit_code == 0
    assert run("queue", "move", b, "--first").stdout == f"{b} next, starts in about 40 s\n"
    assert lines(run("queue", "move", c, "--after", b, "--json"))[0]["job"]["queue"]["ahead"] == 1
    run("update", c, "--pause")

    summary, headings, *rows = run("queue", "--owner", "queuer").stdout.splitlines()
    assert "waiting, 2 running" in summary
    assert headings.split("  ")[0] == "PLACE"
    assert [row.split()[1] for row in rows] == [b[:8], c[:8], a[:8]]
    assert "every backend that can run it is busy" in rows[0]
    assert "about 40 s" in rows[0]
    assert "it is paused" in rows[1]
    whole, *entries = lines(run("queue", "--owner", "queuer", "--limit", "2", "--json"))
    assert "max_queued" in whole["queue"]
    assert [line["entry"]["job_id"] for line in entries] == [b, c]


def test_queue_is_paused_and_resumed(run: Run) -> None:
    assert "the queue is paused" in run("queue", "pause").stdout
    assert run("queue", "pause", "--owner", "anna").stdout.endswith("; the queue is paused; paused: anna\n")
    assert run("queue", "resume").stdout.endswith("running; paused: anna\n")
    assert lines(run("queue", "resume", "--owner", "anna", "--json"))[0]["queue"]["paused_owners"] == []


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


def test_backend_is_drained_and_taken_back(run: Run) -> None:
    assert run("backends", "drain", "demo").stdout == "demo gets no new jobs, 0 running there\n"
    assert "healthy, drained" in run("backends").stdout
    assert lines(run("backends", "undrain", "demo", "--json"))[0]["backend"]["drained"] is False
    assert "drained" not in run("backends").stdout


def test_backends_are_tried_added_and_removed(run: Run) -> None:
    url = "http://127.0.0.1:8189"
    assert run("backends", "probe", url).stdout == f"comfyui 0.3.64 at {url}: healthy\n"
    assert url not in run("backends").stdout
    assert run("backends", "add", url).stdout == "comfyui-2 (comfyui) added, healthy\n"
    added = run("backends", "add", url, "--name", "big", "--label", "gpu=h200", "--max-jobs", "3", "--json")
    backend = lines(added)[0]["backend"]
    assert (backend["name"], backend["labels"], backend["max_concurrent_jobs"]) == ("big", {"gpu": "h200"}, 3)
    run("backends", "remove", "big")
    assert [line["backend"]["name"] for line in lines(run("backends", "--json"))] == ["demo", "comfyui", "comfyui-2"]


def test_assets_go_up_and_come_down(run: Run, tmp_path: Path) -> None:
    content = png("up and down")
    (tmp_path / "cat.png").write_bytes(content)

    digest = run("assets", "put", "cat.png").stdout.strip()

    assert digest in run("assets").stdout
    assert lines(run("assets", "list", "--uploads", "--limit", "1", "--json"))[0]["asset"]["digest"] == digest
    assert run("assets", "get", digest.upper()).stdout_bytes == content
    assert run("assets", "get", digest, "-o", "-").stdout_bytes == content
    assert run("assets", "get", digest, "-o", "copy.png").stdout == "copy.png\n"
    assert (tmp_path / "copy.png").read_bytes() == content
    assert run("assets", "get", digest, "-o", "copy.png").exit_code == 2
    assert run("assets", "get", digest, "--metadata", "a1111").stdout_bytes == b"METADATA_POLICY_A1111" + content
    assert run("assets", "metadata", digest).stdout == "a red fox\n"
    assert lines(run("assets", "metadata", digest, "--json"))[0]["metadata"]["parameters"] == "a red fox"


def test_assets_are_marked_deleted_and_brought_back(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(png("a favorite"))
    digest = run("assets", "put", "cat.png").stdout.strip()

    def digests(*options: str) -> list[str]:
        return [line["asset"]["digest"] for line in lines(run("assets", "list", *options, "--json"))]

    assert run("assets", "favorite", digest).stdout == f"{digest} is a favorite\n"
    assert digests("--favorites") == [digest]
    assert lines(run("assets", "unfavorite", digest, "--json"))[0]["asset"]["favorite"] is False
    assert run("assets", "delete", digest).stdout.startswith(f"{digest} deleted, for good at 2")
    assert run("assets", "get", digest).exit_code == 3
    assert digest not in digests()
    assert digests("--deleted") == [digest]
    assert run("assets", "undelete", digest).stdout == f"{digest} is back\n"
    assert lines(run("assets", "delete", digest, "--json"))[0]["deleted"]["delete_time"]
    assert run("assets", "delete", "--permanently", digest).stdout == f"{digest} deleted, for good\n"
    assert run("assets", "undelete", digest).exit_code == 3


def test_version(run: Run) -> None:
    assert run("version").stdout == f"imagegen {__version__}\n"
