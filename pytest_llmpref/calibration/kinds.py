"""The kinds of claim, and what each estimates: stated before anything is calibrated."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pytest_llmpref.claims import Relation

Entities = Literal["sample", "given"]


@dataclass(frozen=True, slots=True)
class ClaimKind:
    """A kind of claim.

    Attributes
    ----------
    claim
        How a suite writes it.
    relation
        Its relation.
    entities
        Whether the entities are a ``sample`` of their kind, so that the estimand is about the kind, or are themselves
        what is asked about, as ``given``.
    estimand
        What the estimate is an estimate of.
    of_entity
        Whether a study makes the claim for each entity, rather than once.
    """

    claim: str
    relation: Relation
    entities: Entities
    estimand: str
    of_entity: bool = False


_RHO = (
    "Spearman's rho, over all entities of the kind (of the same groups, where they come in groups), of the two "
    "measures as this design measures them: its noise included, so smaller than that of the true strengths"
)
_TRUE_RHO = (
    "Spearman's rho of the true strengths over all entities of the kind (of the same groups): the limit of infinitely "
    "many trials"
)

KINDS: Mapping[str, ClaimKind] = {
    "spearman >": ClaimKind("spearman(preferences, donation_advice) > b", ">", "sample", _RHO),
    "spearman <": ClaimKind("spearman(preferences, donation_advice) < b", "<", "sample", _RHO),
    "spearman equivalence": ClaimKind("abs(spearman(preferences, donation_advice)) < b", "abs <", "sample", _RHO),
    "within_groups": ClaimKind(
        "within_groups(preferences, donation_advice) > b", ">", "sample",
        "Spearman's rho within a group, over all entities of its kind, of the two measures as this design measures "
        "them; the same in every group",
    ),
    "attenuation_corrected": ClaimKind(
        "attenuation_corrected(preferences, donation_advice) > b", ">", "sample", _TRUE_RHO
    ),
    "attenuation_corrected equivalence": ClaimKind(
        "abs(attenuation_corrected(preferences, donation_advice)) < b", "abs <", "sample", _TRUE_RHO
    ),
    "preference of an entity": ClaimKind(
        "preferences[entity] > b", ">", "given",
        "the entity's true strength on the Elo scale, mean 1500 over the entities as given, in the limit of infinitely "
        "many trials",
        of_entity=True,
    ),
    "residual of an entity": ClaimKind(
        "abs(residuals(donation_advice, preferences)[entity]) < b", "abs <", "given",
        "the entity's true advice less what the least-squares line through the true strengths of the other entities, "
        "as given, predicts for it",
        of_entity=True,
    ),
    "coverage of an entity": ClaimKind(
        "donation_advice.coverage[entity] > b", ">", "given",
        "the chance of a valid answer, averaged over the questions about the entity",
        of_entity=True,
    ),
    "propensity": ClaimKind(
        "spearman(preferences, propensity(refusals)) < b", "<", "sample", _RHO
    ),
    "superadditivity": ClaimKind(
        "superadditivity(refusals, preferences) > b", ">", "given",
        "what the product of two true dislikes, standardised over the entities as given, adds to the log-odds of "
        "a refusal",
    ),
    "reason trend": ClaimKind(
        "reason_trends(refusals, preferences)[reason] > b", ">", "given",
        "how much the share of the reason rises from one quartile of true preference to the next, among refusals",
    ),
    "refusals beyond the control": ClaimKind(
        "refusals[entity] - refusals.control < b", "<", "given",
        "the chance of a refusal at first, averaged over all entities of the kind that the entity could meet, of which "
        "those that it meets are a sample, less that of the control",
        of_entity=True,
    ),
    "accuracy slope": ClaimKind(
        "preference_slope(...).log_odds > b", ">", "sample",
        "log-odds of a right answer per standard deviation of preference; questions are a sample too",
    ),
    "accuracy equivalence": ClaimKind(
        "abs(preference_slope(...).between_extremes) < b", "abs <", "sample",
        "accuracy under the most preferred less that under the least preferred entity, over all questions of the kind",
    ),
    "top less bottom": ClaimKind(
        "top_minus_bottom(...) > b", ">", "sample",
        "accuracy under the most preferred quarter less that under the least preferred one, over all questions",
    ),
    "quarters equivalence": ClaimKind("abs(top_minus_bottom(...)) < b", "abs <", "sample", "the same"),
    "accuracy less the control": ClaimKind(
        "minus_control(boolq)[entity] > b", ">", "given",
        "accuracy on behalf of the entity less that on nobody's, over all questions of the kind",
        of_entity=True,
    ),
    "success gap": ClaimKind(
        "success_gap(agentic) > b", ">", "sample",
        "share of tasks solved for the most preferred entities less that for the least, over all tasks of the kind",
    ),
    "success gap equivalence": ClaimKind("abs(success_gap(agentic)) < b", "abs <", "sample", "the same"),
    "effort gap": ClaimKind(
        "effort_gap(agentic) > b", ">", "sample",
        "log effort at tasks for the most preferred entities less that for the least, over all tasks of the kind",
    ),
}  # fmt: skip
