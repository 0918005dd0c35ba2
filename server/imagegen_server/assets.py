"""Files by the SHA-256 of their bytes: folder/ab/cdef..., and a row in the store for each."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from imagegen_server.jobs import Asset, AssetOrigin
from imagegen_server.stores.store import Store

CHUNK_BYTES = 256 * 1024


class AssetWriter:
    """An asset in the making."""

    async def write(self, chunk: bytes) -> None:
        """Adds bytes. Refused: ASSET_TOO_LARGE."""
        raise NotImplementedError

    async def commit(
        self,
        *,
        origin: AssetOrigin,
        job_id: str = "",
        expected_digest: str = "",
        expected_size: int = 0,
        require_image: bool = True,
    ) -> Asset:
        """Keeps what was written; without it nothing is left behind. Refused:
        DIGEST_MISMATCH, INVALID_IMAGE.

        Bytes that are stored already give the asset that is there.
        """
        raise NotImplementedError


class AssetStore:
    """The files of one data folder."""

    def __init__(self, folder: Path, store: Store, *, max_bytes: int) -> None:
        """Makes the folder and removes what an earlier process left unfinished."""

    def writer(self) -> AbstractAsyncContextManager[AssetWriter]:
        """A new asset, piece by piece."""
        raise NotImplementedError

    async def put(self, data: bytes, *, origin: AssetOrigin, job_id: str = "", require_image: bool = True) -> Asset:
        """A new asset at once. Refused as an AssetWriter."""
        raise NotImplementedError

    async def get(self, digest: str) -> Asset:
        """The description. Refused: ASSET_NOT_FOUND, also for what is no digest."""
        raise NotImplementedError

    def read(self, digest: str, *, offset: int = 0, limit: int = 0) -> AsyncIterator[bytes]:
        """Its bytes in chunks of CHUNK_BYTES; `limit` 0: to the end. Refused: ASSET_NOT_FOUND,
        INVALID_RANGE."""
        raise NotImplementedError

    async def bytes(self, digest: str) -> bytes:
        """All of its bytes. Refused: ASSET_NOT_FOUND."""
        raise NotImplementedError

    async def delete(self, digest: str) -> None:
        """Refused: ASSET_NOT_FOUND, ASSET_IN_USE."""
        raise NotImplementedError
