"""What the behaviours know of a policy's numbers: margins that would hold whatever was found."""

from pytest_llmpref.config.policy import Policy, PolicyError
from pytest_llmpref.experiments.registry import behaviours


def check_margins(policy: Policy) -> None:
    """Make sure that a margin on differences of shares is below 1.

    Shares never differ by more, so a claim within such a margin cannot fail. Tables for claims in other units, such as
    those of a user's own tests, have no upper limit.

    Parameters
    ----------
    policy
        The policy.

    Raises
    ------
    PolicyError
        If a margin is 1 or more; it names each of them.
    """
    of_shares = {table for one in behaviours().values() for table in one.share_tables}
    problems = [
        f"[{table}]: margin: is {test.margin:g}; write a number above 0 and below 1, since shares differ by no more "
        "(0.1 are ten percentage points)"
        for table, test in policy.tests.items()
        if table in of_shares and test.margin >= 1
    ]
    if problems:
        raise PolicyError(policy.source, problems)
