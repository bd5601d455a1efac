"""All protocols, as an option of a run."""


def test_all_protocols_are_planned_only_if_asked_for(pytester):
    pytester.makepyfile("def test_p(protocols): assert len(protocols) == 48")
    options = ("--model=sim/paper-a", "--profile=smoke", "--llmpref-plan")
    assert "preference_forms" not in pytester.runpytest_subprocess(*options).stdout.str()
    assert "preference_forms" in pytester.runpytest_subprocess(*options, "--llmpref-protocols=all").stdout.str()


def test_a_suite_claims_robustness_over_all_protocols(pytester):
    pytester.makepyfile(
        """
        from pytest_llmpref import robustness, spearman

        def test_r(protocols):
            assert len(protocols) == 192
            assert robustness(protocols, lambda cell: spearman(cell.preferences, cell.donation_advice) > 0) > 0.8
        """
    )
    run = pytester.runpytest_subprocess("--model=sim/paper-a", "--profile=paper", "--llmpref-protocols=all")
    run.stdout.fnmatch_lines(["*1 passed*"])
    assert run.ret == 0
