"""From an exception to one line on stderr and an exit code.

    0    done
    1    a fault of this program
    2    wrong usage, setting or recipe
    3    some cases of a cohort failed
    4    a scan or a geometry cannot be used
    5    weights are missing or damaged
    6    out of memory
    7    a device or an operator backend cannot run
    130  interrupted
    143  terminated

Only the errors of this package show their own text.
"""

from __future__ import annotations

from rma_mamba.errors import RmaMambaError

SOME_CASES_FAILED = 3
OUT_OF_MEMORY = 6


def describe(error: BaseException) -> tuple[str, int]:
    """An error's one line, which names no patient, and its exit code."""
    message, code = _describe(error)
    return " ".join(message.split()), code


def _describe(error: BaseException) -> tuple[str, int]:
    if _ran_out_of_memory(error):
        return (
            "the memory is not enough for this scan. Use --batch-size 1, a smaller model, "
            "or a machine with more memory.",
            OUT_OF_MEMORY,
        )
    if isinstance(error, RmaMambaError):
        return str(error), error.exit_code
    # The text of a foreign exception may hold a path or a patient's name: only its type is shown.
    return (
        f"unexpected {type(error).__name__}; this is a fault of the program. "
        "Run the command again with --verbose to see where it happened.",
        RmaMambaError.exit_code,
    )


def _ran_out_of_memory(error: BaseException | None) -> bool:
    if error is None or isinstance(error, MemoryError):
        return error is not None
    # torch says it in two ways; it is not imported here just to learn that it was not in use
    if isinstance(error, RuntimeError) and (
        type(error).__name__ == "OutOfMemoryError" or "allocate memory" in str(error)
    ):
        return True
    return _ran_out_of_memory(error.__cause__)
