"""The state of learning at the end of an epoch, in one file."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from keras_explainer import files, global_batch
from keras_explainer.errors import RunError
from keras_explainer.explainer import Explainer

SCHEMA_VERSION = 1
RUN_FACTS = {"epoch": int, "rows": list}
"""What the backup of a run says of itself, for `TrainingState.read`."""


class TrainingState:
    """All that learning needs to go on as if it had not been interrupted.

    The values of all variables of the explainer (weights, running state of the norms,
    measured statistics, states of random generators) and of its optimiser; the weights
    of the best epoch, where there is early stopping; and facts: epochs done, the log.

    Variables are matched by order and shape: their names have numbers that depend on
    what else a process has made.

    Attributes:
        variables: values of the explainer's variables, in its order.
        optimizer: the same of the optimiser, without the learning rate, which its
            schedule gives.
        best: weights of the best epoch, in the order of `explainer.weights`, or None.
        facts: JSON-able values of the caller's.
    """

    def __init__(
        self,
        variables: Sequence[np.ndarray],
        optimizer: Sequence[np.ndarray],
        facts: dict[str, Any],
        best: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.variables = variables
        self.optimizer = optimizer
        self.facts = facts
        self.best = best

    @classmethod
    def of(
        cls,
        explainer: Explainer,
        facts: dict[str, Any],
        best: Sequence[np.ndarray] | None = None,
    ) -> TrainingState:
        """The present state of an explainer that is being learned."""
        return cls(_values(explainer.variables), _values(_own(explainer)), facts, best)

    def apply(self, explainer: Explainer) -> None:
        """Gives a compiled explainer of the same configuration this state.

        Raises:
            RunError: it is the state of another one.
        """
        global_batch.build_optimizer(explainer)
        _assign(explainer.variables, self.variables)
        _assign(_own(explainer), self.optimizer)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Writes the state atomically; an older one stays until the new one is whole.

        Raises:
            OSError: it cannot be written.
        """
        arrays = {
            f"{group}_{number:05d}": values
            for group in ("variables", "optimizer")
            for number, values in enumerate(getattr(self, group))
        }
        if self.best is not None:
            arrays |= {f"best_{i:05d}": values for i, values in enumerate(self.best)}
        head = {
            "schema_version": SCHEMA_VERSION,
            "variables": len(self.variables),
            "optimizer": len(self.optimizer),
            "best": None if self.best is None else len(self.best),
            "facts": self.facts,
        }
        text = json.dumps(head, allow_nan=False).encode()
        with files.atomic_path(path) as temporary, temporary.open("wb") as handle:
            np.savez(handle, head=np.frombuffer(text, np.uint8), **arrays)

    @classmethod
    def read(cls, path: Path, facts: Mapping[str, type] | None = None) -> TrainingState:
        """Reads what `write` wrote.

        Args:
            path: of the file.
            facts: what its facts must hold, and of which type.

        Raises:
            RunError: a file that is damaged or of another version.
        """
        try:
            _check_stored(path)
            with np.load(path, allow_pickle=False) as arrays:
                head = json.loads(arrays["head"].tobytes())
                if head["schema_version"] != SCHEMA_VERSION:
                    raise RunError(
                        f"{path} was written by another version of keras_explainer. Go "
                        "on with that version, or learn the run again (--overwrite)."
                    )
                groups = {
                    group: [arrays[f"{group}_{i:05d}"] for i in range(head[group] or 0)]
                    for group in ("variables", "optimizer", "best")
                }
                if head["best"] is None:
                    del groups["best"]
                for name, kind in (facts or {}).items():
                    if type(head["facts"].get(name)) is not kind:
                        raise ValueError(
                            f"its {name} is missing, or no {kind.__name__}"
                        )
                return cls(facts=head["facts"], **groups)
        except RunError:
            raise
        except Exception as error:
            # Damaged headers of zip and arrays raise errors of all kinds.
            raise RunError(
                f"{path} is damaged ({error}). Learn the run again (--overwrite)."
            ) from error


def _check_stored(path: Path) -> None:
    """Refuses packed arrays: `write` packs none, and they could fill the memory."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{info.filename} is packed")


def _own(explainer: Explainer) -> list[Any]:
    """The optimiser's variables but for the learning rate."""
    return [v for v in explainer.optimizer.variables if v.name != "learning_rate"]


def _values(variables: Sequence[Any]) -> list[np.ndarray]:
    # Of the variable, not its `value`: that may be a copy for each device.
    return [np.asarray(ops.convert_to_numpy(v)) for v in variables]


def _assign(variables: Sequence[Any], values: Sequence[np.ndarray]) -> None:
    mine = [(tuple(v.shape), str(v.dtype)) for v in variables]
    given = [(array.shape, str(array.dtype)) for array in values]
    if mine != given:
        raise RunError(
            f"The backup is of another explainer: it has {len(given)} variables, here "
            f"are {len(mine)}, or their shapes differ. Was the run made with another "
            "version? Learn it again (--overwrite)."
        )
    for variable, array in zip(variables, values, strict=True):
        variable.assign(array)
