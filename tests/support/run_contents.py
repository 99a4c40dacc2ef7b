"""What of a run folder must not depend on who computed it, and when."""

from pathlib import Path

import h5py

# Who ran it, and times.
OF_THE_LAUNCH = ("launches/", "train/examples_per_second")


def contents(folder: Path, config: bool = True) -> dict[str, tuple[str, tuple[int, ...], bytes | str]]:
    """Type, shape and bytes of every dataset of a run folder that must not depend on the ranks."""
    found = {}

    def add(name: str, path: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset) and not path.startswith(OF_THE_LAUNCH) and (config or path != "config"):
            found[f"{name}/{path}"] = (item.dtype.str, item.shape, item[()].tobytes() if item.shape else str(item[()]))

    for name in ("run.h5", "model.h5"):
        with h5py.File(folder / name) as file:
            file.visititems(lambda path, item, name=name: add(name, path, item))
    return found


def differing(folder: Path, other: Path, config: bool = True) -> list[str]:
    """The datasets of two run folders that are not the same, bit for bit."""
    one, two = contents(folder, config), contents(other, config)
    return sorted(name for name in one | two if one.get(name) != two.get(name))
