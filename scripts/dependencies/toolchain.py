"""The compiler, the MPI and the libraries that the site has: asked of CMake, with the project in probe/."""
import os
import re
import shutil
import subprocess
import tempfile
from collections import namedtuple

from dependencies.errors import UserError

PROBE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "probe")
OLDEST_CMAKE = (3, 25)

Found = namedtuple("Found", "is_there version where")  # where it is missing, `where` says why
Site = namedtuple("Site", "found generator")


def first_of(names):
    return next((name for name in names if name and shutil.which(name)), None)


def require_tools():
    """CMake, a C and a C++ compiler and mpicc stand on PATH; returns the generator that CMake shall use."""
    if not shutil.which("cmake"):
        raise UserError("no cmake on PATH: dmoe and its libraries need CMake 3.25 or newer (module load cmake)")
    said = subprocess.run(["cmake", "--version"], stdout=subprocess.PIPE, universal_newlines=True, check=False).stdout
    version = re.search(r"(\d+)\.(\d+)", said)
    if not version or tuple(map(int, version.groups())) < OLDEST_CMAKE:
        raise UserError("{} is too old: dmoe needs CMake 3.25 or newer (module load cmake)".format(
            said.split("\n")[0] or "cmake"))
    for variable, usual in (("CC", ("cc", "gcc", "clang")), ("CXX", ("c++", "g++", "clang++"))):
        wanted = os.environ.get(variable)
        if wanted and not shutil.which(wanted.split()[0]):
            raise UserError("{}={}: no such compiler".format(variable, wanted))
        if not wanted and not first_of(usual):
            raise UserError("no compiler on PATH ({}): load one, or name it in {}".format(", ".join(usual), variable))
    if not first_of((os.environ.get("MPICC"), "mpicc", "mpiicx", "mpiicc", "cc" if "CRAYPE_VERSION" in os.environ
                     else None)):
        raise UserError("no mpicc on PATH: load the site's MPI first (module load openmpi, or what it is called)")
    if shutil.which("ninja") or shutil.which("ninja-build"):
        return "Ninja"
    if shutil.which("make"):
        return "Unix Makefiles"
    raise UserError("neither ninja nor make on PATH")


def examine(prefix):
    """What the site has beside `prefix`."""
    generator = require_tools()
    with tempfile.TemporaryDirectory(prefix="dmoe-probe-") as folder:
        result, log = os.path.join(folder, "result"), os.path.join(folder, "log")
        with open(log, "w", encoding="utf-8") as stream:
            status = subprocess.call(
                ["cmake", "-S", PROBE, "-B", os.path.join(folder, "build"), "-G", generator, "-DRESULT=" + result,
                 "-DCMAKE_IGNORE_PREFIX_PATH=" + prefix],
                stdout=stream, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        if status != 0 or not os.path.exists(result):
            raise UserError("CMake could not try the compiler:\n{}".format(tail(log, 15)))
        found = {}
        with open(result, encoding="utf-8") as stream:
            for line in stream:
                verdict, name, version, where = line.rstrip("\n").split("\t")
                found[name] = Found(verdict == "found", version, where)
    for tool in ("compiler", "mpi"):
        if not found[tool].is_there:
            raise UserError(found[tool].where)
    return Site(found, generator)


def tail(log, count):
    with open(log, encoding="utf-8", errors="replace") as stream:
        return "".join("  " + line for line in stream.readlines()[-count:]).rstrip("\n")
