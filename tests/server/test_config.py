"""Settings, and what is refused of them."""

from pathlib import Path

import pytest
import structlog
from pydantic import ValidationError

from imagegen_server.config import BackendSettings, ServerSettings, is_loopback, split_address
from imagegen_server.logs import configure_logs, without_credentials


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ServerSettings.model_fields:
        monkeypatch.delenv(f"IMAGEGEN_{name.upper()}", raising=False)


def names(settings: ServerSettings) -> list[tuple[str, str, str]]:
    return [(backend.name, backend.kind, backend.url) for backend in settings.backends]


def test_without_anything_there_is_the_demo() -> None:
    settings = ServerSettings()
    assert names(settings) == [("demo", "demo", "")]
    assert settings.grpc == "127.0.0.1:50051"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("demo", [("demo", "demo", "")]),
        ("", [("demo", "demo", "")]),
        (
            "comfyui=http://a:8188, a1111=http://b:7860/,comfyui=http://c:1?x=1",
            [
                ("comfyui", "comfyui", "http://a:8188"),
                ("a1111", "a1111", "http://b:7860/"),
                ("comfyui-2", "comfyui", "http://c:1?x=1"),
            ],
        ),
        ('[{"name": "big", "kind": "comfyui", "url": "http://a"}]', [("big", "comfyui", "http://a")]),
        ('{"kind": "demo", "options": {"speed": "4"}}', [("demo", "demo", "")]),
    ],
)
def test_backends_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, text: str, expected: list[tuple[str, str, str]]
) -> None:
    monkeypatch.setenv("IMAGEGEN_BACKENDS", text)
    assert names(ServerSettings()) == expected


def test_a_file_is_read_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "imagegen.toml").write_text(
        'max_attempts = 5\nmax_watchers = 7\nhttp = "127.0.0.1:1"\n[[backends]]\nkind = "a1111"\nurl = "http://a"\n'
    )
    monkeypatch.setenv("IMAGEGEN_MAX_ATTEMPTS", "6")
    settings = ServerSettings(log_level="error")
    assert (settings.max_attempts, settings.max_watchers, settings.log_level) == (6, 7, "error")
    assert names(settings) == [("a1111", "a1111", "http://a")]


def test_an_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEGEN_ALLOW_UNAUTHENTICATED", "")
    monkeypatch.setenv("IMAGEGEN_MAX_ATTEMPTS", "")
    assert (ServerSettings().allow_unauthenticated, ServerSettings().max_attempts) == (False, 3)


@pytest.mark.parametrize(
    "text",
    ["sdnext=http://a", "comfyui", "comfyui=ftp://a", "[1", '[{"kind": "demo", "name": "A b"}]', "[3]"],
)
def test_wrong_backends_are_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("IMAGEGEN_BACKENDS", text)
    with pytest.raises(ValidationError):
        ServerSettings()


def test_two_backends_of_one_name_are_refused() -> None:
    backend = BackendSettings(name="one", kind="demo")
    with pytest.raises(ValidationError, match="two backends are called one"):
        ServerSettings(backends=(backend, backend))


def test_passwords_are_not_shown() -> None:
    settings = ServerSettings(backends=(BackendSettings(kind="a1111", url="http://user:secret@a"),))
    assert "secret" not in repr(settings)
    with pytest.raises(ValidationError) as caught:
        ServerSettings(backends=[{"kind": "a1111", "url": "http://user:secret@a", "wrong": 1}])  # type: ignore[arg-type]
    assert "secret" not in str(caught.value)
    assert without_credentials("http://user:secret@a:1/x?token=secret#y") == "http://a:1/x"


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "example.org:1"])
def test_listening_beyond_this_machine_has_to_be_wished(address: str) -> None:
    with pytest.raises(ValidationError, match="allow_unauthenticated"):
        ServerSettings(grpc=address)
    assert ServerSettings(grpc=address, allow_unauthenticated=True).grpc == address


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "::1", "localhost"])
def test_loopback_is_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("address", ["", "localhost", ":1", "a:b", "a:-1", "a:65536", "a:١"])
def test_an_address_has_host_and_port(address: str) -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        split_address(address)


def test_an_ipv6_address_has_brackets() -> None:
    assert split_address("[::1]:80") == ("::1", 80)


def test_tracebacks_do_not_show_what_variables_held(capsys: pytest.CaptureFixture[str]) -> None:
    for format_name in ("json", "console"):
        configure_logs("info", format_name)
        prompt = "secret prompt"
        try:
            raise ValueError(len(prompt))
        except ValueError:
            structlog.get_logger().exception("it broke")
        shown = capsys.readouterr().err
        assert "it broke" in shown
        assert "ValueError" in shown
        assert prompt not in shown.replace('prompt = "secret prompt"', "")
    structlog.reset_defaults()
