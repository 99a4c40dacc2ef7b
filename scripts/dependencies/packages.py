"""The table of packages (packages.ini), and how each is built: the one place that knows a package's options."""
import configparser
import os
from collections import namedtuple

from dependencies.errors import UserError

FOLDER = os.path.dirname(os.path.abspath(__file__))

# needs: packages that must stand before it. options: for its CMake; None where there is none to run, its headers are
# copied. mpi: it is built with the MPI compilers, and belongs to that MPI.
Recipe = namedtuple("Recipe", "needs options mpi what")

# oneDNN: a product, what moves and rounds its operands, and nothing of training: dmoe writes its own backward products.
# Its own choice of -march is taken away, so that one build serves mixed nodes; it picks its kernels where it runs.
RECIPES = {
    "zlib": Recipe([], ["-DZLIB_BUILD_EXAMPLES=OFF"], False, "compressed IDX files"),
    "hdf5": Recipe(
        ["zlib"],
        ["-DHDF5_ENABLE_PARALLEL=ON", "-DHDF5_ENABLE_Z_LIB_SUPPORT=ON", "-DHDF5_ENABLE_SZIP_SUPPORT=OFF",
         "-DHDF5_BUILD_CPP_LIB=OFF", "-DHDF5_BUILD_FORTRAN=OFF", "-DHDF5_BUILD_HL_LIB=OFF", "-DHDF5_BUILD_JAVA=OFF",
         "-DHDF5_BUILD_TOOLS=OFF", "-DHDF5_BUILD_EXAMPLES=OFF", "-DHDF5_BUILD_UTILS=OFF", "-DBUILD_TESTING=OFF",
         "-DBUILD_STATIC_LIBS=OFF"],
        True, "runs, models, checkpoints"),
    "onednn": Recipe(
        [],
        ["-DONEDNN_BUILD_TESTS=OFF", "-DONEDNN_BUILD_EXAMPLES=OFF", "-DONEDNN_BUILD_GRAPH=OFF",
         "-DONEDNN_ENABLE_PRIMITIVE=MATMUL;REORDER", "-DONEDNN_ENABLE_WORKLOAD=INFERENCE",
         "-DONEDNN_ENABLE_ITT_TASKS=OFF", "-DONEDNN_ENABLE_JIT_PROFILING=OFF", "-DONEDNN_ARCH_OPT_FLAGS="],
        False, "matrix products"),
    "boost": Recipe([], ["-DBOOST_INCLUDE_LIBRARIES=serialization;crc", "-DBOOST_INSTALL_LAYOUT=system"], False,
                    "control messages, checksums"),
    "fmt": Recipe([], ["-DFMT_DOC=OFF", "-DFMT_TEST=OFF"], False, "text"),
    "spdlog": Recipe(["fmt"], ["-DSPDLOG_BUILD_SHARED=ON", "-DSPDLOG_FMT_EXTERNAL=ON", "-DSPDLOG_BUILD_EXAMPLE=OFF",
                               "-DSPDLOG_BUILD_TESTS=OFF"], False, "logs"),
    "tomlplusplus": Recipe([], [], False, "configs"),
    "cli11": Recipe([], ["-DCLI11_BUILD_TESTS=OFF", "-DCLI11_BUILD_EXAMPLES=OFF", "-DCLI11_BUILD_DOCS=OFF",
                         "-DCLI11_PRECOMPILED=OFF"], False, "command line"),
    "random123": Recipe([], None, False, "random numbers"),
    "xxhash": Recipe([], None, False, "checksums of data"),
    "googletest": Recipe([], ["-DBUILD_GMOCK=ON"], False, "tests, with --tests alone"),
}
TEST_PACKAGES = ("googletest",)
Package = namedtuple("Package", "name version url sha256 sum_from verified recipe file")
KEYS = Package._fields[1:-2]


def read_table(overlay=None):
    """All packages by name, in the order they are built; `overlay` is a file read over the table."""
    table = configparser.ConfigParser(interpolation=None)
    with open(os.path.join(FOLDER, "packages.ini"), encoding="utf-8") as stream:
        table.read_file(stream)
    if overlay:
        try:
            with open(overlay, encoding="utf-8") as stream:
                table.read_file(stream, overlay)
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            raise UserError("{}: {}".format(overlay, error).replace("\n", " "))
    for name in table.sections():
        if name not in RECIPES:
            raise UserError("{}: unknown package [{}]; known: {}".format(overlay, name, ", ".join(RECIPES)))
        for key in table[name]:
            if key not in KEYS:
                raise UserError("{}: [{}] has unknown key '{}'; known: {}".format(
                    overlay, name, key, ", ".join(KEYS)))
    packages = {}
    for name, recipe in RECIPES.items():
        values = [table[name][key] for key in KEYS]
        packages[name] = Package._make([name, *values, recipe, file_name(name, table[name]["url"])])
    return packages


def file_name(name, url):
    """The tarball's name in a folder of sources: that of the URL, with the package in front where it lacks it."""
    last = url.rsplit("/", 1)[-1]
    return last if name in last.lower() else "{}-{}".format(name, last)
