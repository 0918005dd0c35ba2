"""Ctrl-C, as a person presses it: real processes, real signals."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.client.conftest import Run

TIMEOUT_S = 15.0


@pytest.fixture(autouse=True)
def heeded_interrupts() -> Iterator[None]:
    """What a shell runs in the background ignores Ctrl-C, and so would the commands that are started here."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@contextmanager
def command(address: str, folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, "-m", "imagegen_client", "--server", address, *arguments]
    with subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for_line(process: subprocess.Popen[str], start: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(start):
            return line
    raise AssertionError(f"the command ended without saying {start!r}")


def rest_of(process: subprocess.Popen[str]) -> str:
    """What it says from here to its end. `communicate` would not see what was read beside the line that was awaited."""
    assert process.stderr is not None
    rest = process.stderr.read()
    process.wait(TIMEOUT_S)
    return rest


def state_of(address: str, folder: Path, job_id: str) -> str:
    with command(address, folder, "jobs", "--limit", "500", "--json") as process:
        output, _ = process.communicate(timeout=TIMEOUT_S)
    jobs = [json.loads(line)["job"] for line in output.splitlines()]
    states: dict[str, str] = {job["job_id"]: job["state"] for job in jobs}
    return states[job_id]


def test_ctrl_c_cancels_the_job_and_says_so(server_process: str, tmp_path: Path) -> None:
    with command(server_process, tmp_path, "generate", "wait for me") as process:
        wait_for_line(process, "sampling")
        process.send_signal(signal.SIGINT)
        job_id = wait_for_line(process, "cancelling job").split()[2].rstrip(";")
        rest = rest_of(process)

    assert process.returncode == 130
    assert "cancelled" in rest
    assert "Traceback" not in rest
    assert state_of(server_process, tmp_path, job_id) == "JOB_STATE_CANCELLED"


def test_ctrl_c_cancels_the_job_that_is_made_once_more(
    server_process: str, tmp_path: Path, run: Run, job_id: str
) -> None:
    run("cancel", job_id)
    assert run("watch", job_id).exit_code == 130
    with command(server_process, tmp_path, "retry", job_id) as process:
        wait_for_line(process, "sampling")
        process.send_signal(signal.SIGINT)
        retried = wait_for_line(process, "cancelling job").split()[2].rstrip(";")
        rest_of(process)

    assert process.returncode == 130
    assert retried != job_id
    assert state_of(server_process, tmp_path, retried) == "JOB_STATE_CANCELLED"


def test_second_ctrl_c_leaves_at_once(server_process: str, tmp_path: Path) -> None:
    with command(server_process, tmp_path, "generate", "wait, stubborn one") as process:
        wait_for_line(process, "sampling")
        process.send_signal(signal.SIGINT)
        wait_for_line(process, "cancelling job")
        process.send_signal(signal.SIGINT)
        rest = rest_of(process)

    assert process.returncode == 130
    assert "Traceback" not in rest


def test_ctrl_c_leaves_a_job_that_is_only_watched_alone(server_process: str, tmp_path: Path) -> None:
    with command(server_process, tmp_path, "generate", "wait for me", "--detach") as process:
        job_id = process.communicate(timeout=TIMEOUT_S)[0].strip()
    with command(server_process, tmp_path, "watch", job_id) as process:
        wait_for_line(process, "sampling")
        process.send_signal(signal.SIGINT)
        rest = rest_of(process)

    assert process.returncode == 130
    assert "Traceback" not in rest
    assert state_of(server_process, tmp_path, job_id) == "JOB_STATE_QUEUED"
