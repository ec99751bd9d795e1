import csv
import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rma_mamba import reporting
from rma_mamba.errors import ConfigError, GridError
from rma_mamba.reporting import PatientSize, quantify, write_csv, write_json
from rma_mamba.reporting.expected_volume import urata_ml, vauthey_ml
from rma_mamba.reporting.mask_border import border_voxels, cut_areas_mm2, volume_uncertainty_ml
from rma_mamba.reporting.nodularity import nodularity_ratio
from rma_mamba.surface import surface_of
from rma_mamba.volume import Geometry, Mask, Volume

OLD_NAMES = {
    "extent_front_to_back_mm": "extent_anterior_to_posterior_mm",
    "extent_foot_to_head_mm": "extent_inferior_to_superior_mm",
    "voxel_front_to_back_mm": "voxel_anterior_to_posterior_mm",
    "voxel_foot_to_head_mm": "voxel_inferior_to_superior_mm",
}


def cube(size: int = 10, shape: tuple[int, int, int] = (20, 20, 20), low: int = 5) -> Mask:
    """A cube on voxels of 2 x 3 x 5 mm."""
    labels = np.zeros(shape, np.uint8)
    labels[low : low + size, low : low + size, low : low + size] = 1
    return Mask(labels, Geometry(shape, np.diag([2.0, 3.0, 5.0, 1.0])))


def lumpy(amplitude_mm: float, spacing_mm: float = 2.0) -> Mask:
    """A ball of 50 mm with lumps of about 15 mm on it."""
    half = int(60 / spacing_mm)
    x, y, z = np.meshgrid(*[np.arange(-half, half + 1) * spacing_mm] * 3, indexing="ij")
    radius = 50 + amplitude_mm * np.sin(x / 4) * np.sin(y / 4) * np.sin(z / 4)
    labels = (x**2 + y**2 + z**2 <= radius**2).astype(np.uint8)
    return Mask(labels, Geometry(labels.shape, np.diag([spacing_mm] * 3 + [1.0])))


def test_the_volume_uncertainty_is_half_a_voxel_at_the_border() -> None:
    assert border_voxels(cube()) == 10**3 - 8**3
    expected = (10**3 - 8**3) * 0.030 / 2 / math.sqrt(3)
    assert volume_uncertainty_ml(cube()) == pytest.approx(expected)
    assert quantify(cube()).volume_uncertainty_ml == pytest.approx(expected)


def test_the_edge_of_the_scan_is_not_a_border() -> None:
    filled = np.ones((4, 5, 6), np.uint8)
    assert border_voxels(Mask(filled, Geometry(filled.shape, np.eye(4)))) == 0
    assert border_voxels(cube(size=10, low=0)) == 10**3 - 9**3


def test_the_cut_off_area_is_measured_for_each_face_of_the_scan() -> None:
    labels = np.zeros((6, 7, 8), np.uint8)
    labels[0:3, 2:4, 5:8] = 1  # i runs to the right: the left and the upper face are reached
    areas = cut_areas_mm2(Mask(labels, Geometry(labels.shape, np.diag([2.0, 3.0, 5.0, 1.0]))))
    assert areas["left"] == pytest.approx(2 * 3 * 3 * 5)
    assert areas["superior"] == pytest.approx(3 * 2 * 2 * 3)
    assert [areas[face] for face in ("right", "inferior", "anterior", "posterior")] == [0] * 4


def test_intensities_are_measured_within_the_mask_in_their_unit() -> None:
    mask = cube(size=2)
    values = np.full(mask.labels.shape, -1000, np.int16)
    values[mask.labels > 0] = [40, 50, 60, 70, 40, 50, 60, 70]
    found = quantify(mask, Volume(values, mask.geometry, "CT"))
    assert found.intensity_mean_hu == pytest.approx(55)
    assert found.intensity_sd_hu == pytest.approx(np.std([40, 50, 60, 70] * 2, ddof=1))
    assert found.intensity_mean_au is None
    for other in (Volume(values, mask.geometry, "MR"), Volume(values + 1000, mask.geometry, "CT")):
        found = quantify(mask, other)  # windowed CT is not in HU
        assert (found.intensity_mean_hu, found.intensity_sd_hu) == (None, None)
        assert found.intensity_sd_au == pytest.approx(np.std([40, 50, 60, 70] * 2, ddof=1))


def test_scan_and_mask_may_store_their_axes_differently() -> None:
    mask = cube(size=3)
    random = np.random.default_rng(0).normal(size=mask.labels.shape)
    expected = quantify(mask, Volume(random, mask.geometry, "MR"))
    affine = mask.geometry.affine[:, [2, 0, 1, 3]] * np.array([1, -1, 1, 1])
    affine[:3, 3] += mask.geometry.affine[:3, 0] * (mask.labels.shape[0] - 1)
    stored = np.ascontiguousarray(random.transpose(2, 0, 1)[:, ::-1])
    found = quantify(mask, Volume(stored, Geometry(stored.shape, affine), "MR"))
    assert found.intensity_mean_au == pytest.approx(expected.intensity_mean_au)


def test_a_scan_on_a_different_grid_is_rejected() -> None:
    mask = cube()
    moved = mask.geometry.affine.copy()
    moved[0, 3] += 1
    scan = Volume(np.zeros(mask.labels.shape), Geometry(mask.labels.shape, moved))
    with pytest.raises(GridError, match="expected the same grid"):
        quantify(mask, scan)


def test_the_standard_volumes_are_those_of_the_formulas() -> None:
    size = PatientSize(height_cm=175, weight_kg=80)
    assert size.surface_mosteller_m2 == pytest.approx(1.972, abs=1e-3)
    assert size.surface_du_bois_m2 == pytest.approx(1.956, abs=1e-3)
    assert vauthey_ml(size) == pytest.approx(1704.7, abs=0.1)
    assert urata_ml(size) == pytest.approx(1383.8, abs=0.1)
    found = quantify(cube(), patient_size=size)
    assert found.volume_to_vauthey_ratio == pytest.approx(30 / 1704.7, rel=1e-3)
    assert any("not reference limits" in warning for warning in found.warnings)
    assert vauthey_ml(PatientSize(height_cm=60, weight_kg=6)) is None


@pytest.mark.parametrize(("height_cm", "weight_kg"), [(1.75, 80), (175, 0), (175, math.nan)])
def test_an_implausible_patient_size_is_an_error(height_cm: float, weight_kg: float) -> None:
    with pytest.raises(ConfigError, match="expected"):
        PatientSize(height_cm, weight_kg)


def test_nodularity_is_high_for_a_lumpy_surface_and_low_for_a_ball() -> None:
    smooth, small, large = (nodularity_ratio(m, surface_of(m)) for m in map(lumpy, (0, 2, 4)))
    assert abs(smooth) < 0.02
    assert smooth + 0.01 < small < large


def test_nodularity_is_undefined_for_coarse_voxels() -> None:
    coarse = lumpy(0, spacing_mm=6.0)
    assert nodularity_ratio(coarse, surface_of(coarse)) is None
    found = quantify(coarse)
    assert found.nodularity_ratio is None
    assert (found.voxel_inferior_to_superior_mm, found.nodularity_coarse_mm) == (6, 10)


def test_an_empty_mask_measures_zero_and_its_means_are_undefined() -> None:
    mask = replace(cube(), labels=np.zeros((20, 20, 20), np.uint8))
    found = quantify(mask, Volume(np.ones((20, 20, 20)), mask.geometry, "MR"), PatientSize(170, 70))
    assert (found.volume_ml, found.surface_area_mm2, found.volume_uncertainty_ml) == (0, 0, 0)
    assert (found.intensity_mean_au, found.intensity_sd_au, found.nodularity_ratio) == (None,) * 3
    assert "No liver was found in the scan." in found.warnings


def test_names_include_units_and_csv_and_json_have_the_same_values(tmp_path: Path) -> None:
    found = quantify(cube(), patient_size=PatientSize(170, 70))
    units = ("_ml", "_mm", "_mm2", "_hu", "_au", "_ratio")
    assert all(name.endswith(units) for name in found.record)
    write_json(found, tmp_path / "a.json", software="rma-mamba")
    write_csv(found, tmp_path / "a.csv")
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["volume_ml"] == 30
    assert content["warnings"] == list(found.warnings)
    with (tmp_path / "a.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row.pop("warnings") == " | ".join(found.warnings)
    assert list(row) == [*found.record, *OLD_NAMES]
    assert [row[name] for name in OLD_NAMES] == [row[new] for new in OLD_NAMES.values()]
    for name, cell in row.items():
        assert content[name] == (float(cell) if cell else None)


def test_the_old_name_of_the_patient_size_warns() -> None:
    with pytest.warns(DeprecationWarning, match="use rma_mamba.reporting.PatientSize"):
        assert reporting.Body is PatientSize
