"""A flood of wrong passwords and tokens at a running server: it ends with 429, and the others get in meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import httpx
import pytest

from rma_mamba.server import guess_limit
from rma_mamba.server.access_control import AccessRules
from rma_mamba.server.serve_options import ServeOptions
from viewer_server import running_server

PASSWORD = "correct horse battery"
RULES = AccessRules(password=PASSWORD, proxy_header="x-remote-user")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    options = ServeOptions(results=tmp_path_factory.mktemp("results"), preload=False)
    with running_server(options, RULES) as found:
        yield found


@pytest.fixture(autouse=True)
def _attempts_wait_longer_than_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guess_limit, "_INTERVAL_S", 8.0)
    monkeypatch.setattr(guess_limit, "LONGEST_WAIT_S", 60.0)


def forwarded(address: str) -> dict[str, str]:
    return {"x-forwarded-for": address}


async def guess(client: httpx.AsyncClient, password: str, **settings: object) -> httpx.Response:
    return await client.post("/login", data={"password": password}, **settings)


@asynccontextmanager
async def flood(send: Callable[[int], Awaitable[httpx.Response]]) -> AsyncIterator[None]:
    """Many requests at once: until the server answers some of them with 429, others still wait."""
    requests = [asyncio.ensure_future(send(number)) for number in range(40)]
    for request in asyncio.as_completed(requests):
        answer = await request
        if answer.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            break
    assert int(answer.headers["retry-after"]) > 0
    yield
    assert not all(request.done() for request in requests)
    for request in requests:
        request.cancel()
    await asyncio.gather(*requests, return_exceptions=True)


def test_a_flood_of_passwords_delays_only_whoever_sends_it(address: str) -> None:
    async def run() -> None:
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            attacker = forwarded("198.51.100.1")
            async with flood(lambda number: guess(client, f"wrong {number}", headers=attacker)):
                other = await guess(client, PASSWORD, headers=forwarded("198.51.100.2"))
                page = await client.get("/", headers={"cookie": RULES.cookie.partition(";")[0]})
                rejected = await guess(client, PASSWORD, headers=attacker)
            assert (other.headers["location"], page.status_code) == ("/", HTTPStatus.OK)
            assert "Too many wrong passwords" in rejected.text

    asyncio.run(run())


def test_a_browser_behind_the_same_proxy_gets_in_during_a_flood(address: str) -> None:
    async def run() -> None:
        async with (
            httpx.AsyncClient(base_url=address, timeout=30) as attacker,
            httpx.AsyncClient(base_url=address, timeout=30) as browser,
            flood(lambda number: guess(attacker, f"wrong {number}")),
        ):
            shown = await browser.get("/login")
            assert "HttpOnly" in shown.headers["set-cookie"]
            assert "set-cookie" not in (await browser.get("/login")).headers
            assert (await guess(browser, PASSWORD)).headers["location"] == "/"

    asyncio.run(run())


def test_a_flood_of_tokens_is_slowed_down_and_the_right_one_is_not(address: str) -> None:
    def wrong(client: httpx.AsyncClient, number: int) -> Awaitable[httpx.Response]:
        return client.get("/api/cases", headers={"authorization": f"Bearer {number}"})

    async def run() -> None:
        async with (
            httpx.AsyncClient(base_url=address, timeout=30) as client,
            flood(lambda number: wrong(client, number)),
        ):
            right = {"authorization": f"Bearer {RULES.token}"}
            assert (await client.get("/api/cases", headers=right)).status_code == HTTPStatus.OK

    asyncio.run(run())


def test_a_proxy_names_its_user_even_if_it_also_names_the_address(address: str) -> None:
    headers = forwarded("198.51.100.3") | {"x-remote-user": "jane"}
    assert httpx.get(f"{address}/api/cases", headers=headers).status_code == HTTPStatus.OK
    del headers["x-remote-user"]
    assert httpx.get(f"{address}/api/cases", headers=headers).status_code == HTTPStatus.UNAUTHORIZED
