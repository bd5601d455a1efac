"""Strings are found wherever they stand, overlapping ones too."""

import pytest

from pytest_llmpref.searching import _one_by_one, search_for


@pytest.mark.parametrize("lasting", [True, False])
def test_every_place_of_every_string_is_found(lasting):
    texts = [b"aba", b"b", b"none"]
    found = sorted(search_for(texts, lasting=lasting)(b"xababa"))
    assert found == sorted(_one_by_one(texts, b"xababa")) == [(0, 1, 4), (0, 3, 6), (1, 2, 3), (1, 4, 5)]
