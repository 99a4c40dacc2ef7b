"""Builds one package after another into the prefix.

    PREFIX/dmoe-dependencies/NAME.stamp   what NAME was built from and with; written last, so that whatever was
                                          interrupted begins again
    PREFIX/dmoe-dependencies/NAME.log     all that its tools said
    PREFIX/dmoe-dependencies/sources      tarballs that were fetched
    PREFIX/dmoe-dependencies/NAME         its sources and build, deleted when it is done
"""
import glob
import json
import os
import shutil
import signal
import subprocess
import time

from dependencies.errors import BuildError
from dependencies.toolchain import tail

LINES_OF_A_FAILURE = 25


def work_folder(prefix):
    return os.path.join(prefix, "dmoe-dependencies")


def identity(package, site):
    """What a package was built from and with: with another one of these it is built again."""
    compiler, mpi = site.found["compiler"], site.found["mpi"]
    made_of = [package.version, package.sha256, compiler.version, compiler.where, package.recipe.options]
    if package.recipe.mpi:
        made_of += [mpi.version, mpi.where]
    return json.dumps(made_of)


def is_built(package, site, prefix):
    try:
        with open(os.path.join(work_folder(prefix), package.name + ".stamp"), encoding="utf-8") as stream:
            return stream.read() == identity(package, site)
    except OSError:
        return False


class Builder:
    def __init__(self, prefix, site, jobs):
        self.prefix, self.site, self.jobs = prefix, site, jobs
        self.work = work_folder(prefix)
        self.started = time.monotonic()

    def build(self, package, tarball, place):
        """`place` is "2/8": the how manieth this is."""
        label = "[{}] {} {}".format(place, package.name, package.version)
        stamp = os.path.join(self.work, package.name + ".stamp")
        log = os.path.join(self.work, package.name + ".log")
        folder = os.path.join(self.work, package.name)
        if os.path.exists(stamp):
            os.remove(stamp)
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        began = time.monotonic()
        with open(log, "w", encoding="utf-8") as stream:
            for verb, step in self.steps(package, tarball, folder):
                print("{}: {} ({} so far)".format(label, verb, clock(time.monotonic() - self.started)), flush=True)
                stream.write("== {}\n$ {}\n".format(verb, " ".join(step)))
                stream.flush()
                if run(step, folder, stream) != 0:
                    stream.flush()
                    raise BuildError("{} {} failed while {}; the end of {}:\n{}".format(
                        package.name, package.version, verb, log, tail(log, LINES_OF_A_FAILURE)))
        with open(stamp + ".part", "w", encoding="utf-8") as stream:
            stream.write(identity(package, self.site))
        os.replace(stamp + ".part", stamp)
        shutil.rmtree(folder, ignore_errors=True)
        print("{}: done in {}".format(label, clock(time.monotonic() - began)), flush=True)

    def steps(self, package, tarball, folder):
        """What is done, in words, and the command for it; a generator, since later steps look at what earlier left."""
        yield "unpacking", ["cmake", "-E", "tar", "xf", os.path.abspath(tarball)]
        source = os.path.join(folder, os.listdir(folder)[0])
        if package.recipe.options is None:
            headers = sorted(glob.glob(os.path.join(source, "include", "*")) or glob.glob(os.path.join(source, "*.h")))
            include = os.path.join(self.prefix, "include")
            os.makedirs(include, exist_ok=True)
            yield "installing", ["cp", "-R"] + headers + [include]
            return
        build = os.path.join(folder, "build")
        yield "configuring", self.configure(package, source, build)
        yield "building", ["cmake", "--build", build, "--parallel", str(self.jobs)]
        yield "installing", ["cmake", "--install", build]

    def configure(self, package, source, build):
        rpath = os.path.join(self.prefix, "lib")
        options = [
            "-DCMAKE_BUILD_TYPE=Release", "-DBUILD_SHARED_LIBS=ON", "-DCMAKE_INSTALL_LIBDIR=lib",
            "-DCMAKE_INSTALL_PREFIX=" + self.prefix, "-DCMAKE_PREFIX_PATH=" + self.prefix,
            "-DCMAKE_INSTALL_RPATH=" + rpath, "-DCMAKE_INSTALL_RPATH_USE_LINK_PATH=ON",
            "-DCMAKE_POLICY_VERSION_MINIMUM=3.5"]
        if package.recipe.mpi:
            options.append("-DMPI_C_COMPILER=" + self.site.found["mpi"].where)
        return ["cmake", "-S", source, "-B", build, "-G", self.site.generator] + options + package.recipe.options


def run(command, folder, stream):
    """Its exit status. Where this process is interrupted, it ends first, with all that it started."""
    process = subprocess.Popen(command, cwd=folder, stdout=stream, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise


def clock(seconds):
    return "{}:{:02d}".format(int(seconds) // 60, int(seconds) % 60)
