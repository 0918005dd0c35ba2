"""The keys that callers show, and what each may do. Pure."""

import hmac
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

MIN_KEY_CHARS: Final = 16


class KeySettings(BaseModel):
    """One key."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(pattern=r"^[a-z0-9._@-]{1,64}$")
    """What logs call it; unique."""
    key: SecretStr = Field(min_length=MIN_KEY_CHARS, max_length=256)
    """The secret: printable ASCII without spaces."""
    owner: str = Field(default="", max_length=256, pattern=r"^[ -~]*$")
    """Whose jobs are made with it; empty: its name."""
    acts_for_users: bool = False
    """Whether its holder may say for whom it asks, as Open WebUI does for its users. Others' word is not taken."""

    @model_validator(mode="after")
    def _check_secret(self) -> "KeySettings":
        secret = self.key.get_secret_value()
        if not all("!" <= character <= "~" for character in secret):
            raise ValueError("must be printable ASCII characters without spaces")
        return self

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
