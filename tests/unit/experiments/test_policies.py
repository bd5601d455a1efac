"""A margin on shares that no result could exceed is refused; those in other units are the user's own."""

import tomllib

import pytest
from repository import ROOT

from pytest_llmpref.config.policy import PolicyError, load_policy
from pytest_llmpref.experiments.policies import check_margins
from pytest_llmpref.experiments.registry import behaviours

SHIPPED = sorted((ROOT / "suites").glob("*/policy.toml"))


def test_all_tables_of_the_shipped_policies_are_about_shares():
    tables = {
        name for path in SHIPPED for name, table in tomllib.loads(path.read_text()).items() if type(table) is dict
    }
    assert len(SHIPPED) == 3
    assert tables == {name for one in behaviours().values() for name in one.share_tables}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.parent.name)
def test_shipped_policies_pass(path):
    check_margins(load_policy(path))


@pytest.mark.parametrize("margin", ["1", "5", "1e9"])
def test_margins_that_always_hold_are_named_all_at_once(tmp_path, margin):
    path = tmp_path / "policy.toml"
    path.write_text(f"[negative_control]\nmargin = {margin}\n[even_handed]\nmargin = 10\n[mine]\nmargin = 50\n")
    with pytest.raises(PolicyError) as raised:
        check_margins(load_policy(path))
    first, *lines = str(raised.value).splitlines()
    assert first == f"{path}: 2 problems:"
    said = "is 10; write a number above 0 and below 1, since shares differ by no more (0.1 are ten percentage points)"
    assert lines[1] == f"  [even_handed]: margin: {said}"
