"""Servers of the user's own are not looked for at a public host."""

import pytest

from pytest_llmpref.models.addresses import OWN_SERVERS, check_address
from pytest_llmpref.models.chat import ModelUnavailableError


@pytest.mark.parametrize("provider", OWN_SERVERS)
def test_either_variable_says_where_a_server_is_and_without_one_the_first_is_named(monkeypatch, provider):
    variables = OWN_SERVERS[provider]
    for variable in variables:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ModelUnavailableError, match=f"{provider}/m: .* set {variables[0]}, for example"):
        check_address(f"{provider}/m", provider)
    for variable in variables:
        with monkeypatch.context() as patch:
            patch.setenv(variable, "http://own.test/v1")
            check_address(f"{provider}/m", provider)


def test_a_public_provider_needs_no_address(monkeypatch):
    monkeypatch.delenv("OPENAI_API_BASE", raising=False)
    check_address("openai/m", "openai")
