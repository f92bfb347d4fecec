"""The documents' code runs, and their links lead somewhere.

Blocks of `python` and `bash` run in the order of the page, in one namespace and folder;
what needs a network, other files or another program is a `console` block.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from page_blocks import BLOCK, ROOT, run_blocks

DOCS = ROOT / "docs"
# They presuppose a run or a server: test_presupposing_pages.py runs them.
NOT_RUN = {"explanations.md", "serving.md", "serve.md"}
PAGES = sorted(
    path.relative_to(DOCS).as_posix()
    for path in DOCS.rglob("*.md")
    if path.name not in NOT_RUN
)
WITH_CODE = [
    page
    for page in PAGES
    if any(
        kind in ("python", "bash")
        for kind, _ in BLOCK.findall((DOCS / page).read_text())
    )
]
pytestmark = pytest.mark.one_backend


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE)
def test_code_runs(page: str, tmp_path: Path) -> None:
    """One script of all the page's blocks, as a reader would type them."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    blocks = BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))
    run_blocks(blocks, tmp_path, timeout=1200)


def test_links_lead_somewhere() -> None:
    for page in DOCS.rglob("*.md"):
        text = BLOCK.sub("", page.read_text(encoding="utf-8"))
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
            if not target.startswith(("http://", "https://")):
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_every_page_is_in_the_menu() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for page in DOCS.rglob("*.md"):
        assert page.relative_to(DOCS).as_posix() in menu


def test_the_reference_has_every_public_name() -> None:
    import keras_explainer as kx

    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    for name in ("Explainer", "Recipe", "Teacher", "compare", "load"):
        assert re.search(rf"^::: \S+\.{name}$", text, re.MULTILINE), name
    assert set(kx.__all__) >= {"callbacks", "plot", "report"}


def test_every_test_that_is_named_exists() -> None:
    """The page of claims names a test for each; a renamed one would prove nothing."""
    text = (DOCS / "reliability.md").read_text(encoding="utf-8")
    tests = ROOT / "tests"
    source = "\n".join(path.read_text("utf-8") for path in tests.rglob("test_*.py"))
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) > 80
    missing = [name for name in named if f"def {name}(" not in source]
    assert missing == []
    for path in re.findall(r"`((?:tests/)?\w*/?(?:runs/)?test_\w+\.py)`", text):
        assert list(tests.rglob(path.removeprefix("tests/"))), path
