"""Calibration: the modality of a scan and the unit of its intensities, decided here and nowhere else.

`calibrated` runs once per scan, and its result travels with the scan: network input, preview, measurements and report
work on a `CalibratedVolume`, and none of them detects the modality or the unit again.

| modality: argument, else header | intensities | calibrated modality | unit | values |
|---|---|---|---|---|
| MR | any | MR | a.u. | unchanged |
| CT | Hounsfield units | CT | HU | unchanged |
| CT | Hounsfield units + 1024, whatever the padding | CT | HU | 1024 subtracted, with a warning |
| CT | others, some below -160 | CT | HU | unchanged |
| CT | others, none below -160: windowed to 0..255, for example | CT | a.u. | unchanged |
| none | Hounsfield units | CT | HU | unchanged |
| none | Hounsfield units + 1024 | CT | HU | 1024 subtracted, with a warning |
| none | others | MR | a.u. | unchanged |

Intensities are assumed to be Hounsfield units if they reach down to air (-1000) or to a padding value below it, some
voxels are darker than fat, few lie between lung and fat, and most of the others between fat and contrast agent. For
Hounsfield units + 1024, bone is required as well. A CT windowed to 0..255 is treated as MR if its header does not
specify the modality, because percentile scaling suits it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from rma_mamba.conventions import ABDOMEN_WINDOW_HU
from rma_mamba.errors import ConfigError
from rma_mamba.volume import Modality, ModalitySource, Volume

Values = npt.NDArray[Any]
IntensityUnit = Literal["HU", "a.u."]

RESCALE_INTERCEPT = -1024  # used by nearly all CT scanners: stored value 0 is -1024 HU

_AIR_THRESHOLD_HU = -900  # lung, the air around the patient and all padding values lie below
_LOWEST_AIR_HU = -1100  # noise in air goes down to about here; darker values are padding
_DARK_HU = -200  # darker than fat: air, lung, bowel gas
_AIR_SHARE = 0.005  # bowel gas and the rim of a tight crop; noise and ringing in MR never reach it
_SOFT_HU = (-150, 250)  # fat to enhanced organs
_SOFT_SHARE = 0.6  # of all that is not dark; shifted or stretched MR spreads further
_GAP_HU = (-600, -200)  # between lung and fat: in CT only in voxels that contain both
_GAP_SHARE = 0.2  # of all that is not dark; in MR the body fills every range of intensities
_BONE_SHARE = 0.001  # of all that is not dark, brighter than any enhanced organ


@dataclass(frozen=True, eq=False)
class CalibratedVolume(Volume):
    """A scan with known modality and intensity unit; returned by `calibrated`.

    Args:
        modality: "CT" or "MR".
        intensity_unit: "HU" for CT in Hounsfield units; "a.u." (arbitrary units) for MR and for windowed CT.
        modality_source: Whether the modality was requested, stated by the header, or detected from the intensities.
    """

    modality: Modality = field()
    intensity_unit: IntensityUnit = "a.u."
    modality_source: ModalitySource = "header"


def calibrated(volume: Volume, modality: str | None = None) -> CalibratedVolume:
    """Decide the modality and the intensity unit of a scan, and restore a missing rescale intercept.

    Idempotent: a calibrated scan is returned unchanged, and its intensities are not examined again, unless another
    modality is requested.

    Args:
        volume: The scan, with the modality from its header or None.
        modality: CT or MR (case-insensitive), overrides the header; None: read from the header, else detected from the
            intensities.

    Raises:
        ConfigError: The modality is neither CT nor MR.

    Example:
        >>> scan = calibrated(read_scan("scan.nii.gz"))
        >>> scan.modality, scan.intensity_unit
        ('CT', 'HU')
    """
    requested = None if modality is None else modality.upper()
    if requested not in (None, "CT", "MR"):
        raise ConfigError(f"the modality is '{modality}'; expected CT or MR. Omit it to detect it.")
    if isinstance(volume, CalibratedVolume) and requested in (None, volume.modality):
        return volume
    known = cast("Modality | None", requested) or volume.modality
    source: ModalitySource = "header" if known else "detected"
    result = replace(
        _with_unit(volume, known), modality_source="requested" if requested else source
    )
    if not volume.channels:
        return result
    channels = {name: calibrated(each, modality) for name, each in volume.channels.items()}
    return replace(result, channels=channels)


def _with_unit(volume: Volume, known: Modality | None) -> CalibratedVolume:
    if known == "MR":
        return _calibrated(volume, "MR", "a.u.")
    hounsfield = detect_modality(volume.values) == "CT"
    if hounsfield and _contains_air(volume.values):
        return _calibrated(volume, "CT", "HU")
    if lacks_rescale_intercept(volume.values):
        return _calibrated(restore_rescale_intercept(volume), "CT", "HU")
    if hounsfield:
        return _calibrated(volume, "CT", "HU")
    if known is None:
        return _calibrated(volume, "MR", "a.u.")
    return _calibrated(volume, "CT", "HU" if _extends_below_window(volume.values) else "a.u.")


def detect_modality(values: Values) -> Modality:
    """CT if the intensities are Hounsfield units, else MR; see the module docstring.

    Args:
        values: A whole scan in any axis order and real type.
    """
    return "CT" if _looks_like_hu(values, 0) else "MR"


def lacks_rescale_intercept(values: Values) -> bool:
    """Whether the values are Hounsfield units + 1024: CT as stored. Only meaningful for scans that are not in HU."""
    return _looks_like_hu(values, -RESCALE_INTERCEPT)


def restore_rescale_intercept(volume: Volume) -> CalibratedVolume:
    """Convert a CT without rescale intercept to Hounsfield units, and add a warning."""
    values = volume.values.astype(np.result_type(volume.values, np.int16))
    if values.dtype.kind == "i":  # the darkest padding must not become the brightest value
        np.maximum(values, np.iinfo(values.dtype).min - RESCALE_INTERCEPT, out=values)
    values += RESCALE_INTERCEPT
    warning = (
        f"The CT intensities seem to lack the rescale intercept: {-RESCALE_INTERCEPT} was subtracted "
        "to obtain HU."
    )
    warnings = (*volume.warnings, warning)
    return _calibrated(volume, "CT", "HU", values=values, warnings=warnings)


def _calibrated(
    volume: Volume, modality: Modality, unit: IntensityUnit, **changes: Any
) -> CalibratedVolume:
    content = {each.name: getattr(volume, each.name) for each in fields(Volume)}
    return CalibratedVolume(**{**content, "modality": modality, "intensity_unit": unit, **changes})


def _extends_below_window(values: Values) -> bool:
    """Whether air or lung is visible, as in any CT of the abdomen in HU."""
    return bool(values.size) and bool(values.min() < ABDOMEN_WINDOW_HU[0])


def _contains_air(values: Values) -> bool:
    """Whether there are Hounsfield units of air, not only padding below them.

    In a CT without rescale intercept, padding (-2000, for example) is as dark as in any other, but air is about 24.
    """
    return bool(np.any((values >= _LOWEST_AIR_HU) & (values <= _AIR_THRESHOLD_HU)))


def _looks_like_hu(values: Values, shift: int) -> bool:
    if values.dtype.kind == "b" or values.size == 0 or (values.dtype.kind == "u" and not shift):
        return False
    if values.dtype.itemsize == 1:
        return False
    dark = gap = soft = bone = bright = 0
    lowest = np.inf
    slowest = int(np.argmax(np.abs(values.strides)))
    for part in np.moveaxis(values, slowest, 0):  # part by part: no second scan in memory
        finite = part[np.isfinite(part)]
        low = int(np.count_nonzero(finite < _DARK_HU + shift))
        dark, bright = dark + low, bright + finite.size - low
        gap += low - int(np.count_nonzero(finite < _GAP_HU[0] + shift))
        above = int(np.count_nonzero(finite > _SOFT_HU[1] + shift))
        bone += above
        soft += int(np.count_nonzero(finite >= _SOFT_HU[0] + shift)) - above
        lowest = min(lowest, finite.min() if finite.size else np.inf)
    air = lowest <= _AIR_THRESHOLD_HU + shift and dark >= _AIR_SHARE * values.size
    body = soft > 0 and soft >= _SOFT_SHARE * bright and gap <= _GAP_SHARE * bright
    # values are only changed if bone is visible as well
    return bool(air and body and (not shift or bone >= _BONE_SHARE * bright))
