"""The policy of a release gate: its thresholds, in one TOML file that a team edits, typed and checked.

A table ``[NAME]`` holds the policy of the tests in ``test_NAME.py`` that use the fixture ``policy``.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pytest_llmpref.errors import LLMPrefError
from pytest_llmpref.files import open_given

FILE = "policy.toml"
"""Name of the file that is looked for beside the tests."""
_MOST_BYTES = 1 << 20
Role = Literal["gate", "claim", "exploratory", "off"]
"""What a test does under the policy.

``gate``: anything but supported fails. ``claim``: refuted fails. ``exploratory``: never fails, and is not corrected for
others. ``off``: the test is skipped, and the summary names it.
"""
Family = Literal["file", "suite"]
"""Which claims are corrected together.

``file``: those that one function makes for each entity, or those about the whole model in one file.
``suite``: all claims about a model under the policy.
"""


class PolicyError(LLMPrefError):
    """A policy that cannot be used; the message names the file, the key and what is allowed."""


@dataclass(frozen=True, slots=True)
class TestPolicy:
    """The policy of one test file.

    Attributes
    ----------
    margin
        The most that a release may differ, in the unit of the claim: 0.02 are two percentage points.
    role
        What a verdict other than supported does.
    """

    __test__ = False  # no test class, whatever pytest takes its name for

    margin: float
    role: Role = "gate"


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy file.

    Attributes
    ----------
    source
        The file.
    alpha
        Error rate of a family of claims; ``None`` for that of the run (``--llmpref-alpha``).
    family
        Which claims are corrected together.
    tests
        The policies of test files, by the file's name without ``test_`` and ``.py``.
    """

    source: Path
    alpha: float | None
    family: Family
    tests: Mapping[str, TestPolicy]

    def of(self, test_file: Path) -> TestPolicy:
        """Return the policy of a test file.

        Raises
        ------
        PolicyError
            If there is no table for it.
        """
        name = test_file.stem.removeprefix("test_")
        if name not in self.tests:
            raise PolicyError(
                f"{self.source}: no table [{name}] for {test_file.name}; add one with a margin"
                f" (it has {', '.join(f'[{known}]' for known in self.tests) or 'no tables'})"
            )
        return self.tests[name]


def load_policy(path: Path) -> Policy:
    """Read and check a policy file.

    Raises
    ------
    PolicyError
        If it cannot be read, or holds a key or a value that is not allowed.
    """
    try:
        with open_given(path) as file:
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise PolicyError(f"{path}: more than {_MOST_BYTES:,} bytes; a policy is a few dozen lines")
        table = tomllib.loads(data.decode())
    except OSError as error:
        raise PolicyError(
            f"{path}: cannot read ({error.strerror}); give --llmpref-policy the path of a policy"
        ) from error
    except (ValueError, RecursionError) as error:  # an overlong number is no TOMLDecodeError
        raise PolicyError(f"{path}: not valid TOML: {error}") from error
    tests = {key: _test_policy(path, key, value) for key, value in table.items() if isinstance(value, dict)}
    top = {key: value for key, value in table.items() if key not in tests}
    if unknown := top.keys() - {"alpha", "family"}:
        raise PolicyError(
            f"{path}: unknown key {min(unknown)}; a policy has alpha, family, and a table for each test file"
        )
    alpha = _number(path, "alpha", top["alpha"], 0.5, "between 0 and 0.5, such as 0.05") if "alpha" in top else None
    family = _one_of(path, "family", top.get("family", "file"), get_args(Family))
    return Policy(path, alpha, family, tests)


def _test_policy(path: Path, name: str, table: Mapping[str, Any]) -> TestPolicy:
    if unknown := table.keys() - {"margin", "role"}:
        raise PolicyError(f"{path}: unknown key {name}.{min(unknown)}; a table has margin and role")
    margin = _number(path, f"{name}.margin", table.get("margin"), math.inf, "above 0")
    role = _one_of(path, f"{name}.role", table.get("role", "gate"), get_args(Role))
    return TestPolicy(margin, role)


def _one_of(path: Path, key: str, value: object, allowed: tuple[str, ...]) -> Any:  # noqa: ANN401 - the literal's type
    if value not in allowed:
        raise PolicyError(f"{path}: {key} is {value!r}; it must be one of {', '.join(allowed)}")
    return value


def _number(path: Path, key: str, value: object, below: float, wanted: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < below:
        return float(value)
    raise PolicyError(f"{path}: {key} is {value!r}; it must be a number {wanted}")
