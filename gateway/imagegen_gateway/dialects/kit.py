"""What every dialect is built on."""

from dataclasses import dataclass

from imagegen_gateway.assets import Assets
from imagegen_gateway.channels import Channels
from imagegen_gateway.config import GatewaySettings
from imagegen_gateway.dialects.offers import Offers
from imagegen_gateway.dialects.rendering import Studio
from imagegen_gateway.fetching import Fetcher
from imagegen_gateway.keyring import Keyring


@dataclass(frozen=True, slots=True, kw_only=True)
class Kit:
    """The parts, made once by the application."""

    settings: GatewaySettings
    version: str
    """Of imagegen."""
    keyring: Keyring
    """To know our own keys by."""
    channels: Channels
    """For stubs of the services that only one dialect needs."""
    studio: Studio
    """Makes and follows jobs."""
    assets: Assets
    """Reads and stores pictures."""
    offers: Offers
    """Models to choose from."""
    fetcher: Fetcher
    """Fetches pictures by address, guarded."""
