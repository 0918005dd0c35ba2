"""`imagegen openwebui` as a person sees it, against the imitated Open WebUI."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner, Result

from imagegen_client.cli import app
from imagegen_client.openwebui.choices import FILTER_ID
from imagegen_client.openwebui.installing import filter_source
from imagegen_client.openwebui.store import record_path
from tests.fakes.openwebui import FakeOpenWebUI, open_fake
from tests.fakes.openwebui.settings import REPLACED
from tests.fakes.openwebui.state import ADMIN_TOKEN, USER_TOKEN

GATEWAY = "http://127.0.0.1:8000"
Run: TypeAlias = Callable[..., Awaitable[Result]]


@pytest.fixture(name="fake")
async def fake_fixture() -> AsyncIterator[FakeOpenWebUI]:
    async with open_fake() as fake:
        fake.reachable |= {f"{GATEWAY}/{path}" for path in ("openai/v1", "a1111", "comfyui", "tools")}
        yield fake


@pytest.fixture(name="run")
def run_fixture(fake: FakeOpenWebUI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command; it has a loop of its own, so in a thread of its own."""
    monkeypatch.setenv("IMAGEGEN_OPENWEBUI_STATE", str(tmp_path / "state"))

    async def run(command: str, *arguments: str, token: str = ADMIN_TOKEN) -> Result:
        line = ["openwebui", command, "--url", fake.url, "--token", token, *arguments]
        return await asyncio.to_thread(CliRunner().invoke, app, line)

    return run


async def test_everything_is_set_up_and_put_back(fake: FakeOpenWebUI, run: Run) -> None:
    before = fake.settings
    result = await run("install", "--all", "--gateway-key", "sk-gateway")
    assert result.exit_code == 0, result.output
    assert "set image model: was empty, is imagegen" in result.output
    assert "warning" not in result.output
    assert "sk-gateway" not in result.output
    function = fake.functions[FILTER_ID]
    assert function["is_active"]
    assert function["is_global"]
    assert function["valves"] == {"gateway": GATEWAY, "key": "sk-gateway", "by_owner": True}
    assert fake.openai["OPENAI_API_KEYS"] == ["sk-openai", "sk-gateway"]

    path = record_path(fake.url)
    assert path.stat().st_mode & 0o077 == 0
    assert "sk-gateway" not in path.read_text()

    again = await run("install", "--all", "--gateway-key", "sk-gateway")
    assert "nothing to change" in again.output

    result = await run("uninstall")
    assert result.exit_code == 0, result.output
    # The one connection that was there has its settings by position now, as every saving of them does.
    before["openai"]["OPENAI_API_CONFIGS"] = {"0": {"enable": True, "prefix_id": "oai"}}
    assert fake.settings == before
    assert not path.exists()
    assert "nothing to undo" in (await run("uninstall")).output


async def test_the_usual_choice_has_no_tool_server(fake: FakeOpenWebUI, run: Run) -> None:
    await run("install")
    assert fake.tools == []
    assert FILTER_ID in fake.functions
    assert fake.images["ENABLE_IMAGE_EDIT"]
    status = await run("status")
    assert f"gateway: {GATEWAY}" in status.output
    assert "tool server: no" in status.output
    assert "who asks is told to the image engine openai: plain" in status.output


async def test_a_dry_run_changes_nothing(fake: FakeOpenWebUI, run: Run) -> None:
    before = fake.settings
    result = await run("install", "--dry-run")
    assert "would set image generation: is off, would be on" in result.output
    assert not [request for request in fake.requests if not request.startswith("GET ")]
    await run("install")
    installed = fake.settings
    result = await run("uninstall", "--dry-run")
    assert f"would remove filter {FILTER_ID}" in result.output
    assert fake.settings == installed != before


async def test_a_second_run_completes_the_first(fake: FakeOpenWebUI, run: Run) -> None:
    before = fake.settings
    fake.failing = {"/openai/config/update"}
    result = await run("install", "--chat", "--images", "openai")
    assert result.exit_code == 1
    assert "set image generation: was off, is on" in result.output
    assert "/openai/config/update answered 500" in result.output
    fake.failing = set()
    result = await run("install", "--chat", "--images", "openai")
    assert result.exit_code == 0, result.output
    assert "set image generation" not in result.output
    await run("uninstall")
    assert fake.settings["images"] == before["images"]


async def test_what_somebody_changed_since_stays_and_is_said(fake: FakeOpenWebUI, run: Run) -> None:
    await run("install")
    fake.functions[FILTER_ID]["valves"]["previews"] = False
    fake.images["IMAGE_GENERATION_MODEL"] = "sdxl"
    result = await run("uninstall")
    assert "left filter imagegen_live_previews: somebody has changed it since" in result.output
    assert "left image model: somebody has changed it since" in result.output
    assert FILTER_ID in fake.functions
    assert fake.images["IMAGE_GENERATION_MODEL"] == "sdxl"


async def test_comfyui_gets_the_first_model_that_there_is(fake: FakeOpenWebUI, run: Run) -> None:
    result = await run("install", "--images", "comfyui")
    assert "set image model: was empty, is sd15.safetensors" in result.output
    assert "nothing to change" in (await run("install", "--images", "comfyui")).output
    await run("uninstall")
    assert fake.images["IMAGE_GENERATION_MODEL"] == ""


async def test_a_gateway_that_open_webui_does_not_reach_is_told(fake: FakeOpenWebUI, run: Run) -> None:
    fake.reachable = set()
    for engine in ("openai", "automatic1111", "comfyui"):
        result = await run("install", "--images", engine, "--tools")
        assert result.exit_code == 4, result.output
        assert result.output.count("warning: Open WebUI gets no answer from") == (2 if engine == "openai" else 3)
        assert "all is set up, but Open WebUI does not reach the gateway yet" in result.output


@pytest.mark.parametrize(("key", "says"), [("sk-wrong", "does not take this key"), ("", "wants a key")])
@pytest.mark.parametrize("choice", [["--images", "comfyui"], ["--tools"], ["--filter"], []])
async def test_a_wrong_key_is_told_when_all_is_set_up(
    fake: FakeOpenWebUI, run: Run, choice: list[str], key: str, says: str
) -> None:
    fake.wanted_key = "sk-gateway"
    result = await run("install", *choice, "--gateway-key", key)
    assert result.exit_code == 5, result.output
    assert f"all is set up, but the gateway {says}" in result.output
    assert "sk-" not in result.output
    assert (await run("install", *choice, "--gateway-key", "sk-gateway")).exit_code == 0


@pytest.mark.parametrize(
    ("version", "token", "status", "says"),
    [
        ("0.12.4", USER_TOKEN, 5, "does not let this token do that (401)"),
        ("0.12.4", "sk-nobody", 5, "does not let this token do that (401)"),
        ("0.9.6", ADMIN_TOKEN, 5, "Open WebUI 0.9.6 is too old: imagegen needs 0.10.0"),
        ("0.13.0-dev", ADMIN_TOKEN, 0, "chat models: no"),
    ],
)
async def test_troubles_are_said_in_clear_words(
    fake: FakeOpenWebUI, run: Run, version: str, token: str, status: int, says: str
) -> None:
    fake.version = version
    result = await run("status", token=token)
    assert result.exit_code == status
    assert says in result.output


async def test_what_is_no_open_webui_is_told(run: Run, fake: FakeOpenWebUI) -> None:
    result = await run("status", "--url", f"{fake.url}/elsewhere")
    assert result.exit_code == 1
    assert f"there is no Open WebUI at {fake.url}/elsewhere" in result.output
    result = await run("status", "--url", "http://127.0.0.1:1")
    assert result.exit_code == 4
    assert "cannot reach Open WebUI at http://127.0.0.1:1" in result.output


@pytest.mark.parametrize(
    ("option", "example"), [("--url", "http://localhost:8080"), ("--gateway", "http://127.0.0.1:8000")]
)
async def test_what_is_no_address_is_answered_with_one(run: Run, option: str, example: str) -> None:
    result = await run("install", option, "127.0.0.1:8210")
    assert result.exit_code == 2
    assert example in result.output


async def test_a_record_that_cannot_be_read_is_told(fake: FakeOpenWebUI, run: Run) -> None:
    path = record_path(fake.url)
    path.parent.mkdir()
    for content in ("no json", "[]", '{"version": 2}', '{"version": 1, "gateway": "", "items": {"a": {}}}'):
        path.write_text(content)
        result = await run("uninstall")
        assert result.exit_code == 2
        assert f"{path} cannot be read" in result.output


def test_the_source_of_the_filter_is_stored_as_it_is() -> None:
    """Open WebUI changes some imports of functions; then no two readings of it would be the same."""
    assert not [old for old in REPLACED if old in filter_source()]
