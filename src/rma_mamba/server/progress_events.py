"""Progress of cases for open pages, as server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

Stage = Literal[
    "queued", "reading", "segmenting", "measuring", "writing", "done", "failed", "cancelled"
]
FINAL: tuple[Stage, ...] = ("done", "failed", "cancelled")

_START: dict[Stage, float] = {"reading": 0.02, "segmenting": 0.1, "measuring": 0.9, "writing": 0.96}
_SEGMENTING = 0.8  # share of the time
_HEARTBEAT_S = 15.0  # proxies close connections on which nothing happens
_WAITING = 100  # events; a page that does not read them misses the oldest


@dataclass(frozen=True)
class CaseProgress:
    """How far a case is.

    Args:
        stage: What happens now.
        slice: Slices that are done.
        slices: All slices; 0 if unknown.
        detail: Why it failed.
    """

    stage: Stage
    slice: int = 0
    slices: int = 0
    detail: str = ""

    @property
    def fraction(self) -> float:
        """From 0 to 1."""
        if self.stage in FINAL:
            return 1.0
        within = _SEGMENTING * self.slice / self.slices if self.slices else 0.0
        return round(_START.get(self.stage, 0.0) + (within if self.stage == "segmenting" else 0), 4)

    @property
    def message(self) -> str:
        """A sentence for the reader."""
        if self.stage == "segmenting" and self.slices:
            return f"Segmenting slice {self.slice} of {self.slices}"
        words = {
            "queued": "Waiting for the cases before it",
            "reading": "Reading the scan",
            "segmenting": "Segmenting",
            "measuring": "Measuring",
            "writing": "Writing the results",
            "done": "Done",
            "cancelled": "Cancelled",
        }
        return self.detail or words.get(self.stage, "Failed")

    def as_json(self) -> dict[str, Any]:
        """For the page."""
        content = {key: value for key, value in asdict(self).items() if key != "detail"}
        return {**content, "fraction": self.fraction, "message": self.message}


class EventHub:
    """Distributes events of named topics to those who listen."""

    def __init__(self) -> None:
        self._listeners: defaultdict[str, set[asyncio.Queue[tuple[str, Any]]]] = defaultdict(set)

    def send(self, topic: str, event: str, data: Any) -> None:
        """Send an event to all listeners of a topic; a full queue loses its oldest event."""
        for queue in self._listeners[topic]:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait((event, data))

    async def listen(
        self, topic: str, first: tuple[str, Any] | None, *, ends: bool
    ) -> AsyncIterator[str]:
        """The events of a topic as text of an event stream.

        Args:
            topic: The topic.
            first: An event to send at once: the present state.
            ends: Whether the stream ends after a final stage.
        """
        queue: asyncio.Queue[tuple[str, Any]] = asyncio.Queue(_WAITING)
        self._listeners[topic].add(queue)
        try:
            if first is not None:
                yield _as_text(*first)
                if ends and _is_final(first[1]):
                    return
            while True:
                try:
                    event, data = await asyncio.wait_for(queue.get(), _HEARTBEAT_S)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                yield _as_text(event, data)
                if ends and _is_final(data):
                    return
        finally:
            self._listeners[topic].discard(queue)


def _is_final(data: Any) -> bool:
    return isinstance(data, dict) and data.get("stage") in FINAL


def _as_text(event: str, data: Any) -> str:
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"
