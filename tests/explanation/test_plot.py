"""Matplotlib figures of filters and explanations."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import keras_explainer as kx
from keras_explainer import explanation
from keras_explainer.datasets import ImageArray
from keras_explainer.errors import ConfigError, DataError

pytest.importorskip("matplotlib")
pytestmark = pytest.mark.one_backend


def pixels_of(figure):
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=60)
    return np.asarray(Image.open(buffer).convert("RGB"))


def test_filters(measured, images):
    figure = kx.plot.filters(measured, images, [4, 2], columns=3, part_names={4: "$x$"})
    axes = figure.get_axes()
    assert len(axes) == 6
    assert "filter 4" in axes[0].get_ylabel() and r"\$x\$" in axes[0].get_ylabel()
    assert "dead" in axes[3].get_ylabel()  # filter 2 never fires
    assert all("adds" in one.get_xlabel() for one in axes[:3])
    assert len(np.unique(pixels_of(figure))) > 50
    summary = explanation.summarize(measured, images, top=3, verbose=0)
    found = explanation.explain(measured, images, verbose=0)
    strongest = max(item.part(4).strength for item in found)
    assert summary.filter(4).top[0].finding.strength == pytest.approx(strongest)
    again = kx.plot.filters(summary, ImageArray(images), [4], columns=3)
    assert len(again.get_axes()) == 3
    assert len(kx.plot.filters(summary, images).get_axes()) == 6 * 8


def test_explanation(measured, images):
    item = explanation.explain(measured, images[:1], verbose=0)[0]
    figure = kx.plot.explanation(item, images[0], parts=2)
    left, right = figure.get_axes()
    assert len(left.texts) == len(item.present[:2])
    widths = [bar.get_width() for bar in right.patches]
    assert widths[:-2] == pytest.approx([p.contribution for p in item.present[:2]])
    assert widths[-1] == pytest.approx(item.contributions.ordinary)
    assert item.explained.title.replace("$", "") in right.get_title(loc="left")
    assert len(np.unique(pixels_of(figure))) > 50


def test_an_explanation_without_contributions(measured, images):
    item = explanation.explain(measured, images[:1], contributions=None, verbose=0)[0]
    right = kx.plot.explanation(item, images[0]).get_axes()[1]
    assert right.get_title(loc="left") == "relative strength"
    assert len(right.patches) == len(item.present[:6])


def test_bad_input(measured, images, monkeypatch):
    with pytest.raises(DataError, match="no filter 6"):
        kx.plot.filters(measured, images, [6])
    with pytest.raises(ConfigError, match="whole numbers"):
        kx.plot.filters(measured, images, ["head"])
    with pytest.raises(DataError, match="at least one filter"):
        kx.plot.filters(measured, images, [])
    with pytest.raises(ConfigError, match="columns"):
        kx.plot.filters(measured, images, columns=0)
    summary = explanation.summarize(measured, images, verbose=0)
    with pytest.raises(DataError, match="summary is of 7 images, these are 2"):
        kx.plot.filters(summary, images[:2])
    item = explanation.explain(measured, images[:1], verbose=0)[0]
    with pytest.raises(ConfigError, match="parts"):
        kx.plot.explanation(item, images[0], parts=0)
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(ConfigError, match=r"keras-explainer\[report\]"):
        kx.plot.explanation(item, images[0])
