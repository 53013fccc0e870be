"""Images of 32, 96 and 224 pixels: memory and images/s, against torchvision's ImageFolder.

python benchmarks/images.py                   # speed at the three sizes, then memory
python benchmarks/images.py speed [SIZE …]    # or loaders, without trainings
python benchmarks/images.py memory [SIZE COUNT] [--keep FOLDER]

The pictures are CIFAR-10's, enlarged, each cut and mirrored in its own way, as JPEG files of the
side at which they are stored: to read them costs ImageFolder the least that it can. Ours reads
them once (`prepare`), and from then on bytes from a file. "To images/s of the loader" leaves the
network out: views, normalised, as they enter it.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import networks
import numpy as np
import torch
from pairing import compare, seconds
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder
from training import bare, usual

from kdprune import memory
from kdprune.data.augment import augmentation, normalise
from kdprune.data.canonical import load, seen
from kdprune.data.stored import batches
from kdprune.data.tensors import load_tensors
from kdprune.device import arrange
from kdprune.distillation.none import Supervised
from kdprune.sources import folder, prepare
from kdprune.training.loop import fit
from kdprune.training.recipe import Recipe

BATCH, WORKERS, MIB = 32, 2, 2**20
SPEED = {32: 3000, 96: 1500, 224: 600}  # images of the loaders' epochs
TRAINED = {32: 640, 96: 320, 224: 64}  # images of the trainings' epochs
LARGE = {96: 100_000, 224: 10_000}
PART = 5  # of an epoch, where its memory is the same from the first batch on
SEEN = 0.875  # of the side, at 224 pixels


def crop(size: int) -> float:
    """Return the share of the stored side that networks see: photographs' as is usual."""
    return SEEN if size >= 128 else 1.0


def pictures(root: Path, side: int, count: int) -> None:
    """Write `count` different JPEG files of the side, in ten folders, divided in train/ and test/.

    A hundredth of them, at least 40, are to test on.
    """
    os.chdir(networks.ROOT)
    with tempfile.TemporaryDirectory() as place:
        prepare("cifar10", "embedded", Path(place) / "data", cache=Path(place), show=False)
        known = load(Path(place) / "data")
    images, generator = known.train_images.transpose(0, 2, 3, 1), np.random.default_rng(0)
    tests = max(40, count // 100)
    order = np.argsort(np.arange(len(images)) % 400, kind="stable")  # of each class in turn
    for number in range(count + tests):
        chosen = order[number % len(images)]
        x, y = generator.integers(0, 5, 2).tolist()
        box = (x, y, x + 28, y + 28)
        picture = Image.fromarray(images[chosen]).resize((side, side), Image.BICUBIC, box)
        if number // len(images) % 2:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        half = "train" if number < count else "test"
        label = known.classes[known.train_labels[chosen]]
        place = root / half / label
        place.mkdir(parents=True, exist_ok=True)
        picture.save(place / f"{number}.jpg", quality=90)


def loader(root: Path, size: int) -> DataLoader:
    """Return torchvision's images in its own way, with the views that are usual at this size."""
    if size < 64:
        views = [transforms.RandomCrop(size, padding=size // 8)]
    else:
        views = [transforms.RandomResizedCrop(size)]
    views += [transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    views.append(transforms.Normalize([0.5] * 3, [0.25] * 3))
    data = ImageFolder(root / "train", transforms.Compose(views))
    return DataLoader(data, BATCH, shuffle=True, num_workers=WORKERS, drop_last=True)


def ours(place: Path, *, resident: bool) -> dict[str, torch.Tensor]:
    """Return the prepared images, in memory or in their files."""
    os.environ[memory.VARIABLE] = "1000" if resident else "0"
    return load_tensors(place, validation=0.01, validation_seed=0)


def views(data: dict, place: Path) -> None:
    """Draw an epoch of views, as `fit` does."""
    size, kind = seen(place)
    augment, drawn = augmentation(kind, size), torch.Generator().manual_seed(0)
    order = torch.randperm(len(data["train_labels"]))
    with batches(data["train_images"], order, BATCH) as read:
        for part in read:
            normalise(augment(part, drawn), data["mean"], data["std"])


def train(data: dict, place: Path, task: torch.nn.Module, count: int | None = None) -> None:
    """Train an epoch of the first `count` images."""
    size, kind = seen(place)
    fit(
        task,
        Recipe(epochs=1, batch_size=BATCH, lr=0.01, **networks.RECIPE),
        images=data["train_images"][:count],
        labels=data["train_labels"][:count],
        val_images=data["val_images"][:1],
        val_labels=data["val_labels"][:1],
        mean=data["mean"],
        std=data["std"],
        augment=augmentation(kind, size),
    )


def speed(size: int, *, train_too: bool = True) -> None:
    """Print images/s at a size: of the loaders, and of resnet18's training on the CPU."""
    with tempfile.TemporaryDirectory() as name:
        root, place = Path(name) / "files", Path(name) / "data"
        pictures(root, round(size / crop(size)), SPEED[size])
        taken = seconds(
            lambda: folder.prepare("mine", root, place, size=size, crop=crop(size), show=False)
        )
        print(f"{size} pixels: {SPEED[size]:,} files read once, in {taken:.1f} s", flush=True)
        filed, held = ours(place, resident=False), ours(place, resident=True)
        theirs = loader(root, size)
        told = f"{size} pixels: images/s of the loader, from a file"
        read, count = (lambda: views(filed, place)), len(filed["train_labels"])
        compare(f"{told}, to ImageFolder's", read, lambda: [*theirs], images=count)
        compare(f"{told}, to a tensor's", read, lambda: views(held, place), images=count)
        if train_too:
            trainings(size, filed, place, root)


def trainings(size: int, data: dict, place: Path, root: Path) -> None:
    """Compare `fit` of resnet18, from a file, with the bare step and with the usual loop."""
    count = TRAINED[size]
    task, model, other = (networks.network("resnet18") for _ in range(3))
    task, model, settings = Supervised(task), arrange(model), {"lr": 0.01, **networks.RECIPE}
    optimiser = torch.optim.SGD(model.parameters(), fused=True, **settings)
    noise = torch.randint(0, 256, (BATCH, 3, size, size), dtype=torch.uint8)
    batch = normalise(noise, data["mean"], data["std"]), data["train_labels"][:BATCH]
    compare(
        f"{size} pixels: images/s of fit of resnet18, to the bare step's",
        lambda: train(data, place, task, count),
        lambda: bare(model, optimiser, batch, count // BATCH),
        rounds=5,
        goal=">= 0.95",
        images=count,
    )
    theirs = loader(root, size)
    theirs = DataLoader(
        torch.utils.data.Subset(theirs.dataset, range(count)),
        BATCH,
        shuffle=True,
        num_workers=WORKERS,
        drop_last=True,
    )
    optimiser = torch.optim.SGD(other.parameters(), **settings)
    compare(
        f"{size} pixels: images/s of fit of resnet18, to the usual loop's with ImageFolder",
        lambda: train(data, place, task, count),
        lambda: usual(other, optimiser, theirs),
        rounds=3,
        images=count,
    )


class Peak:
    """Watches the memory of this process and its children: the largest sums seen, in bytes.

    "all" counts pages of files that are mapped, "own" does not; what processes share is divided
    among them (the system's Pss).
    """

    def __init__(self) -> None:
        self.seen, self.over = {"all": 0, "own": 0}, threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Peak":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.thread.join()

    def _watch(self) -> None:
        while not self.over.wait(0.1):
            sums = {"all": 0, "own": 0}
            children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
            for process in ["self", *children]:
                try:
                    told = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
                except OSError:  # it has ended
                    continue
                sizes = {line.split()[0]: line.split()[1] for line in told[1:]}
                sums["all"] += 1024 * int(sizes["Pss:"])
                sums["own"] += 1024 * int(sizes.get("Pss_Anon:", 0))
            self.seen = {name: max(value, sums[name]) for name, value in self.seen.items()}


class Small(torch.nn.Module):
    """A network so small that an epoch of all images takes no longer than reading them."""

    capturable = False

    def __init__(self) -> None:
        super().__init__()
        pooled = torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten()
        self.network = torch.nn.Sequential(*pooled, torch.nn.Linear(12, 10))

    def forward(self, images: torch.Tensor, labels: torch.Tensor, indices: torch.Tensor) -> dict:
        """Return the loss."""
        return {"loss": torch.nn.functional.cross_entropy(self.network(images), labels)}


def inside(what: str, root: Path, place: Path, size: int) -> dict[str, float]:
    """Do one thing in this process; return its seconds, and its memory above the imports'."""
    torch.set_num_threads(1)
    with Peak() as watched:
        time.sleep(0.3)
    before = watched.seen
    begun = time.perf_counter()
    with Peak() as watched:
        if what == "prepare":
            folder.prepare("mine", root, place, size=size, crop=crop(size), show=False)
        elif what == "ImageFolder":
            theirs = loader(root, size)
            for _ in zip(range(len(theirs) // PART), theirs, strict=False):
                pass
        elif what == "resnet18":
            train(ours(place, resident=False), place, Supervised(networks.network(what)), 96)
        else:
            data = ours(place, resident=what == "tensor")
            count = len(data["train_labels"]) // (PART if what == "tensor" else 1)
            train(data, place, Small(), count)
    found = {name: size - before[name] for name, size in watched.seen.items()}
    return {"seconds": time.perf_counter() - begun, **found}


def large(size: int, count: int, at: Path) -> None:
    """Print the memory that a large data set takes, each in a process of its own."""
    root, place, side = at / f"files{size}", at / f"data{size}", round(size / crop(size))
    if not root.exists():
        pictures(root, side, count)
    print(f"{size} pixels, {count:,} images: {count * 3 * side**2 / MIB:,.0f} MiB of bytes")
    told = {
        "prepare": "read all files once, and write the array",
        "file": "an epoch of `fit` from the file, of all images",
        "tensor": f"the same of 1 in {PART}, from a tensor of all in memory",
        "ImageFolder": f"1 in {PART} of an epoch of ImageFolder, with {WORKERS} workers",
        "resnet18": "three steps of resnet18, from the file",
    }
    for what, words in told.items():
        command = [sys.executable, __file__, "--inside", what, str(root), str(place), str(size)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        took = json.loads(done.stdout.splitlines()[-1])
        print(
            f"  {words}: {took['all'] / MIB:,.0f} MiB at most above the imports, "
            f"{took['own'] / MIB:,.0f} without mapped files; {took['seconds']:.0f} s",
            flush=True,
        )


def main(given: list[str]) -> None:
    """Measure what is asked for."""
    os.environ["KDPRUNE_DEVICE"] = "cpu"
    what, *rest = given or ["all"]
    if what == "--inside":
        print(json.dumps(inside(rest[0], Path(rest[1]), Path(rest[2]), int(rest[3]))))
        return
    sizes = map(int, rest) if rest and what != "memory" else SPEED
    for size in sizes if what != "memory" else ():
        speed(size, train_too=what != "loaders")
    if what in ("all", "memory"):
        keep = Path(rest.pop()) if "--keep" in rest else None
        asked = {int(rest[0]): int(rest[1])} if len(rest) > 1 else LARGE
        with tempfile.TemporaryDirectory() as name:
            for size, count in asked.items():
                large(size, count, keep or Path(name))


if __name__ == "__main__":
    main(sys.argv[1:])
