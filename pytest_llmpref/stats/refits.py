"""A pair regression fitted again and again, with other outcomes of a few of its trials."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from pytest_llmpref.stats.arrays import FloatArray, IntArray
from pytest_llmpref.stats.pair_logit import TOGETHER, PairFits, PairRegression


@dataclass(frozen=True, eq=False)
class Refits:
    """Effects of the entities under several sets of outcomes of some of the trials.

    Attributes
    ----------
    model
        The regression.
    successes, made
        Of each trial without the outcomes that vary, and all tries; shape (t,).
    varying
        The trials whose outcomes vary; shape (m,).
    n_entities
        Number of entities.
    scale
        What a unit of log-odds is worth in the effects returned.
    wider
        Given successes and fitted chances, shape (t, b) each, returns the precision of the prior, shape (p, b), with
        which to fit once more; ``None`` if one fit is all.
    """

    model: PairRegression
    successes: FloatArray
    made: FloatArray
    varying: IntArray
    n_entities: int
    scale: float = 1.0
    wider: Callable[[FloatArray, FloatArray], FloatArray] | None = None

    @cached_property
    def rows(self) -> csr_array:
        """Regressors of the trials that vary; shape (m, p)."""
        return self.model.trials(self.varying)

    def effects(self, outcomes: FloatArray) -> FloatArray:
        """Return each entity's effect, mean 0 over those that were asked about, NaN for others.

        Parameters
        ----------
        outcomes
            Successes in each of the trials that vary, in each fit; shape (m, b).

        Returns
        -------
        FloatArray
            Shape (n_entities, b).
        """
        parts = [
            self._fitted(outcomes[:, at : at + TOGETHER]).parameters for at in range(0, outcomes.shape[1], TOGETHER)
        ]
        found = np.concatenate(parts, axis=1)[: self.n_entities]
        found = np.where(self._asked[:, None], self.scale * found, np.nan)
        return np.asarray(found - np.nanmean(found, axis=0))

    def spread(self, outcomes: FloatArray) -> FloatArray:
        """Return by how much each entity's effect changes with the slope in each parameter; shape (n_entities, p).

        One more success in a trial adds the trial's regressors to the slope, so ``spread @ rows.T`` is by how much
        each effect changes with each outcome, near the ``outcomes`` given, shape (m,).
        """
        chances = self._fitted(outcomes[:, None]).chances
        information = self.model.information(self.made[:, None] * chances * (1 - chances))[0]
        found = self.scale * np.linalg.inv(information)[: self.n_entities]
        return np.asarray(found - found[self._asked].mean(axis=0))

    @cached_property
    def _asked(self) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        return np.asarray(self.model.met(self.made[:, None])[:, 0] > 0)

    @cached_property
    def _start(self) -> FloatArray:
        """Parameters where each outcome that varies is an even one: near those of any other."""
        half = (self.made[self.varying] - self.successes[self.varying]) / 2
        return self.model.fit(self._with(half[:, None]), self.made[:, None]).parameters[:, 0]

    def _with(self, outcomes: FloatArray) -> FloatArray:
        successes = np.repeat(self.successes[:, None], outcomes.shape[1], axis=1)
        successes[self.varying] += outcomes
        return successes

    def _fitted(self, outcomes: FloatArray) -> PairFits:
        successes = self._with(outcomes)
        made = np.repeat(self.made[:, None], successes.shape[1], axis=1)
        fits = self.model.fit(successes, made, start=self._start)
        if self.wider is None:
            return fits
        precision = self.wider(successes, fits.chances)
        return self.model.fit(successes, made, start=fits.parameters, precision=precision)
