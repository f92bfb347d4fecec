"""What is explained, and by which model; made once and kept."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

MODELS = ("creatures", "MobileNet", "VGG16")


def model(name: str, work: Path) -> Path:
    """A SavedModel: the shipped explainer, or one that has not learned.

    Costs do not depend on weights. It is not compared with Keras here, as an export is.
    """
    folder = work / "models" / name / "1"
    if (folder / "saved_model.pb").exists():
        return folder
    import keras_explainer as kx
    from benchmarks.serving.networks import explainer
    from keras_explainer.export.endpoints import Endpoints
    from keras_explainer.files import atomic_folder

    made = kx.zoo.load("creatures") if name == "creatures" else explainer(name)[0]
    with atomic_folder(folder) as temporary:
        Endpoints(made, 8, None).save(temporary)
    return folder


def images(count: int, work: Path) -> tuple[Path, str]:
    """A folder of image files, and what they are.

    Photographs of the folder KERAS_EXPLAINER_SHARED names, again and again; without
    it creatures of 96 x 96 pixels.
    """
    shared = os.environ.get("KERAS_EXPLAINER_SHARED")
    given = Path(shared) / "animalparts" / "images" if shared else None
    kind = "photographs" if given and given.is_dir() else "creatures"
    folder = work / f"{kind}-{count}"
    done = folder / "_complete"
    if done.exists():
        return folder, kind
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    files = []
    if given and given.is_dir():
        files = sorted(path for path in given.rglob("*") if path.suffix == ".JPEG")
        files = files or sorted(given.rglob("*.jp*g"))
    else:
        files = _drawn(min(count, 256), work / "drawn")
    for number in range(count):
        source = files[number % len(files)]
        target = folder / f"{number // 1000:04}" / f"{number:08}{source.suffix}"
        target.parent.mkdir(exist_ok=True)
        with suppress(OSError):
            os.link(source, target)
        if not target.exists():
            shutil.copyfile(source, target)
    done.touch()
    return folder, kind


def _drawn(count: int, folder: Path) -> list[Path]:
    from PIL import Image

    from keras_explainer.datasets.creatures import Creatures

    folder.mkdir(parents=True, exist_ok=True)
    drawn = Creatures(96, ["griffin"], seed=7).generate(count).images
    files = []
    for number, image in enumerate(drawn):
        files.append(folder / f"{number:04}.png")
        Image.fromarray(image).save(files[-1])
    return files
