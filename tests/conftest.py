"""Settings of all tests."""

import os

from hypothesis import settings

# Time limits per example would make tests depend on what else the machine is doing.
settings.register_profile("project", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("project")

# Triton's kernels run in its interpreter, which has to be said before anything imports Triton.
os.environ["TRITON_INTERPRET"] = "1"
