"""Simulated worlds, named in a run."""


def test_a_user_gets_the_error_before_the_first_question(pytester):
    pytester.makepyfile("def test_it(preferences):\n    assert preferences.valid")
    (pytester.path / "mine.toml").write_text("[choice]\nnois = 1\n")
    for name, message in (("sim/mine.toml", "*mine.toml: choice.nois: unknown key; the keys are noise*"),
                          ("sim/nobody", "*sim/nobody: no such simulated model; there are *sim/null*")):  # fmt: skip
        run = pytester.runpytest_subprocess("--model", name)
        assert run.ret == 4
        run.stderr.fnmatch_lines([message])


def test_a_failure_says_that_the_model_is_simulated(pytester):
    pytester.makepyfile("def test_it(preferences):\n    assert preferences['unicef'] < 0")
    run = pytester.runpytest_subprocess("--model=sim/paper-a", "--profile=smoke", "--junitxml=junit.xml")
    assert run.ret == 1
    run.stdout.fnmatch_lines(["REFUTED: Elo of unicef < 0*", "*llmpref: sim/paper-a (simulated)*"])
    assert "of a simulated model" in (pytester.path / "junit.xml").read_text()
