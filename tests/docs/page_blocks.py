"""Blocks of a page of Markdown, and one script of them, as a reader would type them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def run_blocks(
    blocks: Iterable[tuple[str, str]], folder: Path, timeout: int, presupposed: str = ""
) -> None:
    """Runs blocks of `python` and `bash` in one namespace and folder.

    Args:
        blocks: kind and code, in their order; those of another kind are left out.
        folder: where they run.
        timeout: in seconds.
        presupposed: Python code that runs before them.
    """
    lines = ["import subprocess, sys", presupposed]
    for kind, code in blocks:
        if kind == "python":
            lines.append(code)
        elif kind == "bash":
            lines.append(f"subprocess.run(['bash', '-ec', {code!r}], check=True)")
    (folder / "page.py").write_text("\n".join(lines), encoding="utf-8")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "page.py"],
        cwd=folder,
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
