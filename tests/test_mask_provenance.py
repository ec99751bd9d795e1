"""A mask knows how it was made, and that distinguishes it from other masks of the same scan."""

from dataclasses import replace

import pytest

from rma_mamba.conventions import SOFTWARE_NAME, software_version
from rma_mamba.errors import ConfigError
from rma_mamba.mask_provenance import MASK_KINDS, MaskProvenance

MADE = MaskProvenance(weights_sha256="ab" * 32, settings={"size": 256})


def test_a_mask_of_this_program_states_its_version_and_those_of_others_do_not() -> None:
    assert (MADE.algorithm, MADE.version) == (SOFTWARE_NAME, software_version())
    other = MaskProvenance(algorithm="TotalSegmentator")
    assert (other.algorithm, other.version) == ("TotalSegmentator", None)
    assert MaskProvenance(algorithm=None, version="1").version is None


def test_a_mask_drawn_by_hand_has_no_algorithm() -> None:
    drawn = MaskProvenance("manual", "Roe^Jane")
    assert (drawn.algorithm, drawn.version, drawn.creator) == (None, None, "Roe^Jane")


def test_a_correction_makes_a_mask_semiautomatic_unless_it_was_drawn_by_hand() -> None:
    corrected = MADE.corrected("Jane Roe")
    assert (corrected.kind, corrected.creator) == ("semiautomatic", "Jane Roe")
    assert corrected.weights_sha256 == MADE.weights_sha256
    assert MaskProvenance("manual", "A").corrected().kind == "manual"
    assert MaskProvenance("manual", "A").corrected().creator is None


def test_only_weights_and_settings_make_a_mask_reproducible() -> None:
    assert MADE.is_reproducible
    assert not MADE.corrected().is_reproducible
    assert not replace(MADE, weights_sha256=None).is_reproducible
    assert not replace(MADE, settings={}).is_reproducible


def test_the_identity_depends_on_everything_that_is_stated_and_on_nothing_else() -> None:
    others = [
        replace(MADE, kind="semiautomatic"),
        replace(MADE, creator="A"),
        replace(MADE, algorithm="other"),
        replace(MADE, version="9"),
        replace(MADE, weights_sha256="cd" * 32),
        replace(MADE, settings={"size": 128}),
    ]
    assert len({each.identity for each in (MADE, *others)}) == 7
    two = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    first, second = (replace(MADE, settings=settings).identity for settings in two)
    assert first == second


@pytest.mark.parametrize("name", ["Jane\\Roe", "Roe=Jane", "Roe\x00", "R" * 65])
def test_a_name_that_dicom_cannot_hold_is_an_error_that_does_not_repeat_it(name: str) -> None:
    with pytest.raises(ConfigError, match="creator") as caught:
        MaskProvenance("manual", name)
    assert name not in str(caught.value)


def test_blank_names_are_none_and_line_breaks_are_spaces() -> None:
    assert MaskProvenance("manual", " \n").creator is None
    assert MaskProvenance("manual", " Jane\n Roe ").creator == "Jane Roe"


def test_an_unknown_kind_is_an_error_that_lists_the_kinds() -> None:
    with pytest.raises(ConfigError, match=", ".join(MASK_KINDS)):
        MaskProvenance("drawn")  # type: ignore[arg-type]
