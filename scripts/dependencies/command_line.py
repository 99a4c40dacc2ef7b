"""scripts/build-dependencies: options, plan, and what is said."""
import argparse
import os
import signal
import sys
import tempfile

from dependencies import sources
from dependencies.builder import Builder, is_built, work_folder
from dependencies.errors import BuildError, UserError
from dependencies.packages import TEST_PACKAGES, read_table
from dependencies.toolchain import examine

DESCRIPTION = """\
Builds the libraries that dmoe needs and this site lacks, without root: with the compiler (CC, CXX) and the MPI (mpicc)
that the environment gives, from upstream's releases, into a folder of yours. What is there already is used. Then

  cmake --preset release -DCMAKE_PREFIX_PATH=DIR && cmake --build --preset release

Interrupted, the same command goes on with the package it was at. Each package has a log in DIR/dmoe-dependencies.
Needs Python 3.6, CMake 3.25, ninja or make, a C++20 compiler (GCC 12, clang 16) and an MPI; curl or wget to fetch."""


def parse(arguments):
    parser = argparse.ArgumentParser(prog="build-dependencies", description=DESCRIPTION,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prefix", metavar="DIR", help="where the libraries go")
    parser.add_argument("--sources", metavar="FOLDER", help="take the tarballs from here; nothing is fetched")
    parser.add_argument("--packages", metavar="FILE",
                        help="other versions, URLs and sums, in the form of scripts/dependencies/packages.ini")
    parser.add_argument("--tests", action="store_true", help="GoogleTest too, which -DDMOE_TESTS=ON needs")
    parser.add_argument("--all", action="store_true", help="build everything, also what the site has")
    parser.add_argument("--jobs", metavar="N", type=int, default=len(os.sched_getaffinity(0)),
                        help="at most so many compilers at a time (default: %(default)s, the cores of this process)")
    parser.add_argument("--list", action="store_true", help="print every package: version, URL, sum, and its source")
    parser.add_argument("--dry-run", action="store_true", help="say what would be built and what is found, and stop")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        raise UserError("--jobs must be at least 1, got {}".format(options.jobs))
    if not options.list and not options.prefix:
        raise UserError("--prefix DIR is missing: the folder that gets the libraries (--help says more)")
    return options


def print_table(packages):
    for package in packages.values():
        print("{} {}  ({})".format(package.name, package.version, package.recipe.what))
        print("  {}\n  file {}\n  sha256 {}".format(package.url, package.file, package.sha256))
        print("  sum from {}; {}".format(
            package.sum_from, "verified" if package.verified == "yes" else "not verified against upstream's file"))


def plan(packages, options, site, prefix):
    """The packages to build, in order. Says for each that is not built why. HDF5's zlib comes along as any other."""
    wanted: list = []
    for package in packages.values():
        if package.name in TEST_PACKAGES and not options.tests:
            continue
        there = site.found[package.name]
        again = any(need.name in package.recipe.needs for need in wanted)
        if is_built(package, site, prefix) and not again:
            print("{}: {} is built".format(package.name, package.version))
        elif there.is_there and not again and not options.all:
            print("{}: the site has {} in {}".format(package.name, there.version or "it", there.where))
        else:
            anew = "built anew, since what it needs is" if there.is_there else there.where
            why = "asked for" if options.all else anew
            print("{}: {} will be built ({})".format(package.name, package.version, why))
            wanted.append(package)
    return wanted


def require_writable(prefix):
    place = prefix
    while not os.path.exists(place):
        place = os.path.dirname(place)
    if not os.path.isdir(place):
        raise UserError("--prefix {}: {} is no folder".format(prefix, place))
    try:
        tempfile.TemporaryDirectory(prefix=".dmoe-", dir=place).cleanup()
    except OSError as error:
        raise UserError("--prefix {}: nothing can be written in {} ({})".format(prefix, place, error.strerror))


def run(arguments):
    options = parse(arguments)
    packages = read_table(options.packages)
    if options.list:
        print_table(packages)
        return
    prefix = os.path.abspath(options.prefix)
    require_writable(prefix)
    site = examine(prefix)
    print("compiler: {0.version}, {0.where}\nMPI: {1.where}".format(site.found["compiler"], site.found["mpi"]))
    wanted = plan(packages, options, site, prefix)
    if options.sources:
        tarballs = sources.in_folder(wanted, options.sources)
    if options.dry_run:
        return
    work = work_folder(prefix)
    os.makedirs(work, exist_ok=True)
    if not options.sources:
        tarballs = sources.fetched(wanted, os.path.join(work, "sources"))
    builder = Builder(prefix, site, options.jobs)
    for place, package in enumerate(wanted, 1):
        builder.build(package, tarballs[package.name], "{}/{}".format(place, len(wanted)))
    print("all there; next:\n  cmake --preset release -DCMAKE_PREFIX_PATH={}{}".format(
        prefix, "" if options.tests else " -DDMOE_TESTS=OFF"))


def main():
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a job's end is an interruption too
    try:
        run(sys.argv[1:])
    except UserError as error:
        print("build-dependencies: {}".format(error), file=sys.stderr)
        return 2
    except BuildError as error:
        print("build-dependencies: {}".format(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nbuild-dependencies: interrupted; the same command goes on", file=sys.stderr)
        return 130
    return 0
