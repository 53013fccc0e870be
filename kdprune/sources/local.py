"""A folder that already holds CIFAR: the official files, binary or python, bare or archived."""

from functools import partial
from pathlib import Path

from kdprune.data.canonical import Spec, Split
from kdprune.errors import KdpruneError
from kdprune.sources import archives, layouts
from kdprune.sources.archives import LARGEST_MEMBER


def fetch(spec: Spec, *, path: str | Path | None, cache: Path, show: bool) -> dict[str, Split]:
    """Read the first layout found in `path`, or in the official folder within it."""
    root = Path(path or "").expanduser()
    if not path or not root.is_dir():
        raise KdpruneError(f"data.path: {path} is no folder; name the one that holds CIFAR")
    for layout in ("binary", "python"):
        names = [name for each in layouts.files(spec.name, layout).values() for name in each]
        official = layouts.FOLDERS[spec.name, layout]
        for folder in (root / official, root):
            if (folder / names[0]).is_file() and (folder / names[-1]).is_file():
                return layouts.read(spec, layout, partial(_member, folder))
        archive = root / layouts.ARCHIVES[spec.name, layout]
        if archive.is_file():
            contents = archives.members(archive, official, names)
            return layouts.read(spec, layout, contents.__getitem__)
    looked = ", ".join(
        layouts.FOLDERS[spec.name, layout] + "/ or " + layouts.ARCHIVES[spec.name, layout]
        for layout in ("binary", "python")
    )
    raise KdpruneError(f"data.path: {root} holds no {spec.name}; looked for {looked}")


def _member(folder: Path, name: str) -> bytes:
    file = folder / name
    if file.exists() and not file.is_file():  # a pipe would be waited for, a device has no end
        raise KdpruneError(f"{file}: is no regular file; fetch it anew")
    try:
        with file.open("rb") as opened:
            content = opened.read(LARGEST_MEMBER + 1)
    except OSError as error:
        raise KdpruneError(f"{file}: cannot be read ({error.strerror})") from None
    if len(content) > LARGEST_MEMBER:
        raise KdpruneError(f"{file}: has more than {LARGEST_MEMBER:,} bytes; fetch it anew")
    return content
