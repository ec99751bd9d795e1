"""The quality gate: a run whose masks are red, or yellow, ends with an exit code of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from rma_mamba.pipeline.exit_codes import ExitCode
from rma_mamba.pipeline.messages import Messages
from rma_mamba.reporting.quality import LIGHTS, Light

FailOn = Literal["red", "yellow"]


def exit_code_of_run(
    lights: Sequence[Light | None], failed: int, fail_on: FailOn | None, messages: Messages
) -> ExitCode:
    """The exit code of a run that is complete, with a message if the gate is closed.

    Args:
        lights: Traffic light of each completed case; None if its record is gone, which counts as red.
        failed: Number of cases that failed. Their exit code comes first: their results are missing.
        fail_on: The light at which the gate closes, and all worse ones; None: there is no gate.
        messages: Receives the message.
    """
    below = sum(is_below(light, fail_on) for light in lights)
    if below:
        worse = "red" if fail_on == "red" else "yellow or red"
        found = f"{below} of {len(lights)} masks are {worse}"
        if len(lights) == 1:
            found = f"the mask is {lights[0] or worse}"
        messages.fail(f"{found} (--fail-on {fail_on}): look at each mask before you use it.")
    if failed:
        return ExitCode.SOME_CASES_FAILED
    return ExitCode.QUALITY_TOO_LOW if below else ExitCode.OK


def is_below(light: Light | None, fail_on: FailOn | None) -> bool:
    """Whether a light closes the gate; an unknown one does, and none if there is no gate."""
    return fail_on is not None and LIGHTS.index(light or "red") >= LIGHTS.index(fail_on)
