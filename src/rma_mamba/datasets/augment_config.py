"""Settings of the random augmentation of training slices."""

from __future__ import annotations

from pydantic import Field

from rma_mamba.datasets.settings import Positive, Probability, Settings


class AugmentConfig(Settings):
    """Random augmentation of training slices. All probabilities are per slice; by default nothing is changed."""

    rotation_degrees: float = Field(default=0, ge=0, le=180)
    """Largest rotation angle in either direction, in degrees. Used by `spatial` and `rotation`."""

    scale: tuple[Positive, Positive] = (1.0, 1.0)
    """Smallest and largest in-plane scale factor of `spatial`; above 1 enlarges the image."""

    shear: float = Field(default=0, ge=0, le=1)
    """Largest shear factor of `spatial`."""

    shift: float = Field(default=0, ge=0, le=1)
    """Largest translation of `spatial`, as a fraction of the crop size."""

    elastic: float = Field(default=0, ge=0, le=0.1)
    """Largest standard deviation of the smooth elastic deformation of `spatial`, as a fraction of the crop size."""

    spatial: Probability = 0
    """Probability of a combined spatial transform: rotation, scaling, shear, translation and elastic deformation in
    one interpolation."""

    rotation: Probability = 0
    """Probability of a rotation alone (0.3 in the paper)."""

    horizontal_flip: Probability = 0
    """Probability of a left-right flip (0.3 in the paper). It mirrors the patient."""

    vertical_flip: Probability = 0
    """Probability of an anterior-posterior flip (0.3 in the paper)."""

    cut_outs: Probability = 0
    """Probability of coarse dropout: up to ten black squares of at most 32 pixels (0.3 in the paper's code)."""

    tissue_contrast: Probability = 0
    """Probability that every labelled organ is given a random brightness and everything else a random intensity
    curve. The anatomy appears in a synthetic contrast, so that the network learns shape rather than intensity."""

    liver_contrast: Probability = 0
    """Probability that the liver is made much darker or brighter, as by iron, fat or contrast agent."""

    lesions: Probability = 0
    """Probability of synthetic lesions: blobs inside the liver that are darker or brighter than it."""

    inversion: Probability = 0
    """Probability of an inverted contrast: dark becomes bright and bright becomes dark."""

    histogram: Probability = 0
    """Probability of a random monotonic intensity curve."""

    gamma: Probability = 0
    """Probability of a gamma correction with an exponent between 0.6 and 1.7."""

    window: Probability = 0
    """Probability of a random change of window width and, half as often, of window level."""

    bias_field: Probability = 0
    """Probability of a smooth bias field, as caused by MR receive coils."""

    noise: Probability = 0
    """Probability of additive Gaussian noise."""

    blur: Probability = 0
    """Probability of Gaussian blur."""

    low_resolution: Probability = 0
    """Probability of simulated low resolution: the slice is downsampled and upsampled again."""

    contrast_phase: Probability = 0
    """Probability that the organs of a CT in Hounsfield units are given the contrast of another phase, and the liver
    that of a diffuse disease. Stacks only, as are the following four."""

    effusion: Probability = 0
    """Probability that the posterior part of the lungs of a CT is filled with fluid."""

    ascites: Probability = 0
    """Probability that fat around the liver in a CT is replaced by fluid."""

    metal: Probability = 0
    """Probability of stents, coils or clips inside the liver of a CT."""

    slice_jumps: Probability = 0
    """Probability that the brightness of an MR changes from slice to slice."""

    channel_dropout: Probability = 0
    """Cases with several scans (`channel_names`): probability that each is left out, so that the network learns to do
    without it. One always remains."""

    single_slice: Probability = 0
    """Probability that the adjacent slices of a 2.5-D network are replaced by copies of the slice itself."""

    neighbours_reach_mm: float = Field(default=0, ge=0, le=50)
    """Largest distance of the adjacent slices of a 2.5-D network in mm; the distance is drawn at random. 0: always
    the directly adjacent slices."""
