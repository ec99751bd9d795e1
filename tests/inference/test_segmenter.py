"""From a scan to its mask: the same for any axis order, batch size and type of input."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, Dataset

import rma_mamba
import rma_mamba.inference.tta as tta_module
from forks import in_a_fork
from orders import ORDERS, back, reordered
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.errors import BackendError, ConfigError, ScanError, WeightsError
from rma_mamba.inference import Segmenter
from rma_mamba.inference.device import choose_device
from rma_mamba.models import create_model
from rma_mamba.models.weights import encode_checkpoint
from rma_mamba.ops.backends import choose_backend
from rma_mamba.scans import write_mask
from rma_mamba.slicing import SlicePlan, SliceRecipe, to_mask, to_slices
from rma_mamba.volume import Geometry, Volume
from tiny import RECIPE, SETTINGS, shift, tiny_network, tiny_weights

AFFINE = np.array([[2.1, 0.3, 0, -20], [-0.3, 2.3, 0.2, 5], [0, -0.2, 6, 1], [0, 0, 0, 1.0]])


def scan(shape: tuple[int, int, int] = (26, 22, 7), modality: str | None = "MR") -> Volume:
    values = np.random.default_rng(3).integers(0, 900, shape).astype(np.int16)
    return Volume(values, Geometry(shape, AFFINE), modality)


def network(above: float = 0) -> nn.Module:
    """A network that finds liver in half of the scan or less."""
    model, recipe = tiny_network(), SliceRecipe(**RECIPE)
    logits = Segmenter(model, recipe).logits(to_slices(scan(), recipe))
    half = float(np.median(SlicePlan(scan().geometry, recipe).from_canvas(logits[:, 0])))
    shift(model, -half - above)
    return model


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter(network(), SliceRecipe(**RECIPE))


@given(order=st.sampled_from(ORDERS))
@settings(max_examples=48)
def test_a_scan_in_any_axis_order_gives_the_same_mask_in_world_space(
    segmenter: Segmenter, order: tuple[tuple[int, ...], tuple[int, ...]]
) -> None:
    volume = scan()
    expected = segmenter(volume).mask
    assert 0 < expected.labels.sum() < expected.labels.size
    other_order = reordered(volume, order)
    mask = segmenter(other_order).mask
    assert np.array_equal(back(mask.labels, order), expected.labels)
    assert np.array_equal(mask.geometry.affine, other_order.geometry.affine)


@pytest.mark.parametrize("batch_size", [1, 3, 50])
def test_batches_give_the_same_mask_as_all_slices_at_once(batch_size: int) -> None:
    recipe = SliceRecipe(**RECIPE)
    segmenter = Segmenter(
        network(), recipe, batch_size=batch_size, island_share=0, precision="float32"
    )
    volume = scan()
    whole = to_mask(segmenter.logits(to_slices(volume, recipe)), recipe, volume)
    found = segmenter(volume).mask
    assert np.count_nonzero(found.labels != whole.labels) <= 2  # sums in another order


def test_an_error_in_the_middle_of_a_scan_reaches_the_caller(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    segmenter = Segmenter(network(), SliceRecipe(**RECIPE), batch_size=1)

    def fail(self: SlicePlan, logits: np.ndarray) -> np.ndarray:
        raise MemoryError("no memory for the third slice")

    monkeypatch.setattr(SlicePlan, "to_probabilities", fail)
    with pytest.raises(MemoryError, match="third slice"):
        segmenter(scan())


def test_bfloat16_changes_few_voxels_of_the_embedded_networks_mask() -> None:
    volume = make_phantom(
        0, contrast="mr_t2", shape=(96, 80, 6), spacing_mm=(4.0, 4.0, 30.0)
    ).volume
    found = {}
    for precision in ("float32", "bfloat16"):
        segmenter = Segmenter.load(precision=precision, device="cpu")  # type: ignore[arg-type]
        found[precision] = segmenter(volume).mask.labels
    differ = np.count_nonzero(found["float32"] != found["bfloat16"])
    assert np.count_nonzero(found["float32"]) > 100
    assert differ < 0.02 * np.count_nonzero(found["float32"])


def test_probabilities_lie_on_the_scans_grid_and_agree_with_the_mask() -> None:
    segmenter = Segmenter(network(), SliceRecipe(**RECIPE), island_share=0)
    result = segmenter(scan(), keep_probabilities=True)
    assert result.probabilities is not None
    assert np.array_equal(result.probabilities > 0.5, result.mask.labels > 0)
    assert segmenter(scan()).probabilities is None


def test_a_changed_recipe_gives_a_new_segmenter_and_keeps_the_old_one() -> None:
    recipe = SliceRecipe(**RECIPE)
    original = Segmenter(network(), recipe)
    changed = original.with_recipe(neighbours=False)
    assert original.recipe == recipe
    assert changed.recipe == recipe.model_copy(update={"neighbours": False})
    assert changed.recipe != original.recipe
    assert changed.model is original.model
    assert (changed.device, changed.dtype) == (original.device, original.dtype)
    for wrong in ({"neighbors": True}, {"threshold": 2.0}, {"ct_window_hu": (200, 100)}):
        with pytest.raises(ConfigError, match="slice recipe"):
            original.with_recipe(**wrong)
    assert original.recipe == recipe


def test_a_recipe_is_changed_by_its_old_field_name_with_a_warning() -> None:
    original = Segmenter(network(), SliceRecipe(**RECIPE))
    with pytest.warns(DeprecationWarning, match="tta_scales"):
        changed = original.with_recipe(magnifications=(1.0, 1.25))
    assert changed.recipe.tta_scales == (1.0, 1.25)


def test_tta_scales_are_averaged_and_fast_uses_the_first_one() -> None:
    def found(scales: tuple[float, ...], fast: bool = False) -> np.ndarray:
        recipe = SliceRecipe(**RECIPE, tta_scales=scales)
        result = Segmenter(network(), recipe, fast=fast)(scan(), keep_probabilities=True)
        assert result.probabilities is not None
        return result.probabilities

    one, other = found((1.0,)), found((1.25,))
    assert np.abs(one - other).max() > 1e-3
    np.testing.assert_allclose(found((1.0, 1.25)), (one + other) / 2, atol=1e-6)
    np.testing.assert_array_equal(found((1.25, 1.0), fast=True), other)


def test_slices_without_a_trace_of_liver_are_segmented_at_one_scale_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recipe = SliceRecipe(**RECIPE, tta_scales=(1.0, 1.25))
    segmenter = Segmenter(network(), recipe, batch_size=3)

    def found(possible: float) -> np.ndarray:
        monkeypatch.setattr(tta_module, "POSSIBLE_LOGIT", possible)
        result = segmenter(scan(), keep_probabilities=True)
        assert result.probabilities is not None
        return result.probabilities

    fast = Segmenter(network(), recipe, fast=True)(scan(), keep_probabilities=True).probabilities
    everywhere, nowhere = found(-np.inf), found(np.inf)
    np.testing.assert_allclose(nowhere, fast, atol=1e-4)
    highest = nowhere.max(axis=(0, 1))  # of each slice; on the canvas it is slightly higher
    between = float(np.median(highest))
    some = found(float(np.log(between / (1 - between))))
    as_everywhere = np.isclose(some, everywhere, atol=1e-4).all(axis=(0, 1))
    as_nowhere = np.isclose(some, nowhere, atol=1e-4).all(axis=(0, 1))
    assert (as_everywhere | as_nowhere).all()
    assert as_everywhere.any()
    assert as_nowhere.any()
    assert as_everywhere[highest > between].all()


def test_the_old_name_of_tta_logits_gives_the_same_logits(segmenter: Segmenter) -> None:
    images = [np.zeros((2, 3, 32, 32), np.float32)]
    with pytest.warns(DeprecationWarning, match=r"use Segmenter\.tta_logits"):
        old = segmenter.looks(images)
    assert np.array_equal(old.maps[-1], segmenter.tta_logits(images).maps[-1])


def test_progress_ends_with_all_slices() -> None:
    segmenter = Segmenter(network(), SliceRecipe(**RECIPE), batch_size=3)
    seen: list[tuple[int, int]] = []
    segmenter(scan(), progress=lambda *step: seen.append(step))
    assert seen == [(3, 7), (6, 7), (7, 7)]


def test_the_modality_comes_from_the_argument_the_header_or_the_intensities(
    segmenter: Segmenter,
) -> None:
    assert segmenter(scan(modality="CT")).modality == "CT"
    assert segmenter(scan(modality=None)).modality == "MR"
    assert segmenter(scan(), modality="CT").modality == "CT"


def test_the_modality_is_case_insensitive_and_others_are_an_error(segmenter: Segmenter) -> None:
    assert segmenter(scan(), modality="ct").modality == "CT"
    with pytest.raises(ConfigError, match="the modality is 'PET'; expected CT or MR"):
        segmenter(scan(), modality="PET")


def test_a_missing_rescale_intercept_is_restored_with_a_warning(segmenter: Segmenter) -> None:
    values = np.full((26, 22, 7), -1000, np.int16)
    values[4:22, 4:18] = np.random.default_rng(0).integers(-120, 300, (18, 14, 7))
    geometry = Geometry(values.shape, AFFINE)
    expected = segmenter(Volume(values, geometry, "CT")).mask.labels
    for modality in (None, "CT"):
        result = segmenter(Volume((values + 1024).astype(np.uint16), geometry, modality))
        assert result.modality == result.scan.modality == "CT"
        assert result.scan.intensity_unit == "HU"
        assert np.array_equal(result.scan.values, values)
        assert np.array_equal(result.mask.labels, expected)
        assert any("1024 was subtracted" in line for line in result.warnings)
    assert segmenter(Volume(values + 1024, geometry, "MR")).modality == "MR"


def test_a_nibabel_images_header_reaches_its_mask(segmenter: Segmenter, tmp_path: Path) -> None:
    image = nib.Nifti1Image(scan().values, AFFINE)
    image.set_sform(AFFINE, 4)
    image.set_qform(AFFINE, 3)
    write_mask(segmenter(image).mask, tmp_path / "mask.nii.gz")
    header = nib.load(tmp_path / "mask.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (4, 3)


def test_a_scan_in_memory_is_checked_like_a_file(segmenter: Segmenter, tmp_path: Path) -> None:
    values = scan().values.astype(np.float32)
    values[0, 0, :2] = np.nan, np.inf
    result = segmenter((values, AFFINE))
    assert result.warnings[0].startswith("2 voxels were not finite")
    assert np.isnan(values[0, 0, 0])  # the caller's array is not modified
    assert segmenter((values[..., None], AFFINE)).mask.labels.shape == values.shape
    assert segmenter((values > 400, AFFINE)).modality == "MR"
    with pytest.raises(ScanError, match="no voxel of the scan is a finite number"):
        segmenter((np.full_like(values, np.nan), AFFINE))
    path = tmp_path / "Doe.nii.gz"
    nib.save(nib.Nifti1Image(scan().values, AFFINE), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ScanError, match="truncated") as caught:
        segmenter(nib.load(path))
    assert "Doe" not in str(caught.value)


def test_the_measurements_come_with_the_mask(segmenter: Segmenter) -> None:
    result = segmenter(scan())
    assert result.measurements.volume_ml == result.volume_ml > 0


def test_warnings_of_the_reader_and_of_the_mask_are_passed_on(segmenter: Segmenter) -> None:
    volume = scan()
    warned = Volume(volume.values, volume.geometry, "MR", warnings=("Something was repaired.",))
    assert segmenter(warned).warnings[0] == "Something was repaired."
    empty = Segmenter(network(above=1e4), SliceRecipe(**RECIPE))
    assert empty(volume).warnings == ("No liver was found in the scan.",)
    assert empty(volume).volume_ml == 0


class ItkLike:
    """The part of a SimpleITK image that is used."""

    def __init__(self, values: np.ndarray, affine: np.ndarray) -> None:
        self.values, self.affine = values, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine

    def GetDimension(self) -> int:  # noqa: N802
        return self.values.ndim

    def GetSpacing(self) -> tuple[float, ...]:  # noqa: N802
        return tuple(np.linalg.norm(self.affine[:3, :3], axis=0))

    def GetDirection(self) -> tuple[float, ...]:  # noqa: N802
        return tuple((self.affine[:3, :3] / self.GetSpacing()).ravel())

    def GetOrigin(self) -> tuple[float, ...]:  # noqa: N802
        return tuple(self.affine[:3, 3])


def GetArrayViewFromImage(image: ItkLike) -> np.ndarray:  # noqa: N802
    """As SimpleITK's: axes z, y, x."""
    return image.values.transpose()


def test_every_type_of_input_gives_the_same_mask(
    segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, ItkLike.__module__.partition(".")[0], sys.modules[__name__])
    volume = scan()
    image = nib.Nifti1Image(volume.values, AFFINE)
    nib.save(image, tmp_path / "scan.nii.gz")
    expected = segmenter(volume, modality="MR").mask.labels
    forms = [
        tmp_path / "scan.nii.gz",
        str(tmp_path / "scan.nii.gz"),
        image,
        ItkLike(volume.values, AFFINE),
        (volume.values, AFFINE),
    ]
    for form in forms:
        found = segmenter(form, modality="MR").mask
        assert np.array_equal(found.labels, expected)
        np.testing.assert_allclose(found.geometry.affine, AFFINE, atol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [
        42,
        np.zeros((3, 3, 3)),
        (np.zeros((3, 3)), np.eye(4)),
        (np.zeros((3, 3, 3), complex), np.eye(4)),
        (np.zeros((3, 3, 3, 2)), np.eye(4)),
        (np.zeros((3, 3, 3)), "text"),
        (np.zeros((3, 3, 3)), [[1, 2], [3]]),
        ["one", "two"],
    ],
)
def test_unsupported_inputs_raise_a_one_line_error(segmenter: Segmenter, wrong: object) -> None:
    with pytest.raises(ScanError, match="expected") as caught:
        segmenter(wrong)
    assert "\n" not in str(caught.value)


def test_a_weights_file_restores_the_trained_segmenter(
    segmenter: Segmenter, tmp_path: Path
) -> None:
    loaded = Segmenter.load(tiny_weights(tmp_path / "tiny.safetensors"), device="cpu")
    assert loaded.recipe == segmenter.recipe
    images = to_slices(scan(), loaded.recipe)
    expected = Segmenter(tiny_network(), loaded.recipe).logits(images)
    np.testing.assert_array_equal(loaded.logits(images), expected)


def test_the_embedded_network_loads_and_segments() -> None:
    segmenter = Segmenter.load()
    assert rma_mamba.segment(scan()).mask.labels.shape == scan().values.shape
    assert sum(each.numel() for each in segmenter.model.parameters()) <= 5_000_000


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("rma-mamba-t", "without bundled weights"),
        ("nowhere.safetensors", "weights file nowhere.safetensors does not exist"),
        ("defualt", "weights file defualt does not exist"),
    ],
)
def test_missing_weights_raise_a_one_line_error(model: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        Segmenter.load(model)


@pytest.mark.parametrize(
    "changes", [{"model": "rma-mamba-x"}, {"settings": {"width": 16}}, {"recipe": {"size": 33}}]
)
def test_weights_of_another_version_are_an_error(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    described = {"model": "rma-mamba-n", "settings": SETTINGS, "recipe": RECIPE, **changes}
    state = create_model("rma-mamba-n", **SETTINGS).state_dict()
    (tmp_path / "odd.safetensors").write_bytes(encode_checkpoint(state, **described))
    with pytest.raises(WeightsError, match="do not fit the network of this version"):
        Segmenter.load(tmp_path / "odd.safetensors")


def test_an_apple_gpu_is_a_device_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BackendError, match="'mps' cannot be used; expected one of auto, cpu"):
        choose_device("mps")
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    assert choose_device("mps").type == "mps"
    assert choose_device("auto").type in ("cpu", "cuda")  # its scans have no fast backend
    assert choose_backend(None, "mps", "float32").name == "reference"
    with pytest.raises(BackendError, match=r"auto, cpu, .*mps"):
        choose_device("tpu")


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "gpu", "gpu:3", ""])
def test_a_missing_device_raises_a_one_line_error(device: str) -> None:
    with pytest.raises(BackendError, match="expected one of auto, cpu"):
        Segmenter.load(device=device)


def test_weights_with_old_recipe_keys_load_without_a_warning(tmp_path: Path) -> None:
    """As every weights file of 0.1 has them, the embedded one included."""
    recipe = {**RECIPE, "magnifications": [1.25, 1.0]}
    state = tiny_network().state_dict()
    content = encode_checkpoint(state, model="rma-mamba-n", settings=SETTINGS, recipe=recipe)
    (tmp_path / "old.safetensors").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded = Segmenter.load(tmp_path / "old.safetensors", device="cpu")
        embedded = Segmenter.load(device="cpu")
    assert loaded.recipe.tta_scales == (1.25, 1.0)
    assert len(embedded.recipe.tta_scales) == 3


def test_preview_and_measurements_get_the_scan_that_was_segmented(segmenter: Segmenter) -> None:
    result = segmenter(scan(modality=None))
    assert result.scan.modality == result.modality == "MR"
    assert result.scan.geometry.matches(result.mask.geometry, 0)


def test_a_forked_child_gives_the_mask_of_its_parent(segmenter: Segmenter, tmp_path: Path) -> None:
    weights, volume = tiny_weights(tmp_path / "tiny.safetensors"), scan()
    expected = segmenter(volume).mask.labels
    assert np.array_equal(in_a_fork(lambda: segmenter(volume).mask.labels), expected)
    assert in_a_fork(lambda: Segmenter.load(weights)(volume).volume_ml) == (
        Segmenter.load(weights)(volume).volume_ml
    )


def test_a_worker_of_a_data_loader_may_segment(segmenter: Segmenter) -> None:
    volume = scan()
    expected = segmenter(volume).volume_ml

    class Volumes(Dataset[float]):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, number: int) -> float:
            return segmenter(volume).volume_ml

    loader = DataLoader(Volumes(), num_workers=2, timeout=120, multiprocessing_context="fork")
    assert [float(each) for each in loader] == pytest.approx([expected] * 3)


def test_a_child_works_while_other_threads_of_its_parent_segment(segmenter: Segmenter) -> None:
    volume = scan()
    expected = segmenter(volume).mask.labels
    stop = threading.Event()

    def segment_again() -> None:
        while not stop.is_set():
            segmenter(volume)

    others = [threading.Thread(target=segment_again) for _ in range(2)]
    for other in others:
        other.start()
    try:
        for _ in range(4):
            assert np.array_equal(in_a_fork(lambda: segmenter(volume).mask.labels), expected)
    finally:
        stop.set()
        for other in others:
            other.join()


def test_threads_may_share_a_segmenter(segmenter: Segmenter) -> None:
    volumes = [scan(), scan((9, 31, 5)), scan((30, 12, 11))]
    expected = [segmenter(volume).mask.labels for volume in volumes]
    with ThreadPoolExecutor(3) as threads:
        found = [*threads.map(segmenter, volumes * 4)]
    for number, each in enumerate(found):
        assert np.array_equal(each.mask.labels, expected[number % 3])


@pytest.mark.parametrize("order", ORDERS[::11])
def test_squares_are_the_raw_threshold_of_each_slice(segmenter: Segmenter, order) -> None:
    volume = reordered(scan(), order)
    result = segmenter(volume, keep_probabilities=True, square_side=48)
    assert result.squares is not None
    plan = SlicePlan(volume.geometry, segmenter.recipe)
    logits = segmenter.logits(to_slices(volume, segmenter.recipe))
    expected = plan.to_squares(logits, 48) > segmenter.recipe.threshold
    assert expected.any()
    assert (result.squares != expected).mean() < 1e-3  # batches round differently
    assert segmenter(volume).squares is None


def test_without_post_processing_the_mask_is_the_raw_threshold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def remove(labels: np.ndarray, *_: object) -> None:
        labels[:13] = 0

    monkeypatch.setattr("rma_mamba.inference.segmenter.remove_islands", remove)
    model, recipe = network(), SliceRecipe(**RECIPE)
    every = Segmenter(model, recipe, postprocessing="none")(scan(), keep_probabilities=True)
    assert every.probabilities is not None
    assert np.array_equal(every.mask.labels > 0, every.probabilities > recipe.threshold)
    kept = Segmenter(model, recipe)(scan(), square_side=32)
    assert kept.squares is not None
    assert not kept.mask.labels[:13].any()
    assert every.mask.labels[:13].any()


def test_a_mask_states_the_weights_and_settings_that_made_it(tmp_path: Path) -> None:
    segmenter = Segmenter.load(tiny_weights(tmp_path / "tiny.safetensors"), device="cpu")
    made = segmenter(scan()).mask.provenance
    assert made == segmenter(scan()).mask.provenance
    assert (made.kind, made.weights_sha256) == ("automatic", segmenter.weights_sha256)
    assert made.is_reproducible
    changed = [
        segmenter.with_recipe(neighbours=False)(scan()),
        Segmenter.load(tmp_path / "tiny.safetensors", device="cpu", postprocessing="none")(scan()),
        segmenter(scan(), modality="CT"),
    ]
    assert len({made.identity, *(each.mask.provenance.identity for each in changed)}) == 4
