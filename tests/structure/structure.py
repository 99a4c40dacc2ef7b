"""The rules of src/README.md on who may include whom, as a function from a source tree to its violations."""

import re
from pathlib import Path

# Each module with those right below it; what they use may be used too.
MODULES: dict[str, list[str]] = {
    "core": [],
    "numerics": ["core"],
    "balance": ["core"],
    "comm": ["core"],
    "hdf5": ["core", "comm"],
    "model": ["numerics", "balance"],
    "data": ["core", "hdf5"],
    "exchange": ["model", "comm"],
    "distribution": ["exchange"],
    "training": ["distribution", "data"],
    "config": ["training"],
    "scale": ["config"],
    "analysis": ["training"],
    "io": ["hdf5", "training", "analysis"],
    "simulation": ["training"],
    "bench": ["io"],
    "calibration": ["bench", "scale"],
    "console": ["training"],
    "run": ["io", "scale", "console"],
    "sweep": ["run"],
    "commands": ["calibration", "sweep"],
    "app": ["commands"],
}

# Outside headers, each in the one module that wraps it, or the two that share it.
WRAPPED = {
    "mpi.h": "comm",
    "boost/archive": "comm",
    "boost/serialization": "comm",
    "boost/crc": "io",
    "hdf5": "hdf5",
    "H5": "hdf5",
    "dnnl": "numerics",
    "oneapi/": "numerics",
    "omp.h": "numerics",
    "Random123/": "core",
    "zlib.h": "data",
    "toml": "config",
    "CLI": "simulation commands app",
    "simgrid": "simulation",
    "smpi": "simulation",
    "spdlog/": "console",
}

MOST_FILES = 30  # of a module

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
SIMULATED = re.compile(r"\b(charge_product|charge_units|folded_memory|is_folded)\(")  # defined in a simulation alone
IN_SIMULATION = re.compile(r"if constexpr \((simulation::)?is_on\)")
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)


def usable(module):
    """The modules that `module` may include, itself among them."""
    below = {module}
    for used in MODULES[module]:
        below |= usable(used)
    return below


def include_violations(path, text, root):
    module = path.parts[0]
    for bracket, target in INCLUDE.findall(text):
        if bracket == "<":
            for prefix, owner in WRAPPED.items():
                if target.startswith(prefix) and module not in owner.split():
                    yield f"src/{path}: <{target}> belongs behind src/{owner}"
            if (root / "src" / target).exists():
                yield f'src/{path}: our own <{target}> is spelled "{target}"'
        elif not (root / "src" / target).exists():
            yield f'src/{path}: "{target}" is no file of src'
        elif target.split("/")[0] not in usable(module):
            yield f'src/{path}: "{target}" is not below module {module}'


def cmake_violations(root):
    """USES of the build must stay inside the table too."""
    for path in sorted((root / "src").glob("*/CMakeLists.txt")):
        call = re.search(r"dmoe_add_module\((\w+)([^)]*)\)", path.read_text())
        used = re.search(r"USES((?:\s+(?!LINKS)\w+)*)", call.group(2)) if call else None
        for name in used.group(1).split() if used else []:
            if name not in usable(path.parent.name) - {path.parent.name}:
                yield f"src/{path.parent.name}/CMakeLists.txt: USES {name} is not below the module"


def simulation_violations(path, text):
    """Calls of what only a simulation has must be dropped elsewhere, without optimisation too, or nothing links."""
    enclosing: list[str] = []  # the lines that open the blocks around this one
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        enclosing = [other for other in enclosing if len(other) - len(other.lstrip()) < indent or not line.strip()]
        enclosing.append(line)
        if indent and SIMULATED.search(line) and not any(IN_SIMULATION.search(other) for other in enclosing):
            yield f"src/{path}: '{line.strip()}' outside of if constexpr (simulation::is_on)"


def forgotten_tests(root):
    for path in sorted((root / "tests").glob("*/*_test.*")):
        lists = path.parent / "CMakeLists.txt"
        words = lists.read_text() if lists.exists() else ""
        if path.suffix == ".cpp" and re.search(rf"\b{path.stem.removesuffix('_test')}\b", words):
            continue
        if path.name not in words:
            yield f"{path.relative_to(root)}: not listed in the CMakeLists.txt beside it"


def violations(root):
    """One line for every broken rule of the repository at `root`."""
    root = Path(root)
    found = [*cmake_violations(root), *forgotten_tests(root)]
    world = []
    seen: dict[str, Path] = {}
    for file in sorted((root / "src").rglob("*.[ch]pp")):
        path = file.relative_to(root / "src")
        raw = file.read_text()
        text = COMMENT.sub("", raw)
        if len(path.parts) != 2 or path.parts[0] not in MODULES:
            found.append(f"src/{path}: not src/<module>/<file> of a known module")
            continue
        found += include_violations(path, text, root)
        if path.parts[0] != "simulation":
            found += simulation_violations(path, text)
        if path.suffix == ".cpp" and file.with_suffix(".hpp").exists():
            included = INCLUDE.search(text)
            if not included or included.group(2) != str(path.with_suffix(".hpp")):
                found.append(f"src/{path}: does not begin with its own header, which is to compile alone")
        if path.suffix == ".hpp" and not re.search(r"^#pragma once$", raw, re.MULTILINE):
            found.append(f"src/{path}: no #pragma once")
        if re.search(r"\bMPI_COMM_WORLD\b", text):
            world.append(str(path))
        twin = seen.setdefault(str(path).lower(), path)
        if twin != path:
            found.append(f"src/{path}: differs from src/{twin} in case alone")
    for module in MODULES:
        files = len([*(root / "src" / module).glob("*.[ch]pp")])
        if files > MOST_FILES:
            found.append(f"src/{module}: {files} sources, more than {MOST_FILES}: it is two modules")
    if len(world) > 1:
        found.append("MPI_COMM_WORLD is named in more than one file: " + ", ".join(world))
    return found
