"""Replays days of mixed load against the real scheduler, and against simple ones."""
