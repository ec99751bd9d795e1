from rma_mamba import errors


def test_every_error_is_in_the_docstring_and_has_one_base() -> None:
    found = errors.RmaMambaError.__subclasses__()
    assert {error.__name__ for error in found} >= {"ScanError", "ConfigError", "WeightsError"}
    for error in found:
        assert f"── {error.__name__} " in (errors.__doc__ or "")
        assert error.__bases__ == (errors.RmaMambaError,)
