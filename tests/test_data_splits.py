"""The validation slice: a stratified partition, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdprune.data.canonical import stratified_split
from kdprune.errors import KdpruneError


@given(
    counts=st.lists(st.integers(2, 40), min_size=1, max_size=6),
    fraction=st.floats(0.01, 0.5),
    seed=st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_a_split_is_a_stratified_partition(counts, fraction, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    train, validation = stratified_split(labels, fraction, seed)
    assert sorted([*train, *validation]) == list(range(len(labels)))
    assert (np.diff(train) > 0).all()
    assert (np.diff(validation) > 0).all()
    for label, count in enumerate(counts):
        assert (labels[validation] == label).sum() == max(1, round(count * fraction))
    again = stratified_split(labels, fraction, seed)
    np.testing.assert_array_equal(again[1], validation)


def test_another_seed_is_another_split():
    labels = np.repeat(np.arange(10), 100)
    first, second = (stratified_split(labels, 0.1, seed)[1] for seed in (0, 1))
    assert not np.array_equal(first, second)


def test_a_class_without_training_images_is_refused():
    with pytest.raises(KdpruneError, match="class 1 has 1 images only"):
        stratified_split(np.array([0, 0, 0, 1]), 0.1, 0)
