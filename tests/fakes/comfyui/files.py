"""The fake's input, output and temp folders, in memory."""

from typing import TypeAlias

Key: TypeAlias = tuple[str, str, str]
"""Folder, subfolder, name."""


class Files:
    def __init__(self) -> None:
        self._files: dict[Key, bytes] = {}
        self._counters: dict[str, int] = {}

    def save(self, folder: str, prefix: str, data: bytes) -> dict[str, str]:
        subfolder, _, name = prefix.rpartition("/")
        self._counters[prefix] = self._counters.get(prefix, 0) + 1
        filename = f"{name}_{self._counters[prefix]:05}_.png"
        self._files[folder, subfolder, filename] = data
        return {"filename": filename, "subfolder": subfolder, "type": folder}

    def upload(self, folder: str, subfolder: str, name: str, data: bytes) -> dict[str, str]:
        """The same name with other bytes gets another name."""
        stem, dot, suffix = name.rpartition(".")
        copies = 0
        stored = name
        while self._files.get((folder, subfolder, stored), data) != data:
            copies += 1
            stored = f"{stem} ({copies}){dot}{suffix}"
        self._files[folder, subfolder, stored] = data
        return {"name": stored, "subfolder": subfolder, "type": folder}

    def get(self, folder: str, subfolder: str, name: str) -> bytes | None:
        return self._files.get((folder, subfolder, name))

    def has_annotated(self, name: str) -> bool:
        return self._annotated(name) in self._files

    def read_annotated(self, name: str) -> bytes:
        return self._files[self._annotated(name)]

    def names(self, folder: str) -> list[str]:
        return sorted(name for where, subfolder, name in self._files if where == folder and not subfolder)

    @property
    def stored(self) -> list[Key]:
        return list(self._files)

    def wipe_temp(self) -> None:
        self._files = {key: data for key, data in self._files.items() if key[0] != "temp"}

    def _annotated(self, name: str) -> Key:
        """ "sub/name.png", "name.png [temp]": as LoadImage reads them."""
        folder = "input"
        for candidate in ("input", "output", "temp"):
            if name.endswith(f" [{candidate}]"):
                folder, name = candidate, name.removesuffix(f" [{candidate}]")
        subfolder, _, name = name.rpartition("/")
        return folder, subfolder, name
