"""Wrong passwords and tokens delay their own client, for a while; nobody else."""

from __future__ import annotations

import asyncio

import pytest

from rma_mamba.server import guess_limit
from rma_mamba.server.guess_limit import LONGEST_WAIT_S, GuessLimit, client_address


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> GuessLimit:
    return GuessLimit(5, clock)


def test_a_few_attempts_are_free_and_the_others_spaced(limit: GuessLimit) -> None:
    assert [limit.delay_s("a") for _ in range(10)] == [0, 0, 0, 0, 0, 2, 4, 6, 8, 10]
    assert limit.delay_s("a") is None
    assert limit.delay_s("b") == 0


def test_an_attempt_after_a_flood_waits_ten_seconds_at_most(
    limit: GuessLimit, clock: Clock
) -> None:
    for _ in range(10_000):
        limit.delay_s("a")
    clock.now += 2
    assert limit.delay_s("a") == LONGEST_WAIT_S
    clock.now += 30
    assert limit.delay_s("a") == 0


def test_guesses_of_a_day_are_few(limit: GuessLimit, clock: Clock) -> None:
    made = 0
    for _ in range(2 * 3600):
        clock.now += 0.5
        made += limit.delay_s("a") is not None
    assert made < 3600 / 2 + 11


def test_failures_of_who_knows_the_secret_no_longer_count(limit: GuessLimit) -> None:
    for _ in range(20):
        limit.delay_s("a")
    limit.forget("a")
    assert limit.delay_s("a") == 0


def test_many_clients_take_no_memory_and_those_that_try_most_are_remembered(
    limit: GuessLimit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guess_limit, "_MOST_CLIENTS", 10)
    for number in range(100):
        limit.delay_s("guesser")
        limit.delay_s(str(number))
    assert len(limit._next) == 10
    assert limit.delay_s("guesser") is None


def test_an_attempt_waits_for_its_turn(limit: GuessLimit, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def flood() -> list[bool]:
        return [await limit.wait("a") for _ in range(12)]

    monkeypatch.setattr(asyncio, "sleep", sleep)
    assert asyncio.run(flood()) == [True] * 10 + [False] * 2
    assert slept == [2, 4, 6, 8, 10]


PROXIES = {"127.0.0.1", "10.0.0.1"}


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", None, "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),  # claims to be a proxy
        ("127.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "203.0.113.5, 198.51.100.1", "198.51.100.1"),  # the client forged the first
        ("127.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("127.0.0.1", "198.51.100.1, 10.0.0.1", "198.51.100.1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "unknown", "127.0.0.1"),
        ("127.0.0.1", "10.0.0.1", "10.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", None, "2001:0db8:0001:0002"),
        ("2001:db8:1:2::7", None, "2001:0db8:0001:0002"),
        ("testclient", None, "testclient"),
    ],
)
def test_a_client_is_whom_a_trusted_proxy_names(
    peer: str, forwarded: str | None, expected: str
) -> None:
    headers = {} if forwarded is None else {"x-forwarded-for": forwarded}
    assert client_address(peer, headers, PROXIES) == expected
