"""`imagegen up`, `server` and `gateway`: real processes with the real server and gateway."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import pytest
import typer

from imagegen_client.commands.up import _server_settings
from tests.client.conftest import Run

TIMEOUT_S = 15.0
LOCAL = ("--grpc", "127.0.0.1:0", "--data-dir", "data")


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("IMAGEGEN_")}


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "imagegen_client", *arguments],
        cwd=folder,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line_with(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if text in line:
            return line.strip()
    raise AssertionError(process.stderr.read() if process.stderr else "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_up_says_where_it_is_works_and_stops_cleanly(tmp_path: Path, how: signal.Signals) -> None:
    with running(tmp_path, "up", *LOCAL, "--http", "127.0.0.1:0") as process:
        url = line_with(process, "ready:").split()[-1]
        server = line_with(process, "try:").split()[3]
        with urlopen(f"{url}/healthz") as answer:
            status = answer.status
        with running(tmp_path, "--server", server, "generate", "dusk", "-o", "x.png", "--size", "64x64") as command:
            saved, _ = command.communicate(timeout=TIMEOUT_S)
        process.send_signal(how)
        _, log = process.communicate(timeout=TIMEOUT_S)

    assert (status, saved) == (200, "x.png\n")
    assert process.returncode == 0
    assert all(line.startswith("{") for line in log.splitlines())


def test_queue_is_steered_and_a_job_made_once_more(tmp_path: Path, run: Run) -> None:
    with running(tmp_path, "server", *LOCAL) as server:
        anna = partial(run, "--server", line_with(server, "listens for gRPC").split()[-1], "--owner", "anna")
        anna("queue", "pause")
        job_id = anna("generate", "dusk", "--size", "64x64", "--steps", "2", "--detach").stdout.strip()
        first = anna("generate", "dawn", "--size", "64x64", "--steps", "2", "--detach").stdout.strip()
        moved = anna("queue", "move", first[:8], "--first")
        updated = anna("update", job_id, "--priority", "3")
        waiting = anna("queue").stdout
        resumed = anna("queue", "resume")
        watched = anna("watch", job_id)
        again = anna("retry", job_id, "--new-seeds", "-o", "again.png")

    assert [each.exit_code for each in (moved, updated, resumed, watched, again)] == [0] * 5
    assert [line.split()[1:3] for line in waiting.splitlines()[2:]] == [[first[:8], "anna"], [job_id[:8], "anna"]]
    assert "the queue is paused" in waiting.splitlines()[-1]
    assert again.stdout == "again.png\n"


def test_server_and_gateway_run_apart(tmp_path: Path) -> None:
    with running(tmp_path, "server", *LOCAL) as server:
        address = line_with(server, "listens for gRPC").split()[-1]
        with running(tmp_path, "--server", address, "gateway", "--http", "127.0.0.1:0") as gateway:
            url = line_with(gateway, "imagegen is at").split()[3].rstrip(",")
            with urlopen(f"{url}/readyz") as answer:
                assert answer.status == 200


def test_backend_that_does_not_answer_is_said(tmp_path: Path) -> None:
    with running(tmp_path, "server", *LOCAL, "--comfyui", "http://me:secret@127.0.0.1:1") as process:
        line = line_with(process, "not ready")
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=TIMEOUT_S)

    assert line.startswith("backend comfyui is not ready: ")
    assert "secret" not in line + log
    assert process.returncode == 0


@pytest.mark.parametrize("option", ["--grpc", "--http"])
def test_port_that_is_taken_is_said(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        free = {"--grpc": "127.0.0.1:0", "--http": "127.0.0.1:0", option: address}
        arguments = [part for pair in free.items() for part in pair]
        with running(tmp_path, "up", *arguments, "--data-dir", "data") as process:
            _, said = process.communicate(timeout=TIMEOUT_S)

    assert process.returncode == 5
    assert f"{address} is taken" in said
    assert f"choose another address with {option}" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["up", "--grpc", "0.0.0.0:0"], "can be reached from other machines"),
        (["up", "--http", "0.0.0.0:0"], "refusing to listen on"),
        (["up", "--grpc", "nonsense"], "HOST:PORT"),
        (["up", "--comfyui", "nonsense"], "needs an address like http://"),
        (["up", "--no-demo"], "leaves no backend"),
        (["gateway", "--http", "nonsense"], "HOST:PORT"),
    ],
)
def test_wrong_settings_are_said(run: Run, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str) -> None:
    monkeypatch.delenv("IMAGEGEN_BACKENDS", raising=False)

    result = run(*arguments)

    assert result.exit_code == 2
    assert says in " ".join(result.stderr.replace("│", " ").split())


def names(
    comfyui: list[str] | None = None, a1111: list[str] | None = None, demo: bool | None = None
) -> Mapping[str, str]:
    settings = _server_settings(comfyui, a1111, demo, None, None, False)
    return {backend.name: backend.url for backend in settings.backends}


def test_backends_are_called_after_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMAGEGEN_BACKENDS", raising=False)

    assert names() == {"demo": ""}
    assert names(["http://a:1", "http://b:2"], ["http://c:3"]) == {
        "comfyui": "http://a:1",
        "comfyui-2": "http://b:2",
        "a1111": "http://c:3",
    }
    assert list(names(["http://a:1"], demo=True)) == ["comfyui", "demo"]
    assert list(names(["http://a:1"], demo=False)) == ["comfyui"]
    with pytest.raises(typer.BadParameter):
        names(demo=False)


def test_backends_of_the_environment_hold_where_no_flag_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEGEN_BACKENDS", "comfyui=http://a:1")

    assert list(names()) == ["comfyui"]
    assert list(names(demo=True)) == ["comfyui", "demo"]
    assert list(names(demo=False)) == ["comfyui"]
    assert names(a1111=["http://c:3"]) == {"a1111": "http://c:3"}


def test_settings_that_cannot_be_read_are_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "imagegen.toml").write_text("no toml")

    result = run("up")

    assert result.exit_code == 2
    assert "the settings cannot be read" in result.stderr
