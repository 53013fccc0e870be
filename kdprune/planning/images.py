"""How many images the data sets of a study have, before or after they are downloaded."""

from pathlib import Path

from kdprune.config.params import Params
from kdprune.data.canonical import DATASETS, EMBEDDED
from kdprune.errors import KdpruneError
from kdprune.planning import cost
from kdprune.planning.cost import Images
from kdprune.records import read_json


def sizes(params: Params, dataset: str, project: Path) -> tuple[Images, int]:
    """Return a data set's images as they will be split, and its number of classes.

    CIFAR's are known; those of one's own are in the manifest of what is downloaded.
    """
    if dataset in DATASETS:
        spec = EMBEDDED if params.data.source == "embedded" else DATASETS[dataset]
        counts, classes = spec.counts, len(spec.classes)
    else:
        path = project / "data" / dataset / "manifest.json"
        try:
            manifest = read_json(path)
            counts, classes = manifest["images"], len(manifest["classes"])
        except (OSError, ValueError, LookupError, TypeError):
            raise KdpruneError(
                f"{path}: does not tell how many images {dataset} has; run `dvc repro download`"
            ) from None
    if "val" in counts:
        train, val = counts["train"], counts["val"]
    else:
        train, val = cost.split(counts["train"], classes, params.data.validation)
    side = 32 if dataset in DATASETS else params.data.size
    return Images(train, val, counts["test"], side), classes
