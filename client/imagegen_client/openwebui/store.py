"""Where the record of what was changed lies: one file for each Open WebUI, for its owner alone."""

import json
import os
import re
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

from imagegen_client.errors import InvalidRequest
from imagegen_client.openwebui.record import Record, record_as_json, record_from_json

VARIABLE = "IMAGEGEN_OPENWEBUI_STATE"


def record_path(url: str) -> Path:
    """The file for the Open WebUI at an address; IMAGEGEN_OPENWEBUI_STATE names another folder."""
    parts = urlsplit(url)
    name = re.sub(r"[^a-z0-9.]+", "-", f"{parts.netloc}{parts.path}".lower()).strip("-.")
    given = os.environ.get(VARIABLE)
    return (Path(given) if given else _state_dir()) / f"openwebui-{name}.json"


def read_record(path: Path) -> Record:
    """What the file holds; an empty record where there is none. Raises InvalidRequest, OSError."""
    try:
        return record_from_json(json.loads(path.read_text()))
    except FileNotFoundError:
        return Record()
    except (ValueError, InvalidRequest) as exc:
        raise InvalidRequest(f"{path} cannot be read: {exc}") from exc


def write_record(path: Path, record: Record) -> None:
    """Stores it whole or not at all; without items there is no file. Raises OSError."""
    if not record.items:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # readable by its owner only
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(record_as_json(record), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _state_dir() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "imagegen"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "imagegen"
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "imagegen"
