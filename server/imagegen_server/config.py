"""What can be set: by flags, by environment (IMAGEGEN_...), by `imagegen.toml`, in this order."""

import itertools
import json
import os
import re
import sys
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from imagegen_adapters.config import BackendConfig
from imagegen_adapters.registry import KINDS

_NAME = re.compile(r"^[a-z0-9-]{1,64}$")
MAX_BACKENDS = 64


def default_data_dir() -> Path:
    """The platform's folder for a user's data."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "imagegen"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "imagegen"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "imagegen"


class BackendSettings(BaseModel):
    """One backend."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = ""
    """Unique; lower-case letters, digits and hyphens. Empty: its kind, numbered from the second on."""
    kind: str
    """"comfyui", "a1111" or "demo"."""
    url: str = Field(default="", repr=False)
    """Base address, "http://host:port"; user and password for basic auth may be in it."""
    options: dict[str, str] = Field(default_factory=dict)
    """Kind-specific."""
    labels: dict[str, str] = Field(default_factory=dict, max_length=32)
    """What `backend_labels` of a job can ask for."""
    max_concurrent_jobs: int = Field(default=0, ge=0, le=64)
    """How many jobs it is handed at a time; 0: as many as suit its kind."""

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if name and not _NAME.match(name):
            raise ValueError("must be 1 to 64 lower-case letters, digits and hyphens")
        return name

    @model_validator(mode="after")
    def _check_kind_and_url(self) -> "BackendSettings":
        if self.kind not in KINDS:
            raise ValueError(f"unknown kind of backend {self.kind!r}; allowed: {', '.join(KINDS)}")
        if self.kind != "demo" and not is_http(self.url):
            raise ValueError(f"a backend of kind {self.kind} needs an address like http://127.0.0.1:8188")
        return self

    def to_config(self) -> BackendConfig:
        return BackendConfig(name=self.name, kind=self.kind, url=self.url, options=dict(self.options))


class OwnerSettings(BaseModel):
    """What an owner may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    weight: float = Field(default=1.0, ge=0.01, le=100.0)
    """Share of the backends in relation to other owners' weights, while both have jobs waiting."""
    max_queued_jobs: int = Field(default=0, ge=0)
    """How many of the owner's jobs may wait; more are refused with QUOTA_EXCEEDED. 0: as many as there is room for."""
    max_running_jobs: int = Field(default=0, ge=0)
    """How many of them run at once; the others wait. 0: no limit."""


class ServerSettings(BaseSettings):
    """Settings of the server. The docstring of each field is its documentation."""

    model_config = SettingsConfigDict(
        env_prefix="IMAGEGEN_",
        env_ignore_empty=True,
        toml_file="imagegen.toml",
        # The gateway reads the same file and the same prefix.
        extra="ignore",
        # Addresses may hold passwords.
        hide_input_in_errors=True,
    )

    grpc: str = "127.0.0.1:50051"
    """Where to listen for gRPC: HOST:PORT; port 0 takes a free one."""
    data_dir: Path = Field(default_factory=default_data_dir)
    """Folder of the database and of the assets. One process at a time."""
    backends: Annotated[tuple[BackendSettings, ...], NoDecode] = (BackendSettings(kind="demo"),)
    """The backends: "comfyui=http://127.0.0.1:8188, a1111=http://127.0.0.1:7860, demo", or JSON objects with name,
    kind, url and options. Default: the built-in demo."""
    max_queued_jobs: int = Field(default=1000, ge=1)
    """How many jobs may wait; more are refused with QUEUE_FULL."""
    max_asset_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    """Largest file that is stored."""
    max_watchers: int = Field(default=10_000, ge=1)
    """How many event streams may be open at once."""
    max_attempts: int = Field(default=3, ge=1, le=100)
    """How often a job is tried when its backends fail."""
    max_takedowns: int = Field(default=2, ge=1, le=100)
    """A job during which so many backends died or broke down is not tried again: it may be what breaks them."""
    owners: dict[str, OwnerSettings] = Field(default_factory=dict)
    """Shares and limits by owner; "*" stands for every owner without an entry of its own."""
    keep_jobs: int = Field(default=100_000, ge=0)
    """How many ended jobs are kept, the newest; 0: all."""
    keep_jobs_days: float = Field(default=0.0, ge=0.0)
    """How long ended jobs are kept; 0: for ever. Their pictures stay."""
    keep_events_hours: float = Field(default=24.0, ge=0.0)
    """How long the events of ended jobs can be replayed; 0: for ever."""
    keep_assets_days: float = Field(default=0.0, ge=0.0)
    """How long pictures and uploads are kept; 0: for ever."""
    keep_assets_bytes: int = Field(default=0, ge=0)
    """How much room pictures and uploads may take together; deleted ones go first, then the oldest. 0: no limit."""
    keep_deleted_hours: float = Field(default=24.0, ge=0.0, le=8760.0)
    """How long deleted pictures and uploads can be brought back; 0: they are removed at once."""
    allow_backend_changes: bool = True
    """Whether backends can be added and taken away while the server runs; those of the configuration always stay."""
    allow_unauthenticated: bool = False
    """Needed to listen beyond this machine: whoever reaches the port may do everything."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe level that is logged."""
    log_format: Literal["auto", "console", "json"] = "auto"
    """How to log; auto: for people on a terminal, JSON lines elsewhere."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # pydantic passes them by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @field_validator("backends", mode="before")
    @classmethod
    def _parse_backends(cls, value: Any) -> Any:
        return _parse_backends(value) if isinstance(value, str) else value

    @field_validator("backends")
    @classmethod
    def _name_backends(cls, backends: tuple[BackendSettings, ...]) -> tuple[BackendSettings, ...]:
        named = _named(backends or (BackendSettings(kind="demo"),))
        names = [backend.name for backend in named]
        if len(names) > MAX_BACKENDS:
            raise ValueError(f"at most {MAX_BACKENDS} backends")
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"two backends are called {', '.join(sorted(twice))}")
        return named

    @field_validator("grpc")
    @classmethod
    def _check_address(cls, address: str) -> str:
        split_address(address)
        return address

    @model_validator(mode="after")
    def _check_exposure(self) -> "ServerSettings":
        host, _ = split_address(self.grpc)
        if not self.allow_unauthenticated and not is_loopback(host):
            raise ValueError(
                f"{self.grpc} can be reached from other machines, and there are no keys yet: whoever reaches it may "
                "do everything. Listen on 127.0.0.1, or set allow_unauthenticated if the network is trusted"
            )
        return self


def split_address(address: str) -> tuple[str, int]:
    """Host and port of "HOST:PORT" or "[IPV6]:PORT". Raises ValueError."""
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is no HOST:PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _parse_backends(text: str) -> list[Mapping[str, Any]]:
    """From JSON, or from "comfyui=http://..., a1111=http://..., demo"."""
    if text.lstrip().startswith(("[", "{")):
        parsed = json.loads(text)
        return parsed if isinstance(parsed, list) else [parsed]
    entries = [entry.strip() for entry in text.split(",") if entry.strip()]
    return [{"kind": entry.partition("=")[0].strip(), "url": entry.partition("=")[2].strip()} for entry in entries]


def _named(backends: tuple[BackendSettings, ...]) -> tuple[BackendSettings, ...]:
    taken = {backend.name for backend in backends}
    named = []
    for backend in backends:
        name = backend.name or free_name(backend.kind, taken)
        taken.add(name)
        named.append(backend.model_copy(update={"name": name}))
    return tuple(named)


def free_name(kind: str, taken: Collection[str]) -> str:
    """What a backend is called that was given no name."""
    names = itertools.chain([kind], (f"{kind}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken)


def is_http(url: str) -> bool:
    """Whether it is the address of an HTTP server."""
    try:
        parts = urlsplit(url)
        has_place = bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:  # also one of its names, which no resolver would take
        return False
    return parts.scheme in {"http", "https"} and has_place and url.isprintable() and " " not in url
