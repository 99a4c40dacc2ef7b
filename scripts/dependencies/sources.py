"""Where the tarballs come from: a folder, or upstream by curl or wget. What does not have its sum is not used."""
import hashlib
import os
import shutil
import subprocess

from dependencies.errors import UserError


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def in_folder(packages, folder):
    """The path of each package's tarball in `folder`, all of them checked. Names all that are absent at once."""
    if not os.path.isdir(folder):
        raise UserError("--sources {}: no such folder".format(folder))
    absent = [package for package in packages if not os.path.isfile(os.path.join(folder, package.file))]
    if absent:
        raise UserError("{} lacks:\n{}".format(folder, "\n".join(
            "  {}    {}".format(package.file, package.url) for package in absent)))
    paths = {package.name: os.path.join(folder, package.file) for package in packages}
    wrong = []
    for package in packages:
        actual = sha256_of(paths[package.name])
        if actual != package.sha256:
            wrong.append("{}: SHA-256 {}, expected {}".format(paths[package.name], actual, package.sha256))
    if wrong:
        raise UserError("not the files that were expected:\n  " + "\n  ".join(wrong))
    return paths


def fetched(packages, folder):
    """The path of each package's tarball, fetched into `folder` where it is not there yet."""
    paths = {}
    for package in packages:
        path = os.path.join(folder, package.file)
        if not (os.path.isfile(path) and sha256_of(path) == package.sha256):
            fetch(package, path)
        paths[package.name] = path
    return paths


def fetch(package, path):
    """Fetches aside; the file has its name only once its sum is right."""
    partial = path + ".part"
    if shutil.which("curl"):
        command = ["curl", "--fail", "--location", "--silent", "--show-error", "--retry", "3", "-o", partial]
    elif shutil.which("wget"):
        command = ["wget", "--no-verbose", "-O", partial]
    else:
        raise UserError("neither curl nor wget to fetch the sources: fetch them elsewhere (--list has the URLs) "
                        "and give their folder with --sources")
    print("fetching {}".format(package.url), flush=True)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    status = subprocess.call(command + [package.url], stdin=subprocess.DEVNULL)
    if status != 0:
        discard(partial)
        raise UserError("{} could not be fetched from {} ({} ended with {}); where there is no network, fetch it "
                        "elsewhere and give its folder with --sources".format(
                            package.name, package.url, command[0], status))
    actual = sha256_of(partial)
    if actual != package.sha256:
        discard(partial)
        raise UserError("{} has SHA-256 {}, expected {} (from {}); it was not kept".format(
            package.url, actual, package.sha256, package.sum_from))
    os.replace(partial, path)


def discard(path):
    if os.path.exists(path):
        os.remove(path)
