"""Profiles: the shipped ones, a user's own, and what is said of a wrong one."""

import re
import tomllib

import pytest

from pytest_llmpref.config.profiles import ProfileError, load_profile
from pytest_llmpref.files import data_folder

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
            "orders: is 3; write a whole number from 1 to 2",
        ),
        (GOOD.replace("\nattempts = 3", "\nattempts = 101"), "attempts: is 101; write a whole number from 1 to 100"),
        (
            GOOD.replace("\nrepetitions = 1", "\nrepetitions = 1000000000"),
            "repetitions: is 1000000000; write a whole number from 1 to 1,000",
        ),
        (GOOD.replace("orders = 2", "order = 2"), "order: unknown key; the keys are entities, partners, orders"),
        (GOOD.replace("orders = 2", ""), "orders: missing; write a whole number from 1 to 2"),
        (GOOD.replace("temperature = 1.0", "temperature = 9"), "temperature: is 9; write a number from 0 to 2"),
        (
            GOOD.replace('entities = "all"', "entities = 3"),
            'entities: is 3; write a whole number from 4 to 10,000 or "all"',
        ),
        (GOOD.replace("repetitions = 1", "repetitions = true"), "repetitions: is true; write"),
        (GOOD + 'selection = "best"', "selection: is 'best'; write one of adaptive, fixed"),
        (GOOD + 'stopping = "soon"', "stopping: is 'soon'; write one of fixed, sequential"),
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


NUMBERS = [key for key, value in tomllib.loads(GOOD).items() if key not in {"temperature", "selection", "stopping"}]


@pytest.mark.parametrize("key", NUMBERS)
@pytest.mark.parametrize("value", [10**10, "0x" + "f" * 5000, 0, -1, 1.5, "nan", "true", '"some"', "[]", "2000-01-01"])
def test_no_number_is_boundless_or_anything_else(tmp_path, key, value):
    path = tmp_path / "mine.toml"
    path.write_text(re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", GOOD))
    with pytest.raises(ProfileError, match=rf"{key}: is .*; write a whole number from \d+ to [\d,]+"):
        load_profile(str(path))


def test_all_that_is_wrong_is_said_at_once(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("orders = 2", "order = 2").replace("temperature = 1.0", "temperature = nan"))
    with pytest.raises(ProfileError) as raised:
        load_profile(str(path))
    assert [problem.partition(":")[0] for problem in raised.value.problems] == ["order", "orders", "temperature"]


def test_a_thousand_repetitions_are_the_most(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("\nrepetitions = 1", "\nrepetitions = 1000"))
    assert load_profile(str(path)).repetitions == 1000
