"""The configuration of the node: closed unless it is opened, and errors that name the setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from rma_mamba.errors import ConfigError
from rma_mamba.server.node.config import DeliveryConfig, load_config

CALLER = '[[callers]]\nae_title = "CT1"\n'
DESTINATION = '[[destinations]]\nae_title = "PACS"\nhost = "10.0.0.1"\n'


@pytest.fixture
def written(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "node.toml"
        path.write_text(text)
        return path

    return write


def test_the_bundled_configuration_listens_on_this_machine_only() -> None:
    config = load_config("orthanc")
    assert config.listener.is_local
    assert config.metrics.host == "127.0.0.1"
    assert [each.ae_title for each in config.callers] == ["ORTHANC"]
    assert config.listener.folder == Path.cwd() / "rma-mamba-node"


def test_paths_are_relative_to_the_configuration(written, tmp_path: Path) -> None:
    for name in ("node.crt", "node.key", "ca.crt", "password"):
        (tmp_path / name).touch()
    path = written(
        f"""{CALLER}
        [listener]
        folder = "queue"
        tls = {{ certificate = "node.crt", key = "node.key" }}
        [[destinations]]
        url = "https://pacs.example/dicom-web"
        user = "node"
        password_file = "password"
        tls = {{ authorities = "ca.crt" }}"""
    )
    config = load_config(path)
    assert config.listener.folder == tmp_path / "queue"
    assert config.listener.tls is not None
    assert config.listener.tls.key == tmp_path / "node.key"
    [destination] = config.destinations
    assert destination.password_file == tmp_path / "password"
    assert destination.tls is not None
    assert destination.tls.authorities == tmp_path / "ca.crt"
    assert destination.label == "pacs.example"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (DESTINATION, "has no 'callers'"),
        (CALLER, "has no 'destinations'"),
        ("callers = []\n" + DESTINATION, "'callers' of the configuration"),
        (CALLER + DESTINATION + "prot = 104", "unknown setting 'destinations.0.prot'"),
        (CALLER + DESTINATION + 'url = "http://a/b"', "either 'url', or 'ae_title'"),
        (CALLER + '[[destinations]]\nae_title = "PACS"', "both 'ae_title' and 'host'"),
        (CALLER + '[[destinations]]\nurl = "http://me:pw@a/b"', "'destinations.0.url'"),
        (CALLER + '[[destinations]]\nurl = "http://a/b"\nuser = "me"', "'password_file'"),
        (CALLER + DESTINATION + DESTINATION, "two destinations are called 'PACS'"),
        ('[[callers]]\nae_title = "LONGER THAN 16 CHARACTERS"\n' + DESTINATION, "ae_title"),
        ('[[callers]]\nae_title = "  "\n' + DESTINATION, "ae_title"),
        (CALLER + DESTINATION + "[listener]\ntls = {}", "has no 'certificate'"),
        (CALLER + DESTINATION + "[listener]\nport = 0", "'listener.port'"),
        (CALLER + DESTINATION + '[[rules]]\ndescription = "("', "not a regular expression"),
        (
            CALLER + DESTINATION + 'tls = { authorities = "missing.crt" }',
            "'authorities' of the configuration is not a readable file",
        ),
        ("[listener", "not valid TOML"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(written, text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(written(text))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_an_error_that_lists_the_bundled_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="orthanc"):
        load_config(tmp_path / "missing.toml")


def test_pauses_double_up_to_a_limit() -> None:
    delivery = DeliveryConfig(first_retry_seconds=5, max_retry_seconds=60)
    assert [delivery.pause_s(tries) for tries in (1, 2, 3, 4, 5, 1000)] == [5, 10, 20, 40, 60, 60]


def test_a_caller_may_be_tied_to_an_address(written) -> None:
    path = written('[[callers]]\nae_title = "CT1"\nhost = "10.0.0.7"\n' + DESTINATION)
    [caller] = load_config(path).callers
    assert caller.allows("CT1", "10.0.0.7")
    assert not caller.allows("CT1", "10.0.0.8")
    assert not caller.allows("CT2", "10.0.0.7")
