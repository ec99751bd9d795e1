import subprocess
import sys
from importlib.metadata import version

import pytest

import rma_mamba


def test_all_is_the_namespace() -> None:
    assert rma_mamba.__all__ == sorted(rma_mamba.__all__)
    assert set(rma_mamba.__all__) == {*rma_mamba._MODULES, "__version__", "metrics"}
    assert dir(rma_mamba) == rma_mamba.__all__


def test_a_star_import_brings_the_public_names_and_no_others() -> None:
    namespace: dict[str, object] = {}
    exec("from rma_mamba import *", namespace)
    assert sorted(set(namespace) - {"__builtins__"}) == rma_mamba.__all__


@pytest.mark.parametrize("name", rma_mamba.__all__)
def test_every_public_name_can_be_used(name: str) -> None:
    value = getattr(rma_mamba, name)
    assert name == "__version__" or value.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        rma_mamba.no_such_name  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_that_of_the_distribution() -> None:
    assert rma_mamba.__version__ == version("rma-mamba")


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import rma_mamba", ["torch", "numpy"]),
        ("from rma_mamba import Volume, read_scan, write_mask, SliceRecipe, measure", ["torch"]),
    ],
)
def test_reading_and_measuring_load_no_torch(statement: str, absent: list[str]) -> None:
    script = f"import sys\n{statement}\nprint([name for name in {absent!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
