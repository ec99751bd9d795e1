import pytest

from rma_mamba import errors

CODES = {"ScanError": 4, "GridError": 4, "DataError": 4}
CODES |= {"WeightsError": 5, "ConfigError": 2, "BackendError": 7}


@pytest.mark.parametrize(("name", "code"), CODES.items())
def test_each_error_has_its_exit_code_and_one_base(name: str, code: int) -> None:
    error = getattr(errors, name)
    assert issubclass(error, errors.RmaMambaError)
    assert error.exit_code == code
    assert f"{name.ljust(21)}{code}" in (errors.__doc__ or "")


def test_no_error_is_missing_from_the_table() -> None:
    found = {error.__name__ for error in errors.RmaMambaError.__subclasses__()}
    assert found == set(CODES)
    assert errors.RmaMambaError.exit_code == 1
