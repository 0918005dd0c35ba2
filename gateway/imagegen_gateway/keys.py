"""The keys that callers show, and what each may do. Pure."""

import hmac
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

MIN_KEY_CHARS: Final = 16
MAX_KEY_CHARS: Final = 256


class Role(StrEnum):
    """What the holder of a key may do (see `roles`)."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key as it is checked, wherever it was made. It does not hold the secret."""

    name: str
    """What logs call it."""
    sha256: bytes = field(repr=False)
    """Of the secret."""
    owner: str = ""
    """Whose jobs are made with it; empty: its name."""
    role: Role = Role.USER
    """What its holder may do."""
    acts_for_users: bool = False
    """Whether its holder may say for whom it asks."""

    @property
    def default_owner(self) -> str:
        """The owner of what is made with it when nobody else is named."""
        return self.owner.strip() or self.name


class KeySettings(BaseModel):
    """One key of the configuration."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z0-9._@-]{1,64}$")
    """What logs call it; unique."""
    key: SecretStr
    """The secret: 16 to 256 printable ASCII characters without spaces."""
    owner: str = Field(default="", max_length=256, pattern=r"^[ -~]*$")
    """Whose jobs are made with it; empty: its name."""
    role: Role = Role.USER
    """What its holder may do: "user" or "admin"."""
    acts_for_users: bool = False
    """Whether its holder may say for whom it asks, as Open WebUI does for its users. Others' word is not taken."""

    @field_validator("key")
    @classmethod
    def _check_secret(cls, key: SecretStr) -> SecretStr:
        secret = key.get_secret_value()
        if not MIN_KEY_CHARS <= len(secret) <= MAX_KEY_CHARS:
            raise ValueError(f"must have {MIN_KEY_CHARS} to {MAX_KEY_CHARS} characters")
        if not all("!" <= character <= "~" for character in secret):
            raise ValueError("must be printable ASCII characters without spaces")
        return key

    def checked(self) -> Key:
        """The key as it is checked."""
        return Key(
            name=self.name,
            sha256=digest_of(self.key.get_secret_value()),
            owner=self.owner,
            role=self.role,
            acts_for_users=self.acts_for_users,
        )


def digest_of(secret: str) -> bytes:
    """What a secret is known by."""
    return sha256(secret.encode("utf-8", "surrogateescape")).digest()


def find_key(keys: Iterable[Key], shown: str) -> Key | None:
    """The key that was shown. Takes as long for a wrong one as for a right one."""
    given = digest_of(shown)
    found = None
    for key in keys:
        if hmac.compare_digest(key.sha256, given):
            found = key
    return found


def why_not_make(keys: Iterable[Key], role: Role) -> str:
    """Why a key of this role must not be made beside those that there are; empty: it may be."""
    if role is Role.ADMIN or has_admin(keys):
        return ""
    return (
        "make a key with the role admin first: once there is a key everybody needs one, and nobody could change "
        "settings, backends and keys"
    )


def why_not_delete(configured: Sequence[Key], stored: Sequence[Key], name: str, *, is_loopback: bool) -> str:
    """Why the stored key of this name must not be deleted; empty: it may be, or there is none."""
    left = [*configured, *(key for key in stored if key.name != name)]
    if len(left) == len(configured) + len(stored) or has_admin(left):
        return ""
    if left:
        return (
            f"{name!r} is the last key with the role admin, without which nobody could change settings, backends and "
            "keys: make another one first, or delete all others before it"
        )
    if is_loopback:
        return ""
    return (
        f"{name!r} is the last key, without which everybody who reaches this gateway could do everything: "
        "delete it on the server's machine, with `imagegen keys delete`"
    )


def has_admin(keys: Iterable[Key]) -> bool:
    """Whether one of them is an admin's."""
    return any(key.role is Role.ADMIN for key in keys)
