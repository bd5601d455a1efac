"""Certificates: what a change is called, and which files are none."""

import copy
import json

import pytest

from pytest_llmpref.study.certificate import CertificateError, changes, digest, encoded, load

KEYS = [digest(number)[:12] for number in range(9)]
CERTIFICATE = {
    "certificate": 1,
    "kind": "plan",
    "version": "1.0",
    "entities": {"oxfam": KEYS[0], "unicef": KEYS[1]},
    "profile": {"name": "smoke", "repetitions": 1},
    "models": {"sim/x": {"preference": {"questions": KEYS, "sha256": digest(KEYS), "count": 9}}},
    "functions": {"test_a.py::test_b": {"family": 2, "gate": True}},
}


def changed(*path, to):
    found = copy.deepcopy(CERTIFICATE)
    place = found
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = to
    return changes(CERTIFICATE, found)


def test_nothing_and_another_version_are_no_change():
    assert changes(CERTIFICATE, copy.deepcopy(CERTIFICATE)) == []
    assert changed("version", to="2.0") == []


def test_how_much_was_recorded_before_is_no_change():
    assert changed("recorded", to={"sim/x": {"answers": 0, "of": 9}}) == []


def test_values_are_told_and_digests_are_not():
    assert changed("profile", "repetitions", to=3) == ["profile: repetitions: was 1, now 3"]
    assert changed("entities", "unicef", to=KEYS[5]) == ["entities: unicef: changed"]
    assert changed("functions", "test_a.py::test_b", "gate", to=False) == [
        "functions > test_a.py::test_b: gate: was true, now false"
    ]


def test_what_is_new_or_gone_is_named():
    assert changed("entities", to={"oxfam": KEYS[0], "plan": KEYS[2]}) == ["entities: plan: new; unicef: gone"]
    assert changed("kind", to="results") == ["kind: was plan, now results"]


def test_of_many_questions_some_are_named_and_all_are_counted():
    other = [digest(f"another {number}")[:12] for number in range(9)]
    assert changed("models", "sim/x", "preference", "questions", to=[*KEYS[:4], other[4], *KEYS[5:]]) == [
        "models > sim/x > preference > questions: question 5: changed"
    ]
    (line,) = changed("models", "sim/x", "preference", "questions", to=[*other, KEYS[0]])
    assert line.endswith("question 3: changed; and 7 more")


TESTS = [f"test_a.py::test_b[sim/x-{entity}]" for entity in ("oxfam", "unicef")]


def results(margin, *estimates, reply="a"):
    claims = {test: {"claim": f"< {margin}", "estimate": one} for test, one in zip(TESTS, estimates, strict=True)}
    found = {"claims": claims, "gate": f"at {margin}", "recordings": {"preference": {"replies": {KEYS[0]: reply}}}}
    return CERTIFICATE | {
        "functions": {"test_a.py::test_b": {"policy": {"margin": margin}}},
        "found": {"sim/x": found},
    }


def test_a_cause_comes_before_what_follows_from_it_and_the_tests_of_a_function_share_a_line():
    assert changes(results(0.1, 0.2, 0.3), results(0.5, 0.2, 0.3)) == [
        "functions > test_a.py::test_b > policy: margin: was 0.1, now 0.5",
        "found > sim/x > claims > test_a.py::test_b (2 tests): claim: was < 0.1, now < 0.5",
        "found > sim/x: gate: was at 0.1, now at 0.5",
    ]
    assert changes(results(0.1, 0.2, 0.3), results(0.1, 0.4, 0.5, reply="b")) == [
        f"found > sim/x > recordings > preference > replies: {KEYS[0]}: was a, now b",
        "found > sim/x > claims > test_a.py::test_b (2 tests, such as [sim/x-oxfam]): estimate: was 0.2, now 0.4",
    ]
    (line,) = changes(results(0.1, 0.2, 0.3), results(0.1, 0.2, 0.5))
    assert line == f"found > sim/x > claims > {TESTS[1]}: estimate: was 0.3, now 0.5"


def test_the_order_of_keys_makes_no_difference_to_the_bytes():
    turned = dict(reversed(CERTIFICATE.items()))
    assert encoded(turned) == encoded(CERTIFICATE)
    assert json.loads(encoded(CERTIFICATE)) == CERTIFICATE


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file or directory; name what llmpref certify wrote"),
        (b"{", "no certificate; name what"),
        (b"[" * 100_000, "no certificate; name what"),
        (b"\xff", "no certificate; name what"),
        (b"[]", "certificate None, and this version reads 1"),
        (b'{"certificate": 9}', "certificate 9, and this version reads 1; certify anew"),
    ],
)
def test_a_file_that_is_no_certificate_is_named(tmp_path, content, said):
    path = tmp_path / "it.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CertificateError, match=said) as raised:
        load(path)
    assert str(path) in str(raised.value)
