"""`DatasetJob`: what is asked of every image of a dataset."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keras_explainer.batch_inference.dataset_input import DatasetInput
from keras_explainer.batch_inference.open_input import open_input
from keras_explainer.errors import DatasetJobError

JOB_VERSION = 1
_RECORD = "export.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetJob:
    """A dataset, a model and what is asked; the same job goes on where it stopped.

    Attributes:
        model: Folder of the version, absolute.
        model_sha256: Of its files, names and content.
        input: The dataset's folder or file, absolute.
        kind, image_column, id_column: See `open_input`; as they were found.
        class_: Index or label of the class that is explained; None for the teacher's
            own.
        contributions: Whether they are computed.
        batch_size: Images that the model takes at a time.
    """

    model: str
    model_sha256: str
    input: str
    kind: str
    image_column: str | None
    id_column: str | None
    class_: int | str | None
    contributions: bool
    batch_size: int

    def open_input(self) -> DatasetInput:
        """The dataset."""
        columns = (self.image_column, self.id_column)
        return open_input(Path(self.input), self.kind, *columns)

    def to_dict(self) -> dict[str, Any]:
        """JSON-able fields, with `job_version`."""
        return {"job_version": JOB_VERSION, **asdict(self)}

    @classmethod
    def of_text(cls, text: str, where: Path) -> DatasetJob:
        """Of a file with `to_dict`.

        Raises:
            DatasetJobError: It is something else, or of another version.
        """
        try:
            data = json.loads(text)
            if data.pop("job_version") != JOB_VERSION:
                raise ValueError("it is of another version")
            return cls(**data)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DatasetJobError(f"{where} is no job: {error!r}.") from error

    def differences(self, other: DatasetJob) -> list[str]:
        """In which fields another job differs; speed and paths of the model do not
        count."""
        mine, theirs = asdict(self), asdict(other)
        return [
            name
            for name in mine
            if mine[name] != theirs[name] and name not in ("model", "batch_size")
        ]


def model_folder(path: Path) -> Path:
    """The folder of a version: the path itself, or the latest in it.

    Raises:
        DatasetJobError: There is none.
    """
    if (path / "saved_model.pb").is_file():
        return path
    found = (
        sorted(
            (int(entry.name), entry)
            for entry in path.iterdir()
            if entry.name.isascii()
            and entry.name.isdecimal()
            and (entry / "saved_model.pb").is_file()
        )
        if path.is_dir()
        else []
    )
    if not found:
        raise DatasetJobError(
            f"{path} is no SavedModel and has no version of one: keras-explainer "
            "export writes it."
        )
    return found[-1][1]


def model_sha256(folder: Path) -> str:
    """Of all files of a SavedModel but the record of its verification."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        if name == _RECORD:
            continue
        with file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").hexdigest()
        digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()
