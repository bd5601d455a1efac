"""Profiles: the shipped ones, a user's own, and what is said of a wrong one."""

import re
from dataclasses import fields

import pytest

from pytest_llmpref.config.profiles import Profile, ProfileError, load_profile
from pytest_llmpref.resources import data_folder

GOOD = (data_folder("fixtures") / "profiles" / "smoke.toml").read_text()


@pytest.mark.parametrize("name", ["smoke", "standard", "paper", "adaptive", "gate"])
def test_shipped_profiles_load(name):
    profile = load_profile(name)
    assert profile.name == name
    assert (profile.orders, profile.temperature, profile.entities) == (2, 1.0, None)


def test_a_profile_of_ones_own_is_read_from_its_path(tmp_path):
    (tmp_path / "mine.toml").write_text(GOOD.replace('entities = "all"', "entities = 8"))
    assert load_profile(str(tmp_path / "mine.toml")).entities == 8


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            GOOD.replace("orders = 2", "orders = 3"),
            "orders is 3; it must be a whole number of at least 1 and at most 2",
        ),
        (GOOD.replace("\nattempts = 3", "\nattempts = 101"), "attempts is 101; it must be"),
        (
            GOOD.replace("\nrepetitions = 1", "\nrepetitions = 1000000000"),
            "repetitions is 1000000000; it must be a whole number of at least 1 and at most 1,000",
        ),
        (GOOD.replace("orders = 2", "order = 2"), "unknown key order"),
        (GOOD.replace("orders = 2", ""), "missing key orders"),
        (GOOD.replace("temperature = 1.0", "temperature = 9"), "temperature is 9; it must be a number from 0 to 2"),
        (
            GOOD.replace('entities = "all"', "entities = 3"),
            'entities is 3; it must be a whole number of at least 4 or "all"',
        ),
        (GOOD.replace("repetitions = 1", "repetitions = true"), "repetitions is True"),
        (GOOD + 'selection = "best"', "selection is 'best'; it must be one of fixed, adaptive"),
        (GOOD + 'stopping = "soon"', "stopping is 'soon'; it must be one of fixed, sequential"),
        ("orders = ", "not valid TOML"),
    ],
)
def test_a_wrong_profile_names_file_key_and_fix(tmp_path, wrong, message):
    path = tmp_path / "mine.toml"
    path.write_text(wrong)
    with pytest.raises(ProfileError) as raised:
        load_profile(str(path))
    assert message in str(raised.value)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("key", [field.name for field in fields(Profile) if field.type in {int, int | None}])
def test_no_number_is_boundless(tmp_path, key):
    path = tmp_path / "mine.toml"
    path.write_text(re.sub(rf"(?m)^{key} = .*$", f"{key} = {10**10}", GOOD))
    with pytest.raises(ProfileError, match=f"{key} is {10**10}; it must be a whole number of at least .* and at most"):
        load_profile(str(path))


def test_a_thousand_repetitions_are_the_most(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("\nrepetitions = 1", "\nrepetitions = 1000"))
    assert load_profile(str(path)).repetitions == 1000
