"""The bundled networks as judges: they see the liver of a phantom on a coarse grid."""

from rma_mamba import metrics
from rma_mamba.datasets.audit.sketch import coarse_volume
from rma_mamba.datasets.layouts.case_reader import LabelledImage
from rma_mamba.datasets.layouts.lps import to_lps
from rma_mamba.datasets.phantom import make_phantom
from rma_mamba.evaluation.label_judge import network_judge
from rma_mamba.volume import Volume


def test_the_liver_of_a_phantom_is_found_and_its_header_is_not_doubted() -> None:
    phantom = make_phantom(0, shape=(128, 128, 18), spacing_mm=(2.8, 2.8, 12.0))
    image = to_lps(phantom.volume)
    label = to_lps(Volume(phantom.mask.labels, phantom.volume.geometry))
    volume, liver = coarse_volume([LabelledImage(image, label, "LPS")], [label.values])
    assert volume.geometry.shape[2] <= 16
    judgement = network_judge(volume)
    assert judgement.liver.shape == liver.shape
    assert metrics.dice(liver, judgement.liver) > 0.7
    assert metrics.dice(liver[::-1], judgement.liver) < 0.5
    assert judgement.flipped == ()
