"""What keeps the project itself honest: documents that match the code, and files that stand alone."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from imagegen.v1 import error_pb2
from imagegen_gateway.config import GatewaySettings
from imagegen_server.config import ServerSettings

ROOT = Path(__file__).resolve().parents[1]


def tracked_files() -> list[Path]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.splitlines() if (ROOT / name).is_file()]


def test_stubs_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "protos/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_every_error_reason_is_documented() -> None:
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.MULTILINE))
    reasons = {name.removeprefix("ERROR_REASON_") for name in error_pb2.ErrorReason.DESCRIPTOR.values_by_name}
    assert documented == reasons - {"UNSPECIFIED"}


def comment_above(lines: list[str], number: int) -> bool:
    return number > 0 and lines[number - 1].strip().startswith("//")


@pytest.mark.parametrize("path", sorted((ROOT / "protos" / "imagegen" / "v1").glob("*.proto")), ids=lambda p: p.name)
def test_every_part_of_the_contract_is_documented(path: Path) -> None:
    lines = path.read_text().splitlines()
    declaration = re.compile(
        r"^\s*(message|enum|service|rpc|oneof)\s+\w+|^\s*(repeated |optional )?[\w.<>, ]+ \w+ = \d+( \[.*|;)$"
    )
    bare = [
        f"{number + 1}: {line.strip()}"
        for number, line in enumerate(lines)
        if declaration.match(line) and not comment_above(lines, number)
    ]
    assert bare == []


def test_no_file_names_the_folder_that_it_lies_in() -> None:
    """Else a path of one machine has crept in where a relative one was meant."""
    texts = [path for path in tracked_files() if path.suffix not in {".png", ".webp", ".jpg", ".bin", ".binpb"}]
    assert [path for path in texts if str(ROOT) in path.read_text(encoding="utf-8", errors="replace")] == []


def test_lock_files_hold_no_addresses() -> None:
    locks = [
        *(ROOT / "requirements").glob("*.txt"),
        *(ROOT / "docs").glob("examples/*/package-lock.json"),
        ROOT / "gateway" / "web" / "package-lock.json",
    ]
    assert len(locks) >= 6
    assert [path.name for path in locks if re.search(r'"resolved"|^--|@ http', path.read_text(), re.MULTILINE)] == []


def test_the_lock_of_the_page_is_whole() -> None:
    """One written on a machine of one kind can leave out what another kind needs; there it could not be installed."""
    packages = json.loads((ROOT / "gateway" / "web" / "package-lock.json").read_text())["packages"]
    missing = [
        name
        for path, package in packages.items()
        for name in package.get("optionalDependencies", {})
        if f"node_modules/{name}" not in packages and f"{path}/node_modules/{name}" not in packages
    ]
    assert missing == []


def test_requirements_are_pinned_with_hashes() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        pins = re.findall(r"^[a-z0-9].*(?:\n    --hash.*)*", path.read_text(), re.MULTILINE)
        assert pins
        assert [pin for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{page.name}: {target}"
        for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_compose_starts_the_two_processes_on_loopback_only() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    assert set(compose["services"]) == {"server", "gateway"}
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert service["restart"] == "unless-stopped"
        assert service["healthcheck"]["test"][0] == "CMD"


def test_compose_with_open_webui_connects_by_the_services_own_names() -> None:
    base = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    both = yaml.safe_load((ROOT / "docker-compose.openwebui.yaml").read_text())["services"]
    chat = both["open-webui"]
    assert set(both) - {"open-webui"} <= set(base)
    assert set(chat["depends_on"]) <= set(base)
    assert all(port.startswith("127.0.0.1:") for port in chat["ports"])
    addresses = {value for name, value in chat["environment"].items() if "_URL" in name}
    assert addresses == {"http://gateway:8000/openai/v1"}
    assert "gateway" in base["gateway"]["environment"]["IMAGEGEN_ALLOWED_HOSTS"]
    assert both["gateway"]["environment"]["IMAGEGEN_OPENWEBUI_URL"] == "http://open-webui:8080"


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert documented == set(ServerSettings.model_fields) | set(GatewaySettings.model_fields)
