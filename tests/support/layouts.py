"""Small synthetic datasets in the layouts of published ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image
from pydicom import Dataset, FileMetaDataset, uid

SPACING_MM = (2.0, 2.0, 6.0)
SHAPE = (44, 40, 10)
AFFINE = np.diag([-2.0, -2.0, 6.0, 1.0])  # LPS


def scan(seed: int, shape: tuple[int, int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """An abdomen [i, j, k] as int16, and 1 where its liver is: an ellipsoid that depends on the seed."""
    random = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    middle = np.array(shape) * (0.4, 0.5, 0.5) + random.uniform(-1.5, 1.5, 3)
    radii = np.array(shape) * (0.25, 0.28, 0.33) + random.uniform(-1, 1, 3)
    liver = (((grid - middle) / radii) ** 2).sum(axis=-1) < 1
    values = random.normal(200, 15, shape) + 400 * liver
    return values.astype(np.int16), liver.astype(np.uint8)


def save(path: Path, values: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    """Write a NIfTI file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), path)
    return path


def save_pair(image: Path, label: Path, seed: int, factor: int = 1) -> None:
    """Write a scan, and its label multiplied by a factor."""
    values, liver = scan(seed)
    save(image, values)
    save(label, liver * np.uint8(factor))


def save_image(path: Path, plane: np.ndarray) -> None:
    """Write a PNG or JPEG file from an array [column, row]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(plane.T)).save(path)


def write_cirrmri(root: Path) -> Path:
    """Eight patients: T1 in a doubled folder, T2, PNG slices of T2, healthy subjects and metadata."""
    splits = {"train": ("0001", "0002", "0003", "0004", "0005", "0006"), "valid": ("0007",)}
    splits["test"] = ("0008",)
    for split, patients in splits.items():
        for patient in patients:
            for n, folder in enumerate(("Cirrhosis_T1_3D/Cirrhosis_T1_3D", "Cirrhosis_T2_3D")):
                names = [
                    root / folder / f"{split}_{kind}" / f"{patient}.nii.gz"
                    for kind in ("images", "masks")
                ]
                save_pair(names[0], names[1], 100 * n + int(patient))
        patient = patients[0]
        values, liver = scan(100 + int(patient))
        for k in range(SHAPE[2]):
            folder = root / "Cirrhosis_T2_2D" / split / patient
            save_image(folder / "images" / f"{k}.png", (values[:, :, k] // 4).astype(np.uint8))
            save_image(folder / "masks" / f"{k}.png", liver[:, :, k] * np.uint8(255))
    for n in (1, 2):
        folder = root / "Healthy_subjects" / f"T{n}_W_Healthy"
        save_pair(
            folder / f"T{n}_images" / "1.nii.gz", folder / f"T{n}_masks" / "1.nii.gz", 300 + n
        )
    (root / "Metadata").mkdir()
    rows = [
        "Patient ID,Age,Gender,Radiological Evaluation",
        *(f"{n},50,F,{n % 3 + 1}" for n in range(1, 9)),
    ]
    (root / "Metadata" / "T2.csv").write_text("\n".join(rows), "utf-8-sig")
    return root


def write_lits(root: Path) -> Path:
    """LiTS in its two batches: a test, a validation and a training case, with tumours."""
    for folder, number in (
        ("Training Batch 1", 0),
        ("Training Batch 1", 30),
        ("Training Batch 2", 130),
    ):
        values, liver = scan(number)
        liver[16:19, 18:21, 5] += liver[16:19, 18:21, 5]
        save(root / folder / f"volume-{number}.nii", values)
        save(root / folder / f"segmentation-{number}.nii", liver)
    return root


def write_msd(root: Path) -> Path:
    """MSD Task03 as unpacked from its archive, with the hidden files that macOS left in it."""
    for number in (3, 31, 99):
        folder = root / "Task03_Liver"
        name = f"liver_{number}.nii.gz"
        save_pair(folder / "imagesTr" / name, folder / "labelsTr" / name, number)
        (folder / "imagesTr" / f"._{name}").write_bytes(b"\0" * 64)
    (root / "Task03_Liver" / "dataset.json").write_text("{}")
    return root


def write_chaos(root: Path, patients: int = 2) -> Path:
    """MR and CT patients as DICOM series with PNG masks; the first of each runs from superior to inferior."""
    for number in range(1, patients + 1):
        for seed, (place, series) in enumerate(
            (("T1DUAL", "InPhase"), ("T1DUAL", "OutPhase"), ("T2SPIR", ""))
        ):
            folder = root / "Train_Sets" / "MR" / str(number) / place
            values, liver = scan(10 * number)
            values = values + np.int16(40 * seed)
            upward = number != 1
            write_series(folder / "DICOM_anon" / series, values, "MR", upward=upward)
            organs = liver * np.uint8(63)
            organs[2:5, 2:5, 4:6] = 126
            _masks(folder / "Ground", "IMG-0004", organs, upward)
        folder = root / "Train_Sets" / "CT" / str(number)
        values, liver = scan(50 + number)
        write_series(folder / "DICOM_anon", values, "CT", upward=number != 1)
        _masks(folder / "Ground", "liver_GT", liver * np.uint8(255), number != 1)
    (root / "Test_Sets" / "CT" / "3").mkdir(parents=True)
    return root


def _masks(folder: Path, name: str, labels: np.ndarray, upward: bool) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    order = labels if upward else labels[:, :, ::-1]
    for k in range(order.shape[2]):
        save_image(folder / f"{name}_{k:03}.png", order[:, :, k])


def write_series(folder: Path, values: np.ndarray, modality: str, *, upward: bool) -> None:
    """Write a DICOM series whose file names run from inferior to superior (upward), or the reverse."""
    folder.mkdir(parents=True, exist_ok=True)
    series = uid.generate_uid(entropy_srcs=[str(folder)])[:50].rstrip(".")
    order = range(values.shape[2]) if upward else range(values.shape[2])[::-1]
    for name, k in enumerate(order):
        data = Dataset()
        data.SOPClassUID = uid.MRImageStorage if modality == "MR" else uid.CTImageStorage
        data.SOPInstanceUID = f"{series}.{k + 1}"
        data.StudyInstanceUID = data.SeriesInstanceUID = series
        data.Modality, data.ImageType = modality, ["ORIGINAL", "PRIMARY", "AXIAL"]
        data.ImagePositionPatient = [0.0, 0.0, SPACING_MM[2] * k]
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.PixelSpacing, data.SliceThickness = list(SPACING_MM[:2]), SPACING_MM[2]
        data.RescaleSlope, data.RescaleIntercept = 1, 0
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
        data.Columns, data.Rows = values.shape[:2]
        data.BitsAllocated, data.BitsStored, data.HighBit = 16, 12, 11
        data.PixelRepresentation = 0
        data.PixelData = np.ascontiguousarray(values[:, :, k].T).astype("<u2").tobytes()
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        data.save_as(folder / f"IMG-0004-{name:05}.dcm", enforce_file_format=True)


def write_nnunet(root: Path) -> Path:
    """Six cases of three patients in two folds, and a labelled test case."""
    folder = root / "nnUNet_raw" / "Dataset021_Liver"
    cases = [f"p{patient}_{visit}" for patient in "ABC" for visit in (1, 2)]
    for seed, case in enumerate(cases):
        names = (
            folder / "imagesTr" / f"{case}_0000.nii.gz",
            folder / "labelsTr" / f"{case}.nii.gz",
        )
        save_pair(*names, seed)
    save_pair(folder / "imagesTs" / "pD_1_0000.nii.gz", folder / "labelsTs" / "pD_1.nii.gz", 99)
    described = {"channel_names": {"0": "T2"}, "labels": {"background": 0, "liver": 1, "tumor": 2}}
    (folder / "dataset.json").write_text(json.dumps({**described, "file_ending": ".nii.gz"}))
    folds = [
        {"train": cases[2:], "val": cases[:2]},
        {"train": cases[:2] + cases[4:], "val": cases[2:4]},
    ]
    path = root / "nnUNet_preprocessed" / folder.name / "splits_final.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(folds))
    return folder


def write_folders(root: Path, count: int = 6) -> Path:
    """Volumes in plain folders, one per patient."""
    for n in range(count):
        save_pair(root / "images" / f"case_{n}.nii.gz", root / "labels" / f"case_{n}.nii.gz", n)
    return root
