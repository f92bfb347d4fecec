"""Reports: what they hold, what they escape, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from nasty import NASTY
from PIL import Image

from keras_explainer import runs
from keras_explainer.errors import ConfigError, DataError, ReportError, RunError
from keras_explainer.explanation import summarize
from keras_explainer.report import check_target, figures, write_report
from keras_explainer.report.answers_log import AnswersLog, Disagreement
from keras_explainer.report.content import chosen_images
from keras_explainer.report.learning_curves import learning_curves
from keras_explainer.results import ExplainerSummary

pytest.importorskip("jinja2")
pytestmark = pytest.mark.one_backend


class Page(HTMLParser):
    """Tags with their attributes, the texts of scripts and styles, all other text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, Any]]] = []
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self.text = ""
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.append((tag, dict(attrs)))
        self._open = tag if tag in self.inside else ""

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open:
            self.inside[self._open].append(data)
        else:
            self.text += data

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.inside["script"][0])


@pytest.fixture(scope="module")
def metrics(explainer, images):
    return runs.evaluate(explainer, images)


@pytest.fixture(scope="module")
def made(explainer, images, metrics, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reports") / "all"
    return write_report(
        explainer,
        folder,
        images,
        top=5,
        shown=6,
        metrics=metrics,
        part_names={3: NASTY},
    )


@pytest.fixture(scope="module")
def page(made):
    return Page(made.read_text(encoding="utf-8"))


def test_figures_stand_beside_their_controls(page, metrics):
    explainer, teacher = metrics["explainer"], metrics["teacher"]
    constant = metrics["baselines"]["constant_position"]
    rows = {row["title"][:12]: row for row in figures.part_rows(metrics)}
    tracking = rows["Part trackin"]
    assert tracking["explainer"] == f"{explainer['part_tracking_share']:.3f}"
    assert tracking["teacher"] == f"{teacher['part_tracking_share']:.3f}"
    unstable = rows["Location ins"]
    assert unstable["control"] == f"{constant['location_instability']:.3f}"
    for row in figures.part_rows(metrics) + figures.fidelity_rows(metrics):
        assert row["title"] in page.text
        assert row["explainer"] in page.text
    assert "Explained variance of the logits" in page.text
    assert "Read this first" in page.text


def test_the_data_are_those_of_the_summary(page, explainer, images):
    summary = summarize(explainer, images, top=5, verbose=0)
    assert len(page.data["filters"]) == 8
    for one, shown in zip(summary.filters, page.data["filters"], strict=True):
        assert shown["use"] == pytest.approx(one.use, abs=1e-4)
        assert shown["mi"] == pytest.approx(one.information, abs=1e-3)
        assert shown["part"] == one.tracked_part
        assert [top[1] for top in shown["top"]] == [top.title for top in one.top]
        if one.mean_position is not None:
            y, x = one.mean_position
            assert shown["at"] == pytest.approx([x / 48, y / 40], abs=1e-3)
        for top, found in zip(shown["top"], one.top, strict=True):
            row, column = found.finding.cell
            assert top[2] == [[column, row]]


def test_pictures_are_embedded_once_and_are_the_right_ones(page, images):
    data = page.data
    every = {
        top[0]: top[1] for one in data["filters"] for top in one["top"] if one["top"]
    }
    assert sorted(every) == list(range(len(data["pictures"])))
    assert len(set(data["pictures"])) == len(data["pictures"])
    for place, name in list(every.items())[:4]:
        picture = Image.open(io.BytesIO(base64.b64decode(data["pictures"][place])))
        given = images.images([images.files.index(name)])[0]
        assert picture.size == (48, 40)
        assert np.abs(np.asarray(picture).astype(float) - given).mean() < 12


def test_nothing_is_loaded_and_only_its_own_script_runs(page, made):
    policy = next(
        tag["content"]
        for name, tag in page.tags
        if tag.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:;")
    for kind, directive in (("script", "script-src"), ("style", "style-src")):
        digest = hashlib.sha256(page.inside[kind][-1].encode()).digest()
        assert f"{directive} 'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert "unsafe" not in policy
    for name, attributes in page.tags:
        assert "style" not in attributes, name
        assert not any(key.startswith("on") for key in attributes), name
        for key in ("src", "href"):
            value = attributes.get(key, "#")
            assert value.startswith(("#", "data:")), value
    assert "http://" not in page.inside["style"][0]
    assert made.stat().st_size < 2e6


def test_names_that_look_like_html_are_texts(page, made):
    """Labels, part names and file names: as JSON in which no tag can begin."""
    text = made.read_text(encoding="utf-8")
    assert NASTY not in text and "<b>020" not in text and "boom()<" not in text
    data = page.data
    assert data["filters"][3]["name"] == NASTY
    scripts = [tag for tag in page.tags if tag[0] == "script"]
    assert len(scripts) == 2 and scripts[0][1]["type"] == "application/json"
    names = {top[1] for one in data["filters"] for top in one["top"]}
    names |= {one["title"] for one in data["shown"]}
    assert any(name.startswith("images/") for name in names)
    assert "\\u003c" in text


def test_disagreements(page, explainer, images):
    """Those of single explanations; escaped in the table."""
    found = explainer.explain(images, verbose=0)
    odd = [
        item.title
        for item in found
        if item.answer.class_index != item.reconstruction_answer.class_index
    ]
    if odd:
        assert f"On {len(odd)} of 40 images" in page.text
        assert odd[0] in page.text
    else:
        assert "On none of 40 images" in page.text


def test_images_to_step_through_are_chosen_by_nobody():
    log = AnswersLog()
    assert chosen_images(log, 100, 4) == [0, 25, 50, 75]
    assert chosen_images(log, 3, 24) == [0, 1, 2]
    log.disagreements = [
        Disagreement(
            index=at, teacher="a", teacher_score=1, explainer="b", explainer_score=1
        )
        for at in (5, 6, 7)
    ]
    assert chosen_images(log, 100, 4) == [0, 5, 6, 51]
    assert chosen_images(log, 100, 0) == []


def test_explanations_are_those_of_explain(page, explainer, images):
    shown = page.data["shown"]
    assert len(shown) == 6
    for one in shown[:3]:
        item = explainer.explain(images.subset([one["number"]]), verbose=0)[0]
        assert one["title"] == item.image
        assert one["present"] == len(item.present)
        assert [part["filter"] for part in one["parts"]] == [
            part.filter for part in item.present[:8]
        ]
        assert one["logit"]["ordinary"] == pytest.approx(
            item.contributions.ordinary, abs=2e-3
        )


def test_beside_it_lies_the_summary(made):
    summary = ExplainerSummary.load_json(made.with_name("summary.json"))
    assert len(summary.filters) == 8 and len(summary.filters[0].top) <= 5


def test_without_images_nothing_of_them_is_in_the_file(explainer, images, tmp_path):
    file = write_report(
        explainer, tmp_path / "private", images, embed_images=False, shown=4
    )
    text = file.read_text(encoding="utf-8")
    data = Page(text).data
    assert data["pictures"] == data["shown_pictures"] == []
    assert "image/jpeg;base64," not in text.replace('"data:image/jpeg;base64,"', "")
    for name in images.files:
        assert html.escape(name) not in text and name not in text
    assert {path.name for path in file.parent.iterdir()} == {"report.html"}
    assert data["filters"][0]["top"] or data["filters"][1]["top"]


def test_a_report_that_is_there_is_kept(explainer, images, metrics, tmp_path, made):
    file = tmp_path / "one.html"
    file.write_text("mine")
    with pytest.raises(ReportError, match="exists"):
        write_report(explainer, file, images, metrics=metrics)
    assert file.read_text() == "mine"
    write_report(explainer, file, images, metrics=metrics, force=True, shown=0, top=1)
    assert 'id="images"' not in file.read_text()
    with pytest.raises(ReportError, match="holds files"):
        check_target(made.parent)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ReportError, match="is a file"):
        check_target(tmp_path / "file", force=True)
    assert check_target(tmp_path / "new") == tmp_path / "new" / "report.html"
    assert check_target(tmp_path / "new.HTML") == tmp_path / "new.HTML"


def test_arguments_in_another_order_are_refused(explainer, images, tmp_path):
    file, order = tmp_path / "one.html", r"write_report\(run, to, data\)"
    for given in (images, images.load()[:4], None):
        with pytest.raises(ReportError, match=f"^to is .* got .*{order}") as caught:
            write_report(explainer, given, file)
        assert f"got {type(given).__name__}." in str(caught.value)
    for given in (images, explainer.teacher):
        with pytest.raises(ReportError, match=f"^run is .* got .*{order}"):
            write_report(given, file, images)
    assert not list(tmp_path.iterdir())


def test_a_page_that_cannot_be_made_leaves_nothing(
    explainer, images, metrics, tmp_path, monkeypatch
):
    file = tmp_path / "one.html"
    file.write_text("old")
    monkeypatch.setattr("os.replace", _fail)
    with pytest.raises(ReportError, match="cannot be written"):
        write_report(explainer, file, images, metrics=metrics, force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["one.html"]
    assert file.read_text() == "old"


def _fail(*_: Any) -> None:
    raise OSError("no room")


def test_few_images_without_annotations(explainer, images, tmp_path):
    """No centres: no figures of parts, and it is said."""
    file = write_report(explainer, tmp_path / "a.html", images.load()[:3])
    page = Page(file.read_text())
    assert "There are no part centres" in page.text
    assert "Only 3 images" in page.text
    assert {one["tracking"] for one in page.data["filters"]} == {None}
    assert page.data["parts"] == []


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"data": np.zeros((0, 40, 48, 3), "uint8")}, DataError, "no pixels"),
        ({"data": np.zeros((2, 9, 48, 3), "uint8")}, DataError, "teacher takes"),
        ({"data": "nowhere"}, DataError, "nowhere"),
        ({"data": None}, ConfigError, "needs data"),
        ({"class_index": 3}, ConfigError, "out of range"),
        ({"class_index": "dgo"}, ConfigError, "dog"),
        ({"top": -1}, ConfigError, "top"),
        ({"shown": 501}, ConfigError, "shown"),
        ({"limit": 0}, ConfigError, "limit"),
        ({"part_names": {99: "ear"}}, DataError, "99"),
    ],
)
def test_bad_input(explainer, images, tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        write_report(explainer, tmp_path / "r.html", **{"data": images, **arguments})
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_none(tmp_path):
    with pytest.raises(RunError):
        write_report(tmp_path, tmp_path / "r.html")


def test_a_teacher_without_a_head(images, tmp_path):
    """No answers and no contributions: the page says why."""
    from small_teacher import make_teacher

    from keras_explainer.explainer import Explainer
    from keras_explainer.teachers import Teacher

    model = make_teacher().model
    layer = [one.name for one in model.layers if len(one.output.shape) == 4]
    import keras

    body = keras.Model(model.input, model.get_layer(layer[-1]).output)
    teacher = Teacher(body, tap=layer[-2], targets=[layer[-1]])
    explainer = Explainer(teacher, filters=4, recipe="single")
    pixels = np.random.default_rng(0).integers(
        0, 256, (9, *teacher.input_shape), "uint8"
    )
    file = write_report(explainer, tmp_path / "r.html", pixels)
    page = Page(file.read_text())
    assert "answers cannot be compared" in page.text
    assert "There are none here" in page.text
    assert {one["use"] for one in page.data["filters"]} == {None}


def test_few_of_many_images_are_summarised(explainer, images, metrics, tmp_path):
    file = write_report(
        explainer, tmp_path / "r.html", images, metrics=metrics, limit=7, top=1
    )
    page = Page(file.read_text())
    assert re.search(r"7, [5-7] with part centres", page.text)
    assert len(page.data["shown"]) == 7


def test_size_is_bounded(explainer, images, metrics, tmp_path, monkeypatch):
    """Pictures beyond the budget are left out, and counted."""
    monkeypatch.setattr("keras_explainer.report.content.BUDGET", 6000)
    file = write_report(explainer, tmp_path / "r.html", images, metrics=metrics)
    page = Page(file.read_text())
    assert sum(map(len, page.data["pictures"])) <= 6000
    assert "pictures were left out" in page.text
    assert any(top[0] is None for one in page.data["filters"] for top in one["top"])


def test_learning_curves(history):
    charts = learning_curves(history)
    assert [chart["title"] for chart in charts] == [
        "Loss\u00a0↓",
        "p, share of the interpretable track",
    ]
    loss = charts[0]
    assert [line["kind"] for line in loss["lines"]] == ["train", "validation"]
    points = [
        tuple(map(float, p.split(","))) for p in loss["lines"][0]["points"].split()
    ]
    assert points[0][0] < points[1][0] < points[2][0]
    assert points[0][1] < points[1][1] < points[2][1]  # down the page: lower
    assert loss["summary"] == "Loss\u00a0↓: 2 in epoch 1, 0.5 in epoch 3"
    assert learning_curves([]) == []


@pytest.mark.parametrize("values", [(0.0,), (2.5, 2.5), (-4e25,), (-4e25, 1.0, None)])
def test_learning_curves_of_any_size(values):
    """Of an explainer that has learned nothing, or of one epoch."""
    rows = [{"epoch": n, "loss": value} for n, value in enumerate(values, 1)]
    (chart,) = learning_curves(rows)
    points = chart["lines"][0]["points"].split()
    assert len(points) == sum(value is not None for value in values)
    places = [float(text) for point in points for text in point.split(",")]
    assert np.isfinite(places).all() and min(places) >= 0 and max(places) <= 320


def test_the_command_refuses_early(tmp_path):
    from typer.testing import CliRunner

    from keras_explainer.cli.main import app

    def run(*arguments: Any) -> Any:
        return CliRunner().invoke(app, ["report", *map(str, arguments)])

    done = run("creaturs", "--to", tmp_path / "r.html")
    assert done.exit_code == 2 and "creatures" in done.output
    (tmp_path / "there.html").write_text("")
    done = run("creatures", "--to", tmp_path / "there.html")
    assert done.exit_code == 2 and "--force" in done.output
    done = run(tmp_path, "--to", tmp_path / "r.html")
    assert done.exit_code == 2 and "no run" in done.output
