"""The gateway as a program."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from imagegen_gateway.config import GatewaySettings


def start(**environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "imagegen_gateway"],
        env={**os.environ, **environment},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal_and_ends_with_0(number: signal.Signals) -> None:
    with start(IMAGEGEN_HTTP="127.0.0.1:0") as process:
        assert process.stderr is not None
        assert "gateway listens" in process.stderr.readline()
        process.send_signal(number)
        assert "gateway stopped" in process.stderr.read()
    assert process.returncode == 0


def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        start(IMAGEGEN_HTTP=f"127.0.0.1:{taken.getsockname()[1]}") as process,
    ):
        assert process.stderr is not None
        text = process.stderr.read()
    assert process.returncode == 1
    assert text.startswith("cannot listen on 127.0.0.1:")
    assert "Traceback" not in text


def test_settings_that_make_no_sense_are_told_by_name() -> None:
    with start(IMAGEGEN_HTTP="0.0.0.0:8000") as process:
        assert process.stderr is not None
        text = process.stderr.read()
    assert process.returncode == 2
    assert "refusing to listen on 0.0.0.0:8000" in text
    assert "Traceback" not in text


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ('exposed_models = ["sdxl/*"]', "imagegen settings set exposure.models="),
        ('[[presets]]\nid = "portrait"', "imagegen workflows variant portrait"),
    ],
)
def test_what_is_no_setting_any_more_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, advice: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagegen.toml").write_text(line)
    with pytest.raises(ValidationError, match=advice):
        GatewaySettings()
    (tmp_path / "imagegen.toml").unlink()
    name = line.split(" = ", maxsplit=1)[0].partition("]")[0].strip("[")
    monkeypatch.setenv(f"IMAGEGEN_{name.upper()}", "[]")
    with pytest.raises(ValidationError, match=advice):
        GatewaySettings()
