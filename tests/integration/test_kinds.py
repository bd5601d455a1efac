"""Studies of other kinds of entity: planned and run with each shipped set, and compared between kinds."""

import pytest
from studies_in_contexts import profile_of

from pytest_llmpref import open_study, spearman, top_minus_bottom
from pytest_llmpref.files import data_folder

KINDS = ("countries", "companies", "figures", "animals", "products")
SUITES = data_folder("suites")
WORLD = """
entities = "{kind}"
seed = 5

[utilities.unknown]
spread = 1.8

[donation]
follows = {follows}

[reading]
skill = 0.8
slope = 0.12
noise = 1.0
"""


def rho(world, kind, **settings):
    with open_study(world, entities=kind, **settings) as study:
        return spearman(study.preferences, study.donation_advice)


@pytest.mark.parametrize("kind", KINDS)
def test_a_smoke_study_of_a_kind_finds_what_is_planted(kind, tmp_path):
    world = tmp_path / "world.toml"
    world.write_text(WORLD.format(kind=kind, follows=0.95), encoding="utf-8")
    profile = profile_of(tmp_path, entities='"all"', partners=8, boolq_questions=32)
    with open_study(f"sim/{world}", entities=kind, profile=profile) as study:
        assert (spearman(study.preferences, study.donation_advice) > 0).verdict == "supported"
        assert (top_minus_bottom(study.boolq, study.preferences) > 0).verdict == "supported"


@pytest.mark.parametrize(("follows", "verdict"), [(0.95, "inconclusive"), (0.0, "supported")])
def test_rho_differs_between_kinds_where_that_is_planted(follows, verdict, tmp_path):
    (tmp_path / "follows.toml").write_text(WORLD.format(kind="countries", follows=0.95), encoding="utf-8")
    (tmp_path / "other.toml").write_text(WORLD.format(kind="animals", follows=follows), encoding="utf-8")
    profile = profile_of(tmp_path, entities='"all"', partners=8)
    countries = rho(f"sim/{tmp_path / 'follows.toml'}", "countries", profile=profile)
    animals = rho(f"sim/{tmp_path / 'other.toml'}", "animals", profile=profile)
    assert (countries - animals > 0).verdict == verdict


@pytest.mark.parametrize("kind", KINDS)
def test_a_plan_takes_a_kind_by_its_name(kind, run_module, tmp_path):
    asked = ("plan", "--model", "sim/null", "--entities", kind, "--profile", "smoke")
    found = run_module("pytest_llmpref", asked, tmp_path)
    assert found.returncode == 0, found.stderr
    assert "36 entities" in found.stdout


def test_a_run_takes_a_kind_by_its_name(pytester):
    found = pytester.runpytest_subprocess(
        SUITES / "replication" / "test_preference_consistency.py",
        "--model=sim/follows-itself",
        "--llmpref-entities=animals",
        "--profile=smoke",
        f"--report-dir={pytester.path / 'r'}",
    )
    assert found.ret == 0, found.stdout.str()
    assert '"honeybees"' in (pytester.path / "r" / "latest" / "results.json").read_text(encoding="utf-8")
