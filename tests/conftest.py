"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# No test asserts a duration. In a fresh checkout the first text takes a second: its tables are made then.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
