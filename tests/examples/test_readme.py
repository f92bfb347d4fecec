"""The blocks of the README that need nothing but the package run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[2] / "README.md"


@pytest.mark.one_backend
def test_which_parts_made_this_score(capsys: pytest.CaptureFixture[str]) -> None:
    text = README.read_text(encoding="utf-8")
    section = text.partition("## Which parts made this score?")[2]
    block = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert block is not None
    names: dict[str, object] = {}
    exec(compile(block[1], "README", "exec"), names)
    shown = capsys.readouterr().out
    assert "contribution" in shown
    assert "completeness error" in shown
    assert len(names["found"]) == 8
