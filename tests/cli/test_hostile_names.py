"""Names that a terminal or a table would obey are shown as they are."""

from __future__ import annotations

import pytest

from keras_explainer.cli.left_out import show_bad
from keras_explainer.cli.metrics_tables import _variance
from keras_explainer.datasets import ImageFolder
from keras_explainer.errors import DataError

pytestmark = pytest.mark.one_backend


def test_a_line_of_a_log_cannot_be_made_up(tmp_path, capsys):
    """A file whose name ends the line and begins another, coloured one."""
    name = "a\n\x1b[31mError: all is lost\x1b[0m.png"
    (tmp_path / name).write_bytes(b"")
    (tmp_path / "b.png").write_bytes(b"")
    images = ImageFolder(tmp_path, image_size=(8, 8), test_share=0.0)
    with pytest.raises(DataError) as caught:
        images.train.check()
    assert "\x1b" not in str(caught.value)
    show_bad([f"{name} is empty"])
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert [line for line in said.splitlines() if line.startswith("Error")] == []
    assert len(said.splitlines()) == 2


def test_a_layer_called_like_markup_is_in_the_table():
    from rich.console import Console

    explainer = {
        "explained_variance": {"[/b] [red]x": 0.5},
        "top1_agreement": 1.0,
        "without_ordinary": None,
        "without_interpretable": None,
    }
    console = Console(width=120)
    with console.capture() as shown:
        console.print(_variance(explainer))
    assert "[/b] [red]x" in shown.get()
