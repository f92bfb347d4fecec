"""Reports: one HTML file in which a person sees what an explainer found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_explainer.report.target import check_target

if TYPE_CHECKING:
    from keras_explainer.report.write_report import write_report

__all__ = ["check_target", "write_report"]


def __getattr__(name: str) -> Any:
    # Loads Keras: when it is first used.
    if name == "write_report":
        from keras_explainer.report.write_report import write_report as function

        # Importing the module has put the module itself under this name.
        globals()[name] = function
        return function
    raise AttributeError(f"keras_explainer.report has no {name!r}.")
