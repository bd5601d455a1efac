"""The policy of a release gate: its thresholds, in one TOML file that a team edits, typed and checked.

A table ``[NAME]`` holds the policy of the tests in ``test_NAME.py`` that use the fixture ``policy``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from pytest_llmpref.config.reading import UserFileError, fitted, listed, parse_toml, read_bytes

FILE = "policy.toml"
"""Name of the file that is looked for beside the tests."""
_MOST_BYTES = 1 << 20
_FIX = "give --llmpref-policy the path of a policy"
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


class PolicyError(UserFileError):
    """A policy cannot be used."""


@dataclass(frozen=True, slots=True)
class TestPolicy:
    """The policy of one test file.

    Attributes
    ----------
    margin
        Largest difference that a release may show, in the unit of the claim; for shares, 0.02 is two percentage points.
    role
        ``gate`` fails unless the claim is supported, ``claim`` fails if it is refuted, ``exploratory`` never fails, and
        ``off`` does not run.
    positive_control
        Measure whose positive control must exceed the margin in the same model; otherwise a claim of no effect is
        invalid. Empty for no such condition.
    negative_control
        Measure whose answers must not follow preference in the same model; otherwise a claim of an effect is invalid.
        Empty for no such condition.
    """

    __test__ = False  # no test class, whatever pytest takes its name for

    margin: Annotated[float, Meta(gt=0)]
    role: Role = "gate"
    positive_control: str = ""
    negative_control: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy file.

    Attributes
    ----------
    source
        The file.
    tests
        The policies of test files, by the file's name without ``test_`` and ``.py``.
    alpha
        Error rate of a family of claims; ``None`` for that of the run (``--llmpref-alpha``).
    family
        Which claims are corrected together.
    """

    source: Path
    tests: Mapping[str, TestPolicy]
    alpha: Annotated[float, Meta(gt=0, lt=0.5)] | None = None
    family: Family = "file"

    def of(self, test_file: Path) -> TestPolicy:
        """Return the policy of a test file.

        Raises
        ------
        PolicyError
            If there is no table for it.
        """
        name = table_of(test_file)
        if name not in self.tests:
            there = ", ".join(f"[{known}]" for known in self.tests) or "no tables"
            raise PolicyError(
                self.source, [f"no table [{name}] for {test_file.name}; add one with a margin (it has {there})"]
            )
        return self.tests[name]


def table_of(test_file: Path) -> str:
    """Return the name of a test file's table."""
    return test_file.stem.removeprefix("test_")


def load_policy(path: Path) -> Policy:
    """Read and check a policy file.

    Raises
    ------
    PolicyError
        If it cannot be read, or holds a key or a value that is not allowed.
    """
    table = parse_toml(path, PolicyError, read_bytes(path, PolicyError, _MOST_BYTES, _FIX))
    tables = {key: value for key, value in table.items() if isinstance(value, dict)}
    head = {key: value for key, value in table.items() if key not in tables}
    values, wrong = fitted(head, Policy, apart=["source", "tests"])
    beside = {key: ", and a table for each test file" for key in head if key not in {"alpha", "family"}}
    problems = listed({key: said + beside.get(key, "") for key, said in wrong.items()})
    tests = dict[str, TestPolicy]()
    for name, given in tables.items():
        fitting, wrong = fitted(given, TestPolicy)
        problems += listed(wrong, f"[{name}]")
        if not wrong:
            tests[name] = TestPolicy(**fitting)
    if problems:
        raise PolicyError(path, problems)
    return Policy(path, tests, **values)
