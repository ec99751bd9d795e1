"""Settings of all tests."""

from hypothesis import settings

# Time limits per example would make tests depend on what else the machine is doing.
settings.register_profile("project", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("project")
