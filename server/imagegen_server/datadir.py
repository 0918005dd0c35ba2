"""The folder that holds everything, for one process at a time."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagegen_server.errors import CannotStart


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes the folder and keeps it for this process while the block is open. Raises CannotStart.

    The lock is the operating system's: it goes away with the process, however that ends.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(f"the data folder {folder} cannot be used: {error.strerror}") from error
    try:
        try:
            _lock(descriptor)
        except OSError as error:
            raise CannotStart(
                f"the data folder {folder} is in use by another server; stop that one, or set another data_dir"
            ) from error
        yield
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
