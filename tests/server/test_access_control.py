"""Requests from elsewhere, without the secret, or with a forged one."""

from collections.abc import Iterator
from http import HTTPStatus

import httpx
import pytest

from rma_mamba.server.access_control import AccessControl, AccessRules, host_names
from rma_mamba.server.response_headers import ResponseHeaders

HOST = "127.0.0.1:8080"
RULES = AccessRules(hosts=host_names("127.0.0.1", 8080))


async def page(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"secret"})


def ask(method: str = "GET", path: str = "/api/cases", rules: AccessRules = RULES, **headers: str):
    """Send a request straight to the application."""
    import asyncio

    async def send() -> httpx.Response:
        app = ResponseHeaders(AccessControl(page, rules), tls=rules.scheme == "https")
        transport = httpx.ASGITransport(app, client=(headers.pop("client", "127.0.0.1"), 1))
        names = {"host": HOST} | {name.replace("_", "-"): value for name, value in headers.items()}
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            return await client.request(method, path, headers=names)

    return asyncio.run(send())


BEARER = {"authorization": f"Bearer {RULES.token}"}
COOKIE = {"cookie": f"{RULES.cookie_name}={RULES.session}"}


@pytest.mark.parametrize("secret", [BEARER, COOKIE])
def test_the_token_and_the_cookie_open_the_page(secret: dict[str, str]) -> None:
    assert ask(**secret).text == "secret"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": f"Bearer {RULES.token[:-1]}"},
        {"authorization": f"Bearer {RULES.session}"},
        {"authorization": f"Basic {RULES.token}"},
        {"cookie": f"{RULES.cookie_name}={RULES.token}"},
        {"cookie": f"{RULES.cookie_name}="},
        {"cookie": f"other={RULES.session}"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/cases", "/app/main.js", "/api/../login", "//"])
def test_a_missing_or_forged_secret_opens_nothing(headers: dict[str, str], path: str) -> None:
    answer = ask(path=path, **headers)
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert "secret" not in answer.text.replace("secret that", "")
    assert "link that rma-mamba serve printed" in answer.json()["error"]


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8080", "127.0.0.1", "127.0.0.1:81", "127.0.0.1:8080.evil.example", "",
     "localhost:8080@evil.example", "0.0.0.0:8080", "[::]:8080"],
)  # fmt: skip
def test_another_host_opens_nothing(host: str) -> None:
    answer = ask(**BEARER | {"host": host})
    assert answer.status_code == HTTPStatus.MISDIRECTED_REQUEST
    assert "another host" in answer.json()["error"]


@pytest.mark.parametrize("host", [HOST, "localhost:8080", "LOCALHOST:8080", "[::1]:8080"])
def test_the_names_of_this_machine_are_known(host: str) -> None:
    assert ask(**BEARER | {"host": host}).text == "secret"


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:8080"},
        {"origin": "http://127.0.0.1:8081"},
        {"origin": "http://localhost:8080"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
)
def test_another_site_changes_nothing(headers: dict[str, str]) -> None:
    answer = ask("POST", **COOKIE, **headers)
    assert answer.status_code == HTTPStatus.FORBIDDEN
    assert "another site" in answer.json()["error"]


def test_its_own_pages_and_programs_change_something() -> None:
    assert ask("POST", **COOKIE, origin=f"http://{HOST}", sec_fetch_site="same-origin").text
    assert ask("POST", **BEARER).text == "secret"


def test_a_page_of_another_site_reads_nothing_either() -> None:
    assert ask(**COOKIE, origin="http://evil.example").status_code == HTTPStatus.FORBIDDEN


def test_the_link_becomes_a_cookie_that_scripts_do_not_see() -> None:
    answer = ask(path=f"/?token={RULES.token}&case=1")
    assert answer.status_code == HTTPStatus.SEE_OTHER
    assert answer.headers["location"] == "/?case=1"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert RULES.token not in cookie
    assert ask(cookie=cookie.partition(";")[0]).text == "secret"
    assert "Secure" in AccessRules(scheme="https").cookie
    wrong = ask(path=f"/?token={RULES.token[::-1]}")
    assert wrong.status_code == HTTPStatus.UNAUTHORIZED
    assert ask("POST", f"/?token={RULES.token}").status_code == HTTPStatus.UNAUTHORIZED


def test_two_servers_have_different_secrets_and_cookies() -> None:
    one, other = AccessRules(), AccessRules()
    assert one.token != other.token
    assert one.cookie_name != other.cookie_name
    assert one.token not in repr(one)


def test_a_header_of_the_proxy_counts_only_from_the_proxy() -> None:
    rules = AccessRules(hosts=RULES.hosts, proxy_header="x-remote-user")
    assert ask(rules=rules, x_remote_user="jane").text == "secret"
    assert ask(rules=rules).status_code == HTTPStatus.UNAUTHORIZED
    elsewhere = ask(rules=rules, x_remote_user="jane", client="10.0.0.7")
    assert elsewhere.status_code == HTTPStatus.UNAUTHORIZED


def test_who_logs_in_with_a_password_needs_no_proxy() -> None:
    rules = AccessRules(hosts=RULES.hosts, proxy_header="x-remote-user", password="correct horse")
    logged_in = {"cookie": rules.cookie.partition(";")[0], "client": "10.0.0.7"}
    assert ask(rules=rules, **logged_in).text == "secret"


def test_pages_behind_a_proxy_that_terminates_tls_change_something() -> None:
    rules = AccessRules(hosts=RULES.hosts, proxy_header="x-remote-user")
    user = {"x_remote_user": "jane", "origin": f"https://{HOST}"}
    assert ask("POST", rules=rules, **user).text == "secret"
    foreign = ask("POST", rules=rules, **user | {"origin": "https://evil.example"})
    assert foreign.status_code == HTTPStatus.FORBIDDEN


def test_a_browser_without_the_link_sees_a_page_in_words() -> None:
    answer = ask(accept="text/html,*/*")
    assert answer.status_code == HTTPStatus.UNAUTHORIZED
    assert answer.headers["content-type"].startswith("text/html")
    assert "Open that link" in answer.text


def test_a_header_that_occurs_twice_has_no_value() -> None:
    import asyncio

    sent: list[dict] = []

    async def collect(message: dict) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": "/", "query_string": b"", "client": ("127.0.0.1", 1),
        "headers": [(b"host", HOST.encode()), (b"host", b"evil.example"),
                    (b"authorization", BEARER["authorization"].encode())],
    }  # fmt: skip
    asyncio.run(AccessControl(page, RULES)(scope, None, collect))
    assert sent[0]["status"] == HTTPStatus.MISDIRECTED_REQUEST


@pytest.fixture(params=["accepted", "rejected"])
def answer(request: pytest.FixtureRequest) -> Iterator[httpx.Response]:
    return ask(**(BEARER if request.param == "accepted" else {}))


def test_every_answer_forbids_what_a_page_does_not_need(answer: httpx.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe-inline" not in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "port", "others", "known", "unknown"),
    [
        ("127.0.0.1", 80, (), "localhost", "evil.example"),
        ("10.1.2.3", 8443, ("viewer.example.org",), "viewer.example.org:8443", "localhost:8443"),
        ("10.1.2.3", 8443, ("viewer.example.org:443",), "viewer.example.org:443", "viewer.example.org:8443"),
        ("::1", 8080, (), "[::1]:8080", "::1"),
    ],
)  # fmt: skip
def test_names_of_a_host(host: str, port: int, others: tuple, known: str, unknown: str) -> None:
    found = host_names(host, port, others)
    assert known in found
    assert unknown not in found


@pytest.mark.parametrize(
    ("scheme", "host", "sent"),
    [
        ("https", "viewer.example.org", True),
        ("https", "viewer.example.org:443", True),
        ("https", "viewer.example.org:8443", False),
        ("https", "localhost", False),
        ("https", "sub.localhost:443", False),
        ("https", "127.0.0.1", False),
        ("https", "[::1]:443", False),
        ("https", "10.1.2.3", False),
        ("http", "viewer.example.org", False),
        ("http", "localhost:8080", False),
    ],
)
def test_browsers_are_bound_to_tls_only_where_no_other_service_is_lost(
    scheme: str, host: str, sent: bool
) -> None:
    rules = AccessRules(hosts=frozenset({host}), scheme=scheme)
    answer = ask(rules=rules, host=host, authorization=f"Bearer {rules.token}")
    assert answer.text == "secret"
    assert ("strict-transport-security" in answer.headers) == sent
