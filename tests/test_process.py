"""Process-wide settings."""

from __future__ import annotations

import subprocess
import sys

import pytest

# pages that the system had to give for a map of 8 MB that is freed and asked for again, 40 times
PROGRAM = """
import resource
import numpy as np
from rma_mamba.process import tune_process
{tune}
for _ in range(3):
    np.ones(1_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(40):
    np.ones(1_000_000), np.ones(1_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have another C library")
def test_a_tuned_process_reuses_freed_memory() -> None:
    def pages(tune: str) -> int:
        program = PROGRAM.format(tune=tune)
        run = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, check=True, timeout=60
        )
        return int(run.stdout)

    assert pages("tune_process()") < 0.1 * pages("")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have another C library")
def test_released_memory_returns_to_the_system() -> None:
    program = """
import numpy as np
from rma_mamba.process import release_memory, tune_process

def resident():
    return int(open("/proc/self/statm").read().split()[1])

tune_process()
maps = [np.ones(1_000_000) for _ in range(12)]
del maps
kept = resident()
release_memory()
print(kept - resident())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert int(done.stdout) > 10_000  # pages
