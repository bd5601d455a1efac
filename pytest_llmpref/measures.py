"""The measures by name: what the fixtures of suites return, `llmpref plan` counts, and results.json lists."""

MEASURES = {
    "preferences": "preference",
    "direct_ranking": "direct_ranking",
    "donation_advice": "donation_advice",
    "refusals": "refusal",
    "boolq": "boolq",
    "agentic": "agentic",
}
"""Fixture -> the measure that it returns."""
FORMS = ("preference_forms", "advice_forms")
"""What the fixture ``protocols`` needs beside the measures whose fixtures it uses, if all protocols are wanted."""
