"""`ZooConfig`: one CNN of the zoo as data, and the YAML files that hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from keras_explainer.errors import ConfigError, ZooError, did_you_mean

from .zoo_entry import ROOT

CONFIGS = ROOT / "configs"
SCHEMA = ROOT / "config.schema.json"
MAX_BYTES = 256 << 10
"""The largest file that is read; the longest of the zoo has two KiB."""
_SHOWN, _DEEPEST = 20, 20

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
Text = Annotated[str, StringConstraints(min_length=1)]
Hex64 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Hex32 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https://[^\s]+$")]
Whole = Annotated[int, Field(ge=1, strict=True)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class Weights(_Strict):
    """A public weights file: where it is, and how it is known.

    `sha256` is null where nobody of this project has had the file: it is then known by
    its publisher's `md5`, or by nothing.
    """

    file: Name
    url: Url
    format: Literal["keras", "matconvnet"] = "keras"
    data: Text = "ImageNet-1k"
    sha256: Hex64 | None
    md5: Hex32 | None = None
    licence: Text
    licence_source: Text


class Tap(_Strict):
    """The layer that is explained: a stable name, or a stride and a position there."""

    layer: Text | None = None
    stride: Whole | None = None
    position: Annotated[int, Field(strict=True)] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Tap:
        if (self.layer is None) == (self.stride is None):
            raise ValueError("a tap has either `layer`, or `stride` and `position`")
        if (self.stride is None) != (self.position is None):
            raise ValueError("`stride` and `position` go together")
        return self

    def choice(self) -> str | dict[str, int]:
        """As `Teacher(tap=...)` takes it."""
        if self.layer is not None:
            return self.layer
        return {"stride": self.stride or 0, "position": self.position or 0}


class Training(_Strict):
    """How an explainer of it is learned: a recipe and what is changed of it."""

    recipe: Literal["places", "quick", "single", "paper"] = "places"
    settings: dict[str, int | float | bool | None] = {}
    epochs: Whole | None = None
    batch_size: Whole | None = None


class Paper(_Strict):
    """Where the network was published."""

    title: Text
    authors: Text
    year: Annotated[int, Field(ge=1980, strict=True)]
    url: Url


class ZooConfig(_Strict):
    """One CNN: how it is built, where it is cut, what is learned on it.

    `targets` null: the hidden fully connected layers, else the last feature map, found
    by position. `large`: left out of the time that `verify --all` is to keep.
    """

    name: Name
    constructor: Name
    arguments: dict[str, int | float | bool | str | None] = {}
    family: Text
    weights: tuple[Weights, ...]
    input_shape: Annotated[tuple[Whole, Whole, Whole], Field()]
    preprocessing: Literal["identity", "unit", "tf", "torch", "caffe"]
    preprocessing_in_model: Annotated[bool, Field(strict=True)]
    parameters: Whole
    tap: Tap
    targets: tuple[Text, ...] | None
    decoder: Literal["fc", "conv", "teacher_copy"]
    filters: Whole
    training: Training = Training()
    licence: Text
    paper: Paper
    large: Annotated[bool, Field(strict=True)] = False
    notes: Text | None = None

    @classmethod
    def read(cls, path: Path) -> ZooConfig:
        """The configuration in a YAML file.

        Raises:
            ConfigError: it cannot be read, an unknown key, a value of another type; the
                message names file, key and what is accepted.
        """
        try:
            content = _plain_yaml(path)
        except Exception as error:
            # PyYAML's constructors raise KeyError, IndexError and others besides.
            raise ConfigError(f"{path} cannot be read: {_short(error)}") from error
        if not isinstance(content, dict):
            raise ConfigError(
                f"{path} must hold keys and values, got {_short(content)}."
            )
        try:
            config = cls.model_validate(content)
        except ValidationError as error:
            raise ConfigError(f"{path}: {_reasons(error, cls)}") from error
        if config.name != path.stem:
            raise ConfigError(
                f"{path}: name is {config.name!r}; it must be the file's, "
                f"{path.stem!r}."
            )
        return config

    @classmethod
    def names(cls, folder: Path = CONFIGS) -> list[str]:
        """Names of all CNNs, sorted."""
        return sorted(path.stem for path in folder.glob("*.yaml"))

    @classmethod
    def named(cls, name: str, folder: Path = CONFIGS) -> ZooConfig:
        """The CNN of that name.

        Raises:
            ZooError: there is none; the nearest names are listed.
            ConfigError: as for `read`.
        """
        names = cls.names(folder)
        if name not in names:
            raise ZooError(f"The zoo has no CNN {name!r}. {did_you_mean(name, names)}")
        return cls.read(folder / f"{name}.yaml")

    @classmethod
    def schema_text(cls) -> str:
        """The JSON schema of these files, as it is written to `config.schema.json`."""
        schema = cls.model_json_schema()
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def _plain_yaml(path: Path) -> Any:
    """The content of a YAML file of plain values, without aliases.

    An alias stands for what may hold further aliases: a few lines could be more than a
    memory holds as soon as they are written out, as in an error's message.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES >> 10} KiB")
    text = data.decode("utf-8")
    depth = 0
    for event in yaml.parse(text):
        if isinstance(event, yaml.AliasEvent):
            raise ValueError("aliases (*name) are not accepted; write the value out")
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:  # PyYAML's time grows with its square
            raise ValueError(f"values lie in more than {_DEEPEST} others")
    return yaml.safe_load(text)


def _short(value: Any) -> str:
    """A value or an error on one line, at most 200 letters."""
    try:
        text = str(value) if isinstance(value, Exception) else repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits; too deep
        text = f"a {type(value).__name__} too long to be written"
    text = " ".join(text.split())
    return text if len(text) <= 200 else f"{text[:200]}…"


def _reasons(error: ValidationError, cls: type[BaseModel]) -> str:
    """The errors of pydantic on one line: key, what was given, what is accepted."""
    found = []
    for entry in error.errors():
        place = ".".join(str(part) for part in entry["loc"]) or "the file"
        if entry["type"] == "extra_forbidden":
            keys = _keys(cls, entry["loc"][:-1])
            found.append(
                f"unknown key {place!r}. {did_you_mean(str(entry['loc'][-1]), keys)}"
            )
        elif entry["type"] == "missing":
            found.append(f"{place} is missing.")
        else:
            found.append(f"{place}: {entry['msg']}, got {_short(entry['input'])}.")
    return " ".join(found[:_SHOWN])


def _keys(cls: type[BaseModel], place: tuple[Any, ...]) -> list[str]:
    """The keys that are accepted at a place of the file."""
    current: Any = cls
    for part in place:
        if not isinstance(part, str):
            continue
        kind: Any = current.model_fields[part].annotation
        candidates = [kind, *getattr(kind, "__args__", ())]
        current = next((c for c in candidates if hasattr(c, "model_fields")), current)
    return list(current.model_fields)
