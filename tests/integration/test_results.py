"""results.json as a run writes it."""

from pytest_llmpref.results.loading import load_results


def test_what_a_run_writes_is_read(suite, pytester):
    suite("""
        def test_coverage(entity, preferences):
            assert preferences.coverage[entity.id] > 0.3
    """)
    results = load_results(pytester.path / "reports/latest/results.json")
    assert len(results.models["sim/plain"].claims) == 12
