"""Samplers give complete steps, the same slices on any number of devices, and a new order in each epoch."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from rma_mamba.training.sampling import EpochSampler, ValidationBatchSampler, derived_seed


def draws(weights: list[float], count: int | None, step: int, devices: int, epoch: int = 0):
    """What each device draws."""
    everyone = []
    for rank in range(devices):
        sampler = EpochSampler(weights, count, seed=1, step=step, rank=rank, devices=devices)
        sampler.set_epoch(epoch)
        everyone.append(list(sampler))
        assert len(everyone[-1]) == len(sampler)
    return everyone


@given(
    slices=st.integers(1, 40),
    count=st.none() | st.integers(1, 40),
    batch=st.integers(1, 4),
    devices=st.integers(1, 4),
)
def test_several_devices_draw_the_slices_of_one(
    slices: int, count: int | None, batch: int, devices: int
) -> None:
    step, whole = batch * devices, count or slices
    everyone = draws([1.0] * slices, count, step, devices)
    assert len({len(each) for each in everyone}) == 1
    together = [each for turn in zip(*everyone, strict=True) for each in turn]
    (alone,) = draws([1.0] * slices, count, step, 1)
    assert together[: len(alone)] == alone
    if whole >= step:
        assert len(together) == len(alone) == whole // step * step
    else:
        assert whole <= len(together) < whole + devices
    if count is None:
        assert len({draw.position for draw in together}) == min(len(together), slices)


def test_an_epoch_depends_only_on_its_number() -> None:
    first, again, second = (draws([1.0] * 9, None, 3, 1, epoch)[0] for epoch in (0, 0, 1))
    assert first == again
    assert [each.position for each in first] != [each.position for each in second]
    assert {each.entropy for each in first}.isdisjoint(each.entropy for each in second)


def test_slices_with_higher_weight_are_drawn_more_often() -> None:
    (found,) = draws([1.0, 0.0, 3.0], 4000, 10, 1)
    places = [each.position for each in found]
    assert places.count(1) == 0
    assert 2.6 < places.count(2) / places.count(0) < 3.5


@given(count=st.integers(1, 50), batch=st.integers(1, 7), devices=st.integers(1, 5))
def test_each_validation_batch_is_counted_once(count: int, batch: int, devices: int) -> None:
    (alone,) = [list(ValidationBatchSampler(count, batch))]
    assert list(itertools.chain(*alone)) == list(range(count))
    samplers = [
        ValidationBatchSampler(count, batch, rank=rank, devices=devices) for rank in range(devices)
    ]
    everyone = [list(each) for each in samplers]
    assert {len(each) for each in everyone} == {len(samplers[0])}
    together = [each for turn in zip(*everyone, strict=True) for each in turn]
    assert together[: len(alone)] == alone
    assert set(map(tuple, together[len(alone) :])) <= {tuple(alone[-1])}


def test_derived_seeds_depend_on_every_number() -> None:
    assert derived_seed(1, 2, 3) == derived_seed(1, 2, 3)
    assert (
        len(
            {
                derived_seed(1, 2, 3),
                derived_seed(1, 2, 4),
                derived_seed(2, 1, 3),
                derived_seed(1, 2),
            }
        )
        == 4
    )
    assert 0 <= derived_seed(0) < 2**63
