"""All targets, by name; those that need no Keras come first."""

from __future__ import annotations

from benchmarks.fuzz.target import Target


def targets() -> dict[str, type[Target]]:
    """Every target. Imported here: a worker of images needs no more than it."""
    from benchmarks.fuzz.images import Images
    from benchmarks.fuzz.models import FeatureCaches, KerasFiles, MatNetworks
    from benchmarks.fuzz.runs import RunFolders
    from benchmarks.fuzz.tables import PartTables, ZooConfigs

    found = (Images, PartTables, ZooConfigs, RunFolders, MatNetworks, FeatureCaches)
    return {target.name: target for target in (*found, KerasFiles)}
