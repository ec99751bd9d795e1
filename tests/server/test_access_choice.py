"""What a server demands before it listens to other machines."""

from pathlib import Path

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.server.access_choice import PASSWORD_VARIABLE, TOKEN_VARIABLE, AccessChoice
from rma_mamba.server.web_server import Binding

PEM = Path("cert.pem")
OPEN = Binding("10.0.0.1", 8443, certificate=PEM, key=PEM)


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (PASSWORD_VARIABLE, TOKEN_VARIABLE):
        monkeypatch.delenv(name, raising=False)


def test_this_machine_needs_no_password() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        assert AccessChoice().rules(Binding(host)).password is None


@pytest.mark.parametrize("host", ["192.168.1.1", "10.1.2.3", "fe80::1", "viewer.example.org"])
def test_other_machines_need_a_password_or_a_proxy(host: str) -> None:
    with pytest.raises(ConfigError, match="open to other machines"):
        AccessChoice().rules(Binding(host, certificate=PEM, key=PEM))
    assert AccessChoice(proxy_header="X-User").rules(Binding(host, certificate=PEM, key=PEM))


def test_other_machines_need_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "correct horse battery")
    with pytest.raises(ConfigError, match="unencrypted"):
        AccessChoice().rules(Binding("10.1.2.3"))
    rules = AccessChoice().rules(OPEN)
    assert rules.password == "correct horse battery"
    assert "horse" not in repr(rules)


def test_a_certificate_needs_its_key() -> None:
    with pytest.raises(ConfigError, match="expected both or neither"):
        Binding(certificate=PEM)


def test_a_server_on_all_addresses_needs_a_name() -> None:
    for host in ("0.0.0.0", "::"):
        with pytest.raises(ConfigError, match="its name is not known"):
            Binding(host, certificate=PEM, key=PEM)
        assert Binding(host, names=("viewer.example.org",)).names


def test_the_password_of_a_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse battery\n")
    assert AccessChoice(file).rules(OPEN).password == "correct horse battery"
    with pytest.raises(ConfigError, match="cannot be read"):
        AccessChoice(tmp_path / "none").rules(OPEN)


def test_short_secrets_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "short")
    with pytest.raises(ConfigError, match="at least 12"):
        AccessChoice().rules(OPEN)
    monkeypatch.setenv(PASSWORD_VARIABLE, "correct horse battery")
    monkeypatch.setenv(TOKEN_VARIABLE, "short")
    with pytest.raises(ConfigError, match="at least 32"):
        AccessChoice().rules(OPEN)
    monkeypatch.setenv(TOKEN_VARIABLE, "t" * 32)
    assert AccessChoice().rules(OPEN).token == "t" * 32


def test_the_header_of_a_proxy_is_compared_in_lower_case() -> None:
    rules = AccessChoice(proxy_header="X-Remote-User", proxies=("10.0.0.1",)).rules(OPEN)
    assert rules.proxy_header == "x-remote-user"
    assert rules.proxies == {"10.0.0.1"}
