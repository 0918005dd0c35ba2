"""The keys that callers show, and what each may do. Pure."""

import hmac
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

MIN_KEY_CHARS: Final = 16
MAX_KEY_CHARS: Final = 256


class KeySettings(BaseModel):
    """One key."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z0-9._@-]{1,64}$")
    """What logs call it; unique."""
    key: SecretStr
    """The secret: 16 to 256 printable ASCII characters without spaces."""
    owner: str = Field(default="", max_length=256, pattern=r"^[ -~]*$")
    """Whose jobs are made with it; empty: its name."""
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

    @property
    def default_owner(self) -> str:
        """The owner of what is made with it when nobody else is named."""
        return self.owner or self.name


def find_key(keys: list[KeySettings], shown: str) -> KeySettings | None:
    """The key that was shown. Takes as long for a wrong one as for a right one."""
    given = shown.encode("utf-8", "surrogateescape")
    found = None
    for key in keys:
        if hmac.compare_digest(key.key.get_secret_value().encode(), given):
            found = key
    return found
