"""The gateway's settings: environment (IMAGEGEN_...), `imagegen.toml` and arguments, arguments first."""

import ipaddress
import json
import os
import re
from typing import Annotated, Any, Self

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from imagegen_gateway.keys import KeySettings

MIB = 1024 * 1024
GONE = {
    "presets": (
        "presets are stored workflows now. Take them out, start, and bring each over: one with a workflow by "
        "`imagegen workflows import comic.json --openwebui-nodes inputs.json`, any other by "
        "`imagegen workflows variant portrait --set model=NAME --set steps=30`; see docs/workflows.md"
    ),
    "exposed_models": "take it out, start, and say `imagegen settings set exposure.models='sdxl/*'`",
}
"""What could be set here once, and what to do now."""


class GatewaySettings(BaseSettings):
    """Everything that can be set. Each field is read from IMAGEGEN_<NAME>; lists are separated by commas."""

    model_config = SettingsConfigDict(
        env_prefix="IMAGEGEN_",
        env_ignore_empty=True,
        toml_file="imagegen.toml",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # keys
    )

    http: str = Field(
        default="127.0.0.1:8000", description="Address to listen on, HOST:PORT; port 0 chooses a free one."
    )
    a1111_http: str = Field(
        default="",
        description="One more address, HOST:PORT, with A1111's API at its root: for programs that know no path.",
    )
    comfyui_http: str = Field(
        default="",
        description="One more address, HOST:PORT, with ComfyUI's API at its root: for programs that know no path.",
    )
    server: str = Field(default="127.0.0.1:50051", description="Address of the gRPC server, HOST:PORT.")
    allow_unauthenticated: bool = Field(
        default=False, description="Listen beyond loopback although anybody who reaches the port can use everything."
    )
    keys: Annotated[list[KeySettings], NoDecode] = Field(
        default=[],
        description="Keys, of which callers must show one; none: whoever reaches the port may do everything.",
    )
    allowed_hosts: Annotated[list[str], NoDecode] = Field(
        default=[], description="More names that the Host header may hold, without port; loopback names always may."
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default=[],
        description='Origins of other pages that may call this API, as "https://chat.example.org"; "*" is any.',
    )
    rpc_timeout_s: float = Field(default=30.0, gt=0, description="Seconds that the server has for one unary call.")
    max_body_bytes: int = Field(default=8 * MIB, gt=0, description="Largest JSON body.")
    max_upload_bytes: int = Field(default=64 * MIB, gt=0, description="Largest uploaded file.")
    max_watchers: int = Field(default=5000, gt=0, description="Open event streams and live pictures in all.")
    max_watchers_per_job: int = Field(
        default=1000, gt=0, description="Open event streams and live pictures of one job."
    )
    write_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds after which a watcher that reads nothing is ended."
    )
    ping_interval_s: float = Field(
        default=15.0, gt=0, description="Seconds of silence after which a stream gets a comment."
    )
    preview_inline_max_bytes: int = Field(
        default=64 * 1024, ge=0, description="Largest preview sent inside an event; larger ones are sent as an address."
    )
    thumbnail_cache_bytes: int = Field(default=64 * MIB, ge=0, description="Memory for thumbnails.")
    fetch_hosts: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="Hosts in private networks from which pictures may be fetched by address; public ones may be.",
    )
    openwebui_url: str = Field(
        default="",
        description="Where Open WebUI is, as seen from here: the tool server sends progress there.",
    )
    openwebui_jwt_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Open WebUI's FORWARD_USER_INFO_HEADER_JWT_SECRET; with it, only signed user headers count.",
    )

    @field_validator("allowed_hosts", "cors_origins", "fetch_hosts", mode="before")
    @classmethod
    def split_commas(cls, value: object) -> object:
        """Lists come from the environment as "a, b"."""
        return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value

    @field_validator("keys", mode="before")
    @classmethod
    def read_json(cls, value: Any) -> Any:
        """Tables come from the environment as JSON."""
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            raise ValueError("must be a JSON list of objects") from None

    @field_validator("keys")
    @classmethod
    def check_keys(cls, keys: list[KeySettings]) -> list[KeySettings]:
        """Two keys with one name, or one secret, would be one."""
        if len({key.name for key in keys}) < len(keys) or len({key.key.get_secret_value() for key in keys}) < len(keys):
            raise ValueError("every key needs a name and a secret of its own")
        return keys

    @field_validator("a1111_http", "comfyui_http")
    @classmethod
    def check_optional_address(cls, value: str) -> str:
        """Empty: there is none."""
        return cls.check_address(value) if value else ""

    @field_validator("openwebui_url")
    @classmethod
    def check_openwebui_url(cls, value: str) -> str:
        """Empty: there is none."""
        if value and re.fullmatch(r"https?://[^\s/]+(/[^\s?#]*)?", value) is None:
            raise ValueError("must be an address like http://open-webui:8080")
        return value

    @field_validator("http", "server")
    @classmethod
    def check_address(cls, value: str) -> str:
        """Both parts must be there."""
        host, separator, port = value.rpartition(":")
        if not separator or not host or not port.isdecimal() or int(port) > 65535:
            raise ValueError(f"must be HOST:PORT, as 127.0.0.1:8000, not {value!r}")
        return value

    @model_validator(mode="before")
    @classmethod
    def refuse_what_is_gone(cls, values: Any) -> Any:
        """What is set elsewhere today must not be lost without a word."""
        for name, advice in GONE.items():
            if name in values or f"IMAGEGEN_{name.upper()}" in os.environ:
                raise ValueError(f"{name} is no setting of imagegen.toml or the environment any more: {advice}")
        return values

    @model_validator(mode="after")
    def refuse_public_without_consent(self) -> Self:
        """Nothing listens beyond loopback unless told so in as many words."""
        if not self.is_loopback and not self.keys and not self.allow_unauthenticated:
            raise ValueError(
                f"refusing to listen on {' and '.join(self.addresses)}: "
                "anybody who can reach it could make, see and delete every image; "
                "listen on 127.0.0.1, or set keys (see docs/configuration.md), or set allow_unauthenticated=true "
                "(IMAGEGEN_ALLOW_UNAUTHENTICATED=true) if something in front of it checks who is asking"
            )
        return self

    @property
    def addresses(self) -> list[str]:
        """Where it listens."""
        return [address for address in (self.http, self.a1111_http, self.comfyui_http) if address]

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return all(is_loopback(parse_address(address)[0]) for address in self.addresses)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # part of the signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # part of the signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then environment, then the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def parse_address(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(host: str) -> bool:
    """Whether a host to listen on is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
