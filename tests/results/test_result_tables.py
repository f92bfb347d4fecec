"""Tables as text and HTML; nothing that a name holds breaks them."""

from __future__ import annotations

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

from keras_explainer.results.plain_text import decimal, one_line, text_table

EVIL = "<script>alert('x')</script>&\"\n\x1b[31m"


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        assert not attrs
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


def test_table(make_explanation):
    text = make_explanation().table()
    assert text.splitlines() == [
        "dog/7.jpg: 32 x 40 pixels",
        "teacher: dog 0.750",
        "reconstruction: dog 0.250 (its own answer: class 4 0.500)",
        "p 0.400; all 4 filters, 2 parts present (not calibrated)",
        "",
        "part              strength  relative     y     x  top  left  bottom  right",
        "filter 2 (ear)       2.500       5.0  12.0  25.0  4.0  15.0    20.0   35.0",
        "filter 0             2.500       7.0  12.0  25.0  4.0  15.0    20.0   35.0",
        "filter 1: absent     0.000       0.0     -     -    -     -       -      -",
        "filter 3: absent     0.000       0.0     -     -    -     -       -      -",
    ]
    assert str(make_explanation()) == text
    assert make_explanation().table(1).splitlines()[-1].startswith("filter 2")


def test_table_without_a_head(make_explanation):
    nothing = {"answer": None, "reconstruction": None, "reconstruction_answer": None}
    explanation = make_explanation(**nothing, parts=())
    assert explanation.table().splitlines()[1] == (
        "p 0.400; 0 of 4 filters, 0 parts present (not calibrated)"
    )


def test_table_of_several(make_explanation, make_explanations):
    nothing = {"answer": None, "reconstruction": None, "reconstruction_answer": None}
    table = make_explanations(
        make_explanation(), make_explanation(image=None, parts=(), **nothing)
    ).table()
    assert table.splitlines() == [
        "2 images explained by 4 filters on MobileNet at conv_pw_11_relu, p 0.400",
        "",
        "image      teacher  score  reconstruction  score  parts   first",
        "dog/7.jpg      dog  0.750         class 4  0.500      2  ear, 0",
        "image 3          -      -               -      -      0       -",
    ]
    assert repr(make_explanations()).startswith("<Explanations: 3 images explained")


def test_names_are_escaped_in_html(make_explanation, make_explanations, make_finding):
    answer = make_explanation().answer
    evil = make_explanation(
        image=EVIL,
        answer=type(answer)(class_index=0, label=EVIL, score=0.5),
        parts=(make_finding(0, name=EVIL),),
    )
    allowed = {"div", "p", "br", "table", "thead", "tbody", "tr", "th", "td"}
    for result in (evil, make_explanations(evil)):
        parsed = Tags(result._repr_html_())
        assert set(parsed.tags) <= allowed
        assert any("<script>" in text for text in parsed.texts)


def test_names_do_not_break_text(make_explanation, make_explanations, make_finding):
    part = make_finding(0, name=EVIL)
    evil, plain = (make_explanation(image=x, parts=(part,)) for x in (EVIL, "a"))
    assert len(evil.table().splitlines()) == len(plain.table().splitlines())
    table = make_explanations(evil).table()
    assert len(table.splitlines()) == 4
    assert "\x1b" not in table + evil.table()


def test_html_of_many_images_is_cut(make_explanation, make_explanations):
    html = make_explanations(*[make_explanation()] * 103)._repr_html_()
    assert html.count("<tr>") == 101
    assert "and 3 more images" in html


def test_one_line_and_decimal():
    assert one_line("a\tb\r\nc\u2028d é") == "a b  c d é"
    assert [decimal(x, 2) for x in (None, 0.0, 1.005, 0.004, -0.001)] == [
        "-",
        "0.00",
        "1.00",
        "4.0e-03",
        "-1.0e-03",
    ]
    assert text_table(("a", "b"), []) == "a  b"


def test_no_heavy_import():
    code = (
        "import sys, keras_explainer.results;"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'PIL'} & set(sys.modules);"
        "sys.exit(','.join(heavy) or 0)"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
