"""The regressors of pairs of entities: one for each entity, which counts for the pair or against it, and others.

Almost all of them are 0. Many columns at once are multiplied as sparse matrices; to begin such a product takes longer
than all of one column by entity, so one column goes by entity.
"""

from functools import cached_property

import numpy as np
from scipy.sparse import coo_array, csr_array

from pytest_llmpref.stats.arrays import FloatArray, IntArray


class PairDesign:
    """The regressors of ``effect[first] + sign * effect[second] + others @ coefficients``.

    Parameters
    ----------
    first, second
        Index of the entity shown first, and second; shape (t,).
    n_entities
        Number of entities.
    sign
        -1 if the two compete, 1 if they add up.
    others
        Further regressors, shape (t, k); there are ``p = n_entities + k`` of all.
    """

    def __init__(self, first: IntArray, second: IntArray, n_entities: int, *, sign: float, others: FloatArray) -> None:
        self._first, self._second, self._n, self._sign, self._others = first, second, n_entities, sign, others
        self._p = n_entities + others.shape[1]

    @cached_property
    def _regressors(self) -> csr_array:
        """The regressors, shape (t, p)."""
        n, (t, k) = self._n, self._others.shape
        values = np.concatenate([np.ones(t), np.full(t, self._sign), *self._others.T])
        columns = np.concatenate([self._first, self._second, *(np.full(t, n + column) for column in range(k))])
        design = csr_array(coo_array((values, (np.tile(np.arange(t), 2 + k), columns)), (t, n + k)))
        # Of regressors that tell categories apart, all but one are 0 in each trial.
        design.eliminate_zeros()
        return design

    @cached_property
    def _turned(self) -> csr_array:
        return csr_array(self._regressors.T)

    def trials(self, rows: IntArray) -> csr_array:
        """Return the regressors of some trials, shape (rows, p): what a success of each adds to the slope."""
        return csr_array(self._regressors[rows])

    def add_up(self, values: FloatArray) -> FloatArray:
        """Return the values of all trials, shape (t, b), added up by parameter; shape (p, b)."""
        if values.shape[1] > 1:
            return np.asarray(self._turned @ values)
        # To begin a product with a sparse matrix takes longer than all of this.
        of_trial = values[:, 0]
        first, second = (np.bincount(each, of_trial, self._n) for each in (self._first, self._second))
        return np.concatenate([first + self._sign * second, of_trial @ self._others])[:, None]

    def log_odds(self, parameters: FloatArray) -> FloatArray:
        """Return the log-odds of each trial, shape (t, b), for parameters of shape (p, b)."""
        if parameters.shape[1] > 1:
            return np.asarray(self._regressors @ parameters)
        effects, coefficients = parameters[: self._n, 0], parameters[self._n :, 0]
        logits = effects[self._first] + self._sign * effects[self._second] + self._others @ coefficients
        return np.asarray(logits[:, None])

    def met(self, weights: FloatArray) -> FloatArray:
        """Return the weight of the trials about each entity; shape (n_entities, b) for weights of shape (t, b)."""
        return np.asarray(abs(self._turned[: self._n]) @ weights)

    def squares(self, weights: FloatArray) -> FloatArray:
        """Return the regressors' sums of squares and products with each weights of shape (t, b); shape (b, p, p)."""
        n, p, b = self._n, self._p, weights.shape[1]
        found = np.empty((b, p, p))
        met = self._by_cell(weights)
        between = self._sign * (met + met.transpose(0, 2, 1))
        between[:, np.arange(n), np.arange(n)] += met.sum(axis=1) + met.sum(axis=2)
        found[:, :n, :n] = between
        if b == 1:
            weighted = weights * self._others
            first, second = (np.bincount(cell, weighted.ravel(), n * (p - n)) for cell in self._beside)
            found[0, n:, :n] = (first + self._sign * second).reshape(n, p - n).T
            found[0, n:, n:] = self._others.T @ weighted
        else:
            for column, regressor in enumerate(self._others.T):
                found[:, n + column] = self.add_up(weights * regressor[:, None]).T
        found[:, :n, n:] = found[:, n:, :n].transpose(0, 2, 1)
        return found

    def forms(self, matrix: FloatArray) -> FloatArray:
        """Return the quadratic form ``x' matrix x`` of each trial's regressors, shape (t,); the matrix is symmetric."""
        n, first, second = self._n, self._first, self._second
        own, beside = np.diagonal(matrix), matrix[:n, n:]
        of_entities = own[first] + own[second] + 2 * self._sign * matrix[first, second]
        both = 2 * (beside[first] + self._sign * beside[second]) + self._others @ matrix[n:, n:]
        return np.asarray(of_entities + np.einsum("tk,tk->t", both, self._others))

    def _by_cell(self, weights: FloatArray) -> FloatArray:
        """Return the weight of the trials about each first and each second entity, shape (b, n, n)."""
        n, b = self._n, weights.shape[1]
        if b == 1:
            return np.asarray(np.bincount(self._cell, weights[:, 0], n**2), dtype=np.float64).reshape(1, n, n)
        return np.moveaxis(np.asarray(self._met @ weights).reshape(n, n, b), -1, 0)

    @cached_property
    def _cell(self) -> IntArray:
        """Number of each trial's first and second entity, shape (t,)."""
        return self._first * self._n + self._second

    @cached_property
    def _beside(self) -> tuple[IntArray, IntArray]:
        """Number of each trial's first entity, and second, with each further regressor; shape (t * k,) each."""
        k = self._others.shape[1]
        first, second = ((k * each[:, None] + np.arange(k)).ravel() for each in (self._first, self._second))
        return first, second

    @cached_property
    def _met(self) -> csr_array:
        """Which trials are about each first and each second entity; shape (n * n, t)."""
        t = len(self._cell)
        return csr_array(coo_array((np.ones(t), (self._cell, np.arange(t))), (self._n**2, t)))
