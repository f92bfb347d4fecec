"""Integrated gradients, ablation and Shapley values, from the equations, in float64.

The network is a function of both normalised tracks; derivatives are central
differences along the ways of the filters, no automatic ones.
"""

from __future__ import annotations

from itertools import product
from math import factorial

import numpy as np


def conv_same(x, kernel, bias, stride):
    """A convolution with 'same' padding as TensorFlow pads, loop by loop."""
    height, width, _ = x.shape
    rows, columns = -(-height // stride), -(-width // stride)
    down = max((rows - 1) * stride + kernel.shape[0] - height, 0)
    across = max((columns - 1) * stride + kernel.shape[1] - width, 0)
    padded = np.pad(
        x,
        ((down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0)),
    )
    out = np.zeros((rows, columns, kernel.shape[-1]))
    for i in range(rows):
        for j in range(columns):
            top, left = i * stride, j * stride
            patch = padded[top : top + kernel.shape[0], left : left + kernel.shape[1]]
            out[i, j] = np.tensordot(patch, kernel, 3) + bias
    return out


def logits(interpretable, ordinary, share, weights, stride):
    """Gate, conv decoder (one map target), global mean and dense head of one image.

    Args:
        interpretable, ordinary: (H, W, F).
        share: `p`.
        weights: kernel and bias of the conv, of its reading layer, of the head.
        stride: of the conv.
    """
    kernel, bias, read, read_bias, head, head_bias = weights
    mixed = share * interpretable + (1 - share) * ordinary
    hidden = np.maximum(conv_same(mixed, kernel, bias, stride), 0)
    target = np.maximum(hidden @ read + read_bias, 0)
    return target.mean((0, 1)) @ head + head_bias


def integrated_gradients(function, tracks, means, steps, epsilon=1e-6):
    """Shares (F + 1,) of one image by the midpoint rule.

    Args:
        function: (interpretable, ordinary) to one number.
        tracks, means: pairs of (H, W, F): where the path ends and begins.
        steps: points of the path.
    """
    ways = [track - mean for track, mean in zip(tracks, means, strict=True)]
    filters = tracks[0].shape[-1]
    shares = np.zeros(filters + 1)
    for step in range(steps):
        t = (step + 0.5) / steps
        point = [mean + t * way for mean, way in zip(means, ways, strict=True)]
        for f in range(filters + 1):
            move = [np.zeros_like(way) for way in ways]
            if f < filters:
                move[0][..., f] = ways[0][..., f]
            else:
                move[1] = ways[1]
            up, down = (
                function(
                    *[p + s * epsilon * m for p, m in zip(point, move, strict=True)]
                )
                for s in (1, -1)
            )
            shares[f] += (up - down) / (2 * epsilon) / steps
    return shares


def cell_gradients(function, tracks, means, steps, epsilon=1e-6):
    """Integrated gradients (H, W) of each cell of both tracks together."""
    ways = [track - mean for track, mean in zip(tracks, means, strict=True)]
    cells = np.zeros(tracks[0].shape[:2])
    for at in np.ndindex(*cells.shape):
        moves = [np.zeros_like(way) for way in ways]
        for move, way in zip(moves, ways, strict=True):
            move[at] = way[at]
        for step in range(steps):
            t = (step + 0.5) / steps
            up, down = (
                function(
                    *[
                        mean + t * way + s * epsilon * move
                        for mean, way, move in zip(means, ways, moves, strict=True)
                    ]
                )
                for s in (1, -1)
            )
            cells[at] += (up - down) / (2 * epsilon) / steps
    return cells


def ablation(function, tracks, means):
    """Shares (F + 1,) of one image: the number minus that without a filter."""
    whole = function(*tracks)
    filters = tracks[0].shape[-1]
    shares = np.zeros(filters + 1)
    for f in range(filters):
        without = tracks[0].copy()
        without[..., f] = means[0][..., f]
        shares[f] = whole - function(without, tracks[1])
    shares[filters] = whole - function(tracks[0], means[1])
    return shares


def shapley(function, tracks, means):
    """Shares (F + 1,) of one image: the sum over all coalitions, none sampled."""
    players = tracks[0].shape[-1] + 1
    value = {}
    for kept in product((0, 1), repeat=players):
        filters = np.array(kept[:-1], float)
        value[kept] = function(
            means[0] + filters * (tracks[0] - means[0]),
            means[1] + kept[-1] * (tracks[1] - means[1]),
        )
    shares = np.zeros(players)
    for kept, with_it in value.items():
        before = sum(kept) - 1
        weight = factorial(max(before, 0)) * factorial(players - 1 - before)
        for player in np.flatnonzero(kept):
            without = (*kept[:player], 0, *kept[player + 1 :])
            rise = with_it - value[without]
            shares[player] += weight / factorial(players) * rise
    return shares
