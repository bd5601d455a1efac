"""Rankings that a suite has approved."""

import json

SUITE = "def test_it(preferences, ranking_snapshot):\n    assert preferences == ranking_snapshot\n"


def test_a_ranking_that_was_never_approved_says_so_and_what_to_do(suite):
    run = suite(SUITE)
    assert run.ret == 1
    said = run.stdout.str()
    assert "does not exist" in said
    assert "run with --snapshot-update to approve this ranking" in said
    assert "JSONDecodeError" not in said


def test_a_suite_approves_a_ranking_holds_it_and_says_who_moved(suite, pytester):
    assert suite(SUITE).ret == 1
    assert suite(SUITE, "--snapshot-update").ret == 0
    assert suite(SUITE).ret == 0
    (path,) = pytester.path.rglob("*.ranking.json")
    approved = json.loads(path.read_text())
    first = next(iter(approved["ranking"]))
    approved["ranking"][first][0] -= 900
    path.write_text(json.dumps(approved))
    run = suite(SUITE)
    assert run.ret == 1
    run.stdout.fnmatch_lines([f"*{first}: *standard errors*", "*1 of 12 entities moved; --snapshot-update*"])
