"""What the plugin keeps with pytest's own objects: the keys of its stashes."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_llmpref.config.policy import Policy
    from pytest_llmpref.plugin.outcomes import Measured
    from pytest_llmpref.plugin.run import Run

RUN: "pytest.StashKey[Run]" = pytest.StashKey()
"""The run, with pytest's configuration."""
OURS: "pytest.StashKey[frozenset[str]]" = pytest.StashKey()
"""Which fixtures of ours a test uses."""
POLICY: "pytest.StashKey[Policy]" = pytest.StashKey()
"""The policy of a test that uses the fixture ``policy``."""
OFF: "pytest.StashKey[str]" = pytest.StashKey()
"""Why a policy turns a test off."""
UNASKED: "pytest.StashKey[str]" = pytest.StashKey()
"""Why a test is skipped whatever a policy says: what it measures is off in this run, or is not recorded."""
CALLED: "pytest.StashKey[tuple[str, ...]]" = pytest.StashKey()
"""The arguments that the user gave, where a command of ours runs pytest with more of its own."""
MEASURED: "pytest.StashKey[Measured]" = pytest.StashKey()
"""The claims that a test makes."""
