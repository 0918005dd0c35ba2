"""Output that nobody reads any more: real processes, real pipes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from imagegen_client.commands.exits import Exit
from tests.client.conftest import Run
from tests.client.fake import png


def run_into_nothing(*arguments: str, errors_too: bool = False) -> tuple[int, bytes]:
    """Runs a command whose reader has gone before it wrote a word; its exit status, and what it complains of."""
    reader, writer = os.pipe()
    os.close(reader)
    errors = writer if errors_too else subprocess.PIPE
    try:
        done = subprocess.run(
            [sys.executable, "-m", "imagegen_client", *arguments], stdout=writer, stderr=errors, check=False, timeout=15
        )
    finally:
        os.close(writer)
    return done.returncode, done.stderr or b""


@pytest.mark.parametrize("arguments", [["jobs"], ["jobs", "--json"], ["generate", "fox", "--json"], ["queue"]])
def test_a_command_ends_quietly(server_process: str, job_id: str, arguments: list[str]) -> None:
    assert job_id
    assert run_into_nothing("--server", server_process, *arguments) == (Exit.CLOSED, b"")


def test_a_download_ends_quietly(server_process: str, run: Run) -> None:
    Path("cat.png").write_bytes(png("cat"))
    digest = run("assets", "put", "cat.png").stdout.strip()
    assert run_into_nothing("--server", server_process, "assets", "get", digest) == (Exit.CLOSED, b"")


def test_errors_that_nobody_reads_end_it_too(server_process: str) -> None:
    arguments = ["--server", server_process, "watch", "zzzz"]
    assert run_into_nothing(*arguments, errors_too=True) == (Exit.CLOSED, b"")


def test_what_needs_no_server_ends_quietly() -> None:
    assert run_into_nothing("version") == (Exit.CLOSED, b"")
    assert run_into_nothing("--help")[1] == b""
