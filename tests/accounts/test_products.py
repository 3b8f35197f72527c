"""Inner products of rows of sparse matrices."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from harvestdetect.accounts import products
from harvestdetect.accounts.products import pair_products, row_products


@pytest.mark.parametrize("at_once", [1, 7, 1_000])
def test_products_of_pairs_are_those_of_dense_rows(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "PAIRS_AT_ONCE", at_once)
    rng = np.random.default_rng(0)
    matrix = sparse.random(30, 12, 0.4, format="csr", dtype=np.float32, random_state=rng)
    first, second = rng.integers(0, 30, (2, 50))
    dense = matrix.toarray()
    found = pair_products(matrix, first, second)
    assert found.dtype == np.float32
    assert found == pytest.approx((dense[first] * dense[second]).sum(axis=1), abs=1e-6)
    assert row_products(matrix[first], matrix[second]) == pytest.approx(found)
    assert pair_products(matrix, first[:0], second[:0]).shape == (0,)
