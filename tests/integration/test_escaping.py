"""A baseline of a model with a hostile name."""

from hostile_names import is_safe, results


def test_a_baseline_of_another_model_is_named_safely(tmp_path, pytester):
    path = tmp_path / "old.json"
    path.write_bytes(results("x\n::error::owned\x1b[2J", "supported"))
    pytester.makepyfile("def test_it(preferences, baseline):\n    assert baseline.preferences")
    run = pytester.runpytest_subprocess("--model=sim/refuser", f"--baseline={path}", "-p", "no:cacheprovider")
    said = run.stdout.str() + run.stderr.str()
    assert "it does not hold sim/refuser" in said
    assert is_safe(said)
