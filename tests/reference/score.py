"""Slow float64 reference of the map-based figures: plain loops over the definitions.

Maps are (N, H, W, C), centres (N, P, 2) in pixels (y, x) with NaN where absent, size is
(height, width) of the image in pixels. `None` stands for what cannot be had.
"""

import math
import statistics

import numpy as np

NO_R2 = -math.inf


def fire(maps, n, c):
    """(row, column, maximum): the first maximum in row-major order."""
    best = (0, 0, -math.inf)
    for row in range(maps.shape[1]):
        for column in range(maps.shape[2]):
            if maps[n, row, column, c] > best[2]:
                best = (row, column, float(maps[n, row, column, c]))
    return best


class Scene:
    """Positions of all filters in all images, worked out one by one."""

    def __init__(self, maps, centres, size):
        self.maps = np.asarray(maps, np.float64)
        self.centres = np.asarray(centres, np.float64)
        self.size = size
        self.images, self.height, self.width, self.filters = self.maps.shape
        self.parts = self.centres.shape[1]
        self.diagonal = math.sqrt(size[0] ** 2 + size[1] ** 2)
        self.cell, self.place, self.strength = {}, {}, {}
        for n in range(self.images):
            for c in range(self.filters):
                row, column, value = fire(self.maps, n, c)
                self.cell[n, c] = (row, column)
                self.place[n, c] = (
                    (row + 0.5) * size[0] / self.height,
                    (column + 0.5) * size[1] / self.width,
                )
                self.strength[n, c] = value
        self.live = []
        for c in range(self.filters):
            silent = sum(self.silent(n, c) for n in range(self.images))
            if silent / self.images <= 0.99:
                self.live.append(c)

    def silent(self, n, c):
        return self.strength[n, c] <= 0

    def shows(self, n, p):
        return not math.isnan(self.centres[n, p, 0])

    def strongest(self, c, p, images):
        """At most 100 non-silent images of the part, by falling strength."""
        able = [n for n in images if self.shows(n, p) and not self.silent(n, c)]
        return sorted(able, key=lambda n: -self.strength[n, c])[:100]

    def distance(self, n, c, p):
        return math.dist(self.place[n, c], self.centres[n, p])


def location_instability(scene):
    of_filters = []
    for c in scene.live:
        of_parts = []
        for p in range(scene.parts):
            images = scene.strongest(c, p, range(scene.images))
            if len(images) >= 2:
                distances = [scene.distance(n, c, p) for n in images]
                of_parts.append(statistics.stdev(distances))
        if of_parts:
            of_filters.append(statistics.fmean(of_parts))
    return statistics.fmean(of_filters) / scene.diagonal if of_filters else None


def r2(scene, c, p, images):
    images = scene.strongest(c, p, images)
    if len(images) < 8:
        return NO_R2
    rest = total = 0.0
    for axis in range(2):
        centre = [scene.centres[n, p, axis] for n in images]
        offset = [scene.centres[n, p, axis] - scene.place[n, c][axis] for n in images]
        total += statistics.pvariance(centre)
        rest += statistics.pvariance(offset)
    return 1 - rest / total if total > 0 else NO_R2


def halves(images, seed):
    order = list(np.random.default_rng(seed).permutation(images))
    return order[: images // 2], order[images // 2 :]


def part_tracking(scene):
    counted = [0] * scene.parts
    for seed in range(10):
        half_a, half_b = halves(scene.images, seed)
        for c in range(scene.filters):
            scores = [r2(scene, c, p, half_a) for p in range(scene.parts)]
            part = scores.index(max(scores))
            if c in scene.live and r2(scene, c, part, half_b) >= 0.3:
                counted[part] += 1
    by_part = [count / (10 * scene.filters) for count in counted]
    return sum(by_part), by_part


def distinct_positions(scene):
    numbers = []
    for n in range(scene.images):
        cells = [scene.cell[n, c] for c in scene.live if not scene.silent(n, c)]
        if cells:
            entropy = 0.0
            for cell in set(cells):
                share = cells.count(cell) / len(cells)
                entropy -= share * math.log(share)
            numbers.append(math.exp(entropy))
    return statistics.fmean(numbers) if numbers else None


def concentration(scene):
    side = max(scene.height, scene.width)
    of_filters = []
    for c in scene.live:
        shares = []
        for n in range(scene.images):
            if scene.silent(n, c):
                continue
            inside = mass = 0.0
            for row in range(scene.height):
                for column in range(scene.width):
                    value = max(scene.maps[n, row, column, c], 0.0)
                    away = abs(row - scene.cell[n, c][0])
                    away += abs(column - scene.cell[n, c][1])
                    mass += value
                    # The mask is 1 - 4 * away / side.
                    inside += value if 4 * away < side else 0.0
            shares.append(inside / mass)
        of_filters.append(statistics.fmean(shares))
    return statistics.fmean(of_filters) if of_filters else None


def filter_correlation(scene):
    columns = []
    for c in scene.live:
        column = scene.maps[..., c].ravel()
        if column.max() > column.min():
            columns.append(column - column.mean())
    pairs = []
    for i, a in enumerate(columns):
        for b in columns[i + 1 :]:
            pairs.append(abs(a @ b) / math.sqrt((a @ a) * (b @ b)))
    return statistics.fmean(pairs) if pairs else None


def ridge(features, targets, train, test, penalty):
    """Predictions for `test` by the normal equations, intercept not penalised."""
    x_mean, y_mean = features[train].mean(0), targets[train].mean(0)
    x, y = features[train] - x_mean, targets[train] - y_mean
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    return (features[test] - x_mean) @ weights + y_mean


def mean_distance(predicted, truth):
    return statistics.fmean(map(math.dist, predicted, truth))


def landmark_error(scene):
    """Regression's error, mean predictor's error, regression's error by part."""
    if not scene.live:
        return None, None, None
    features = np.zeros((scene.images, 2 * len(scene.live)))
    for k, c in enumerate(scene.live):
        for axis in range(2):
            known = [
                scene.place[n, c][axis]
                for n in range(scene.images)
                if not scene.silent(n, c)
            ]
            for n in range(scene.images):
                silent = scene.silent(n, c)
                value = statistics.fmean(known) if silent else scene.place[n, c][axis]
                features[n, 2 * k + axis] = value / scene.size[axis]
    errors, means = [], []
    for p in range(scene.parts):
        if sum(scene.shows(n, p) for n in range(scene.images)) < 30:
            errors.append(None)
            means.append(None)
            continue
        targets = scene.centres[:, p]
        of_splits, of_means = [], []
        for seed in range(10):
            half_a, half_b = halves(scene.images, seed)
            train = [n for n in half_a if scene.shows(n, p)]
            test = [n for n in half_b if scene.shows(n, p)]
            folds = [list(fold) for fold in np.array_split(train, 5)]
            best = (math.inf, None)
            for exponent in range(-2, 5):
                penalty = 10.0**exponent
                score = 0.0
                for fold in folds:
                    others = [n for n in train if n not in fold]
                    predicted = ridge(features, targets, others, fold, penalty)
                    score += mean_distance(predicted, targets[fold]) / 5
                if score < best[0]:
                    best = (score, penalty)
            predicted = ridge(features, targets, train, test, best[1])
            of_splits.append(mean_distance(predicted, targets[test]))
            constant = [targets[train].mean(0)] * len(test)
            of_means.append(mean_distance(constant, targets[test]))
        errors.append(statistics.fmean(of_splits) / scene.diagonal)
        means.append(statistics.fmean(of_means) / scene.diagonal)

    def mean(values):
        known = [value for value in values if value is not None]
        return statistics.fmean(known) if known else None

    return mean(errors), mean(means), errors


def figures(maps, centres, size):
    """All figures, by their names in metrics.json."""
    scene = Scene(maps, centres, size)
    share, by_part = part_tracking(scene)
    error, mean, error_by_part = landmark_error(scene)
    return {
        "location_instability": location_instability(scene),
        "part_tracking_share": share,
        "tracking_by_part": by_part,
        "landmark_error": error,
        "landmark_mean_predictor": mean,
        "landmark_by_part": error_by_part,
        "distinct_positions": distinct_positions(scene),
        "concentration": concentration(scene),
        "filter_correlation": filter_correlation(scene),
        "dead_filters": scene.filters - len(scene.live),
        "filters": scene.filters,
    }


def explained_variance(x, reconstructed):
    """1 - sum |x - x_hat|^2 / sum |x - x_bar|^2 over images and features."""
    x = np.asarray(x, np.float64).reshape(len(x), -1)
    reconstructed = np.asarray(reconstructed, np.float64).reshape(x.shape)
    rest = total = 0.0
    for feature in range(x.shape[1]):
        mean = math.fsum(x[:, feature]) / len(x)
        total += math.fsum((x[:, feature] - mean) ** 2)
        rest += math.fsum((x[:, feature] - reconstructed[:, feature]) ** 2)
    return 1 - rest / total


def kl(teacher_logits, logits):
    """Mean over images of KL(teacher || reconstruction) in nats."""

    def log_softmax(row):
        top = float(max(row))
        row = [float(value) - top for value in row]
        norm = math.log(math.fsum(map(math.exp, row)))
        return [value - norm for value in row]

    values = []
    for n in range(len(logits)):
        log_p, log_q = log_softmax(teacher_logits[n]), log_softmax(logits[n])
        terms = [math.exp(log_p[k]) * (log_p[k] - log_q[k]) for k in range(len(log_p))]
        values.append(math.fsum(terms))
    return statistics.fmean(values)
