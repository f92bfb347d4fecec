"""The best one-to-one matching (Kuhn's Hungarian method, by shortest paths)."""

from __future__ import annotations

import numpy as np


def best_matching(score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows and columns, each used once, with the highest sum of scores.

    As `scipy.optimize.linear_sum_assignment(score, maximize=True)`, which the package
    does not depend on; O(n² m) for n rows and m columns (Jonker and Volgenant 1987).

    Args:
        score: (n, m), finite.

    Returns:
        Row and column indices, each (min(n, m),), rows in order.
    """
    if score.shape[0] > score.shape[1]:
        columns, rows = best_matching(score.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    cost = -np.asarray(score, "float64")
    count, width = cost.shape
    row_price, column_price = np.zeros(count), np.zeros(width)
    owner = np.full(width, -1)
    for row in range(count):
        _assign(row, cost, row_price, column_price, owner)
    columns = np.flatnonzero(owner >= 0)
    order = np.argsort(owner[columns])
    return owner[columns][order], columns[order]


def _assign(
    row: int,
    cost: np.ndarray,
    row_price: np.ndarray,
    column_price: np.ndarray,
    owner: np.ndarray,
) -> None:
    """Gives one more row a column, by the cheapest path of exchanges."""
    width = cost.shape[1]
    distance, before = np.full(width, np.inf), np.full(width, -1)
    done = np.zeros(width, bool)
    at, reached, last = row, 0.0, -1
    while True:
        reduced = reached + cost[at] - row_price[at] - column_price
        better = ~done & (reduced < distance)
        distance[better], before[better] = reduced[better], last
        last = int(np.where(done, np.inf, distance).argmin())
        reached = distance[last]
        done[last] = True
        if owner[last] < 0:
            break
        at = int(owner[last])
    row_price[row] += reached
    for column in np.flatnonzero(done):
        slack = reached - distance[column]
        column_price[column] -= slack
        if owner[column] >= 0:
            row_price[owner[column]] += slack
    while last >= 0:
        previous = int(before[last])
        owner[last] = row if previous < 0 else owner[previous]
        last = previous
