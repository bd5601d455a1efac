"""Logistic regression with one effect for each entity of a pair, penalised; many fits side by side.

Strengths of entities that compete, and refusals that add up, are this one model with the sign of the second entity
turned. Fits to many halves of the same trials differ only by their weights, so they take their Newton steps together.

References
----------
Bell and McCaffrey 2002
Firth 1993
Liang and Zeger 1986
Nychka 1988
Smyth 2004
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from pytest_llmpref.stats.arrays import BoolArray, FloatArray, IntArray
from pytest_llmpref.stats.noise import shrunk_variances
from pytest_llmpref.stats.pair_design import PairDesign

TOGETHER = 32
"""Fits that take their steps together: more do not fit into a processor's cache, and take three times as long."""
TOLERANCE = 1e-6
"""Largest step of a parameter, in log-odds, at which Newton's method has come to rest: what is left is its square."""

MOST_STEPS = 50
"""Most Newton steps of a fit; few take ten."""
REST = 1e-4
"""Change of a parameter, in log-odds, at which what is added to the trials has come to rest."""
LEAST_LEFT = 0.1
"""What the leverage of a cluster leaves at least, so that one that no others bear on cannot take over. Our choice."""


@dataclass(frozen=True, slots=True, eq=False)
class PairFits:
    """Penalised maxima, side by side: ``b`` fits of ``p`` parameters to ``t`` trials.

    Attributes
    ----------
    parameters
        Entities' effects, then the others', in log-odds; shape (p, b).
    chances
        Fitted chance of a success in each trial; shape (t, b).
    converged, iterations
        Whether Newton's steps came to rest, and how many were taken; shape (b,).
    """

    parameters: FloatArray
    chances: FloatArray
    converged: BoolArray
    iterations: IntArray


class PairRegression(PairDesign):
    """The model ``logit P(success) = effect[first] + sign * effect[second] + others @ coefficients``.

    Parameters
    ----------
    first, second, n_entities, sign, others
        Of the regressors: see `PairDesign`.
    precision
        Inverse variance of the Gaussian prior on each parameter, mean 0; shape (n_entities + k,).
    """

    def __init__(
        self,
        first: IntArray,
        second: IntArray,
        n_entities: int,
        *,
        sign: float,
        others: FloatArray,
        precision: FloatArray,
    ) -> None:
        super().__init__(first, second, n_entities, sign=sign, others=others)
        self._precision = precision

    def fit(
        self,
        successes: FloatArray,
        made: FloatArray,
        *,
        max_iterations: int = MOST_STEPS,
        start: FloatArray | None = None,
        precision: FloatArray | None = None,
    ) -> PairFits:
        """Maximise the penalised likelihood by Newton's method with step halving.

        Parameters
        ----------
        successes, made
            Successes and tries of each trial, possibly weighted, in each fit; shape (t, b).
        max_iterations
            Maximum number of Newton steps.
        start
            Parameters to start from, shape (p,) or (p, b); a near maximum saves steps.
        precision
            Of the prior in each fit, in place of the model's; shape (p, b).

        Returns
        -------
        PairFits
            Side by side, in the order given.
        """
        p, b = self._p, successes.shape[1]
        origin = np.zeros(p) if start is None else start
        origin = np.array(np.broadcast_to(origin.reshape(p, -1), (p, b)), dtype=np.float64)
        prior = np.broadcast_to((self._precision if precision is None else precision).reshape(p, -1), (p, b))
        parts = [
            self._fit_together(
                np.ascontiguousarray(successes[:, at : at + TOGETHER]),
                np.ascontiguousarray(made[:, at : at + TOGETHER]),
                np.ascontiguousarray(origin[:, at : at + TOGETHER]),
                prior[:, at : at + TOGETHER],
                max_iterations,
            )
            for at in range(0, b, TOGETHER)
        ]
        return PairFits(
            np.concatenate([part.parameters for part in parts], axis=1),
            np.concatenate([part.chances for part in parts], axis=1),
            np.concatenate([part.converged for part in parts]),
            np.concatenate([part.iterations for part in parts]),
        )

    def fit_unbiased(self, successes: FloatArray, made: FloatArray) -> PairFits:
        """Maximise the likelihood once, penalised also by the root of the information's determinant (Firth 1993).

        Without this, parameters are too large, the more so the more of them there are to the trials. Its maximum is
        that of `fit` to trials with as many halves of a success and of a failure added as the fit follows each trial.

        Parameters
        ----------
        successes, made
            As for `fit`, shape (t,) each.

        Returns
        -------
        PairFits
            One fit.
        """
        fits = self.fit(successes[:, None], made[:, None])
        for _ in range(MOST_STEPS):
            before, chances = fits.parameters, fits.chances[:, 0]
            variance = made * chances * (1 - chances)
            bread = np.linalg.inv(self.information(variance[:, None])[0])
            half = self._leverage(variance, bread) / 2
            added = ((successes + half)[:, None], (made + 2 * half)[:, None])
            fits = self.fit(*added, start=before)
            if np.max(np.abs(fits.parameters - before)) <= REST:
                break
        return fits

    def step(
        self, parameters: FloatArray, residuals: FloatArray, variance: FloatArray, weights: FloatArray
    ) -> FloatArray:
        """Return the Newton step from some parameters, shape (p,), under several weightings; shape (p, b).

        Parameters
        ----------
        residuals, variance
            Of each trial at these parameters, shape (t,).
        weights
            Of the trials, shape (t, b).
        """
        slope = self.add_up(residuals[:, None] * weights) - (self._precision * parameters)[:, None]
        return np.asarray(
            np.linalg.solve(self.information(variance[:, None] * weights), slope.T[:, :, None])[:, :, 0].T
        )

    def _fit_together(
        self,
        successes: FloatArray,
        made: FloatArray,
        parameters: FloatArray,
        precision: FloatArray,
        max_iterations: int,
    ) -> PairFits:
        b, every = successes.shape[1], np.arange(len(parameters))
        objective, chances = self._evaluate(successes, made, parameters, precision)
        iterations, converged = np.zeros(b, dtype=np.intp), np.zeros(b, dtype=np.bool_)
        for _ in range(max_iterations):
            going = np.flatnonzero(~converged)
            if not len(going):
                break
            iterations[going] += 1
            of = slice(None) if len(going) == b else going  # a slice copies nothing
            s, m, at, prior, chance = (each[:, of] for each in (successes, made, parameters, precision, chances))
            slope = self.add_up(s - m * chance) - prior * at
            information = self.information(m * chance * (1 - chance), with_prior=False)
            information[:, every, every] += prior.T
            step = np.linalg.solve(information, slope.T[:, :, None])[:, :, 0].T
            size = np.ones(len(going))
            new, new_chances = self._evaluate(s, m, at + step, prior)
            # The objective is concave, so halving ends; the slack is its rounding error.
            while (worse := (new < objective[going] - 1e-9 * np.abs(objective[going])) & (size >= 1e-6)).any():
                size[worse] /= 2
                new[worse], new_chances[:, worse] = self._evaluate(
                    s[:, worse], m[:, worse], at[:, worse] + size[worse] * step[:, worse], prior[:, worse]
                )
            parameters[:, going], objective[going], chances[:, going] = at + size * step, new, new_chances
            converged[going] = np.max(np.abs(step), axis=0) <= TOLERANCE
        return PairFits(parameters, chances, converged, iterations)

    def information(self, variance: FloatArray, *, with_prior: bool = True) -> FloatArray:
        """Return the Fisher information where trials vary so much, shape (t, b); shape (b, p, p)."""
        found = self.squares(variance)
        if with_prior:
            found[:, np.arange(self._p), np.arange(self._p)] += self._precision
        return found

    def _leverage(self, variance: FloatArray, bread: FloatArray) -> FloatArray:
        """Return how far the fit follows each trial, shape (t,): the diagonal of the hat matrix."""
        return np.asarray(variance * self.forms(bread))

    def sandwich(self, residuals: FloatArray, variance: FloatArray, bread: FloatArray, cluster: IntArray) -> FloatArray:
        """Return the covariance of the parameters, trials of one cluster being alike; shape (p, p).

        Of the sandwich form (Liang and Zeger 1986). A fit follows its trials, the more so the fewer others there are
        like them, so residuals are smaller than errors: each cluster's are divided by the root of 1 less its leverage,
        which leaves no bias where the model holds (CR2: Bell and McCaffrey 2002; the trace of the leverage stands for
        its matrix, as is exact for trials that differ in nothing).

        Parameters
        ----------
        residuals, variance
            Of each trial, shape (t,).
        bread
            Inverse of the information, prior included; shape (p, p).
        cluster
            Number of each trial's cluster, from 0; shape (t,).

        Returns
        -------
        FloatArray
            In squared log-odds, shape (p, p).
        """
        leverage = np.bincount(cluster, self._leverage(variance, bread))
        sums = self._sums(residuals / np.sqrt(np.maximum(1 - leverage, LEAST_LEFT))[cluster], cluster)
        return np.asarray(bread @ (sums.T @ sums).toarray() @ bread)

    def errors(
        self,
        residuals: FloatArray,
        variance: FloatArray,
        cluster: IntArray,
        centring: FloatArray,
        *,
        parameters: FloatArray,
        drawn: bool,
    ) -> tuple[FloatArray, FloatArray]:
        """Return standard errors of the centred parameters, and the degrees of freedom of each; shape (p,) each.

        The variance that the model gives to an estimate has two parts: the sampling of its trials, and the shrinkage by
        the prior of what it estimates (Nychka 1988), on average over entities or of its own, whichever is more. Trials
        of one cluster are alike, so the former is multiplied by what the clusters scatter beyond the model
        (`sandwich`). An entity's factor rests on its own few clusters, whose effective number is Satterthwaite's (Bell
        and McCaffrey 2002), so entities' factors shrink towards what they have in common (Smyth 2004:
        `stats.noise.shrunk_variances`).

        Parameters
        ----------
        residuals, variance, cluster
            As for `sandwich`.
        centring
            What is taken of the parameters, shape (p, p).
        parameters
            The fit, shape (p,).
        drawn
            Whether outcomes are draws: these scatter no less than the model says, while probabilities do. A factor
            is at least 1 then, unless it is that of all entities.
        """
        # What the prior shrinks is as large as effects are found to be, or as the prior expects, if that is less. They
        # are found shrunk, so what is not known of them counts too.
        met = np.flatnonzero(self.met(variance[:, None])[:, 0] > 0)
        size = 1 / self._precision
        information = self.information(variance[:, None], with_prior=False)[0]
        bread = np.linalg.inv(information + np.diag(self._precision))
        found = np.mean(parameters[met] ** 2 + np.diag(bread)[met]) if len(met) else np.inf
        size[: self._n] = np.minimum(size[: self._n], found)
        spread = centring @ bread
        sampling = np.einsum("ij,ij->i", spread @ information, spread)
        shrinkage = np.einsum("ij,j,ij->i", spread, self._precision**2 * size, spread)
        # An entity far from the others is shrunk by more than most: by this much, as far as it is seen.
        shrinkage = np.maximum(shrinkage, (spread @ (self._precision * parameters)) ** 2)
        clustered = np.diag(centring @ self.sandwich(residuals, variance, bread, cluster) @ centring.T)
        factor = np.divide(clustered, sampling, out=np.ones_like(sampling), where=sampling > 0)
        df = self._effective_clusters(variance, cluster, spread)
        factor[met], df[met] = shrunk_variances(factor[met], df[met])
        if drawn:
            # What rests on few clusters is below 1 by chance; what all entities have in common may well be.
            factor = np.where(np.isfinite(df), np.maximum(factor, 1.0), factor)
        return np.sqrt(factor * sampling + shrinkage), df

    def _effective_clusters(self, variance: FloatArray, cluster: IntArray, spread: FloatArray) -> FloatArray:
        """Return Satterthwaite's degrees of freedom of each estimate's clustered variance, shape (p,)."""
        parts = np.asarray(self._regressors @ spread.T) ** 2 * variance[:, None]
        gathered = coo_array((np.ones(len(cluster)), (cluster, np.arange(len(cluster)))))
        of_cluster = np.asarray(csr_array(gathered) @ parts)
        squares = np.sum(of_cluster**2, axis=0)
        found = np.divide(of_cluster.sum(axis=0) ** 2, squares, out=np.ones_like(squares), where=squares > 0)
        return np.asarray(found)

    def cluster_scores(self, residuals: FloatArray, cluster: IntArray) -> FloatArray:
        """Return the sums of the scores over clusters, shape (clusters, p); residuals have shape (t,)."""
        return np.asarray(self._sums(residuals, cluster).toarray())

    def _sums(self, residuals: FloatArray, cluster: IntArray) -> csr_array:
        gathered = coo_array((residuals, (cluster, np.arange(len(cluster)))), (int(cluster.max()) + 1, len(cluster)))
        return csr_array(csr_array(gathered) @ self._regressors)

    def _evaluate(
        self, successes: FloatArray, made: FloatArray, parameters: FloatArray, precision: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the penalised log-likelihood, shape (b,), and the chances, shape (t, b)."""
        logits = self.log_odds(parameters)
        decay = np.exp(-np.abs(logits))
        chances = np.where(logits >= 0, 1.0, decay) / (1 + decay)
        softplus = np.maximum(logits, 0) + np.log1p(decay)
        likelihood = np.einsum("tb,tb->b", successes, logits) - np.einsum("tb,tb->b", made, softplus)
        return likelihood - np.einsum("pb,pb->b", precision, parameters**2) / 2, chances
