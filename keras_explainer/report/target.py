"""Where a report goes; light: no Keras."""

from __future__ import annotations

import os
from pathlib import Path

from keras_explainer.errors import ReportError

PAGE, SUMMARY = "report.html", "summary.json"


def check_target(to: str | os.PathLike[str], force: bool = False) -> Path:
    """The HTML file that a report is written to.

    Raises:
        ReportError: It, or a folder with files, is there and is to be kept; a file
            where a folder is needed; no path at all.
    """
    if not isinstance(to, str | os.PathLike):
        raise ReportError(
            "to is the folder, or the file that ends in .html, that a report goes to; "
            f"got {type(to).__name__}. The order is write_report(run, to, data)."
        )
    path = Path(to)
    is_page = path.suffix.lower() in (".html", ".htm")
    if is_page and not path.is_dir():
        if path.exists() and not force:
            raise ReportError(f"{path} exists. Replace it with force=True (--force).")
        return path
    if path.exists() and not path.is_dir():
        raise ReportError(
            f"{path} is a file. A report goes to a folder or a file that ends in .html."
        )
    if path.is_dir() and any(path.iterdir()) and not force:
        raise ReportError(
            f"The folder {path} exists and holds files. Write the report into it with "
            "force=True (--force), or choose another."
        )
    return path / PAGE
