"""Why a picture's metadata cannot be handled."""


class UnreadableFile(Exception):
    """A file of which the parts cannot be told apart, so that nobody knows what it says: `str()` says why."""
