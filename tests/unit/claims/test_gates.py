"""Gates that are open, missed or off, from how their tests ended."""

import pytest

from pytest_llmpref.claims.gates import Gates


@pytest.mark.parametrize("ended", ["supported", "failed"])
def test_gates_that_are_all_off_are_not_open(ended):
    off = Gates(off={"a.py::test_a[m]": ("m", "not asked for")})
    assert off.state("m", {}).state == "not run"
    beside = Gates(off=off.off, collected={"a.py::test_b[m]": "m"}, ended={"a.py::test_b[m]": (ended, "")})
    assert beside.state("m", {}).state == {"supported": "open", "failed": "closed"}[ended]
