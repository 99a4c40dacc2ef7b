"""The .deb that cpack makes is installed by apt-get, runs, and is removed: in a copy of this system that ends with the
test (an overlay over its root), without sources and build. Needs root. package_test.py"""

import os
import re
import sys
import tempfile
import unittest
from pathlib import Path

from dmoe_testing import BUILD_DIR, MPIEXEC, SOURCE_DIR, checked, main

# In mounts of its own: the copy at $1, in which $2 and $3 are empty.
MAKE_COPY = """
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
for folder in proc sys dev run; do mount --rbind "/$folder" "$1/root/$folder"; done
for folder in tmp "$2" "$3"; do
  if [[ -d $1/root/$folder ]]; then mount -t tmpfs tmpfs "$1/root/$folder"; fi
done
"""
QUICK = ["--set", "data.name=synthetic", "--set", "phases.constrained.epochs=1", "--set", "phases.fine_tune.epochs=0"]
EXAMPLE = "/usr/share/dmoe/experiments/jittered_mnist/A-quick.toml"


class Package(unittest.TestCase):
    package: Path
    root: Path

    @classmethod
    def setUpClass(cls):
        folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="dmoe-package-")))
        checked("cpack", "-G", "DEB", "--config", f"{BUILD_DIR}/CPackConfig.cmake", "-B", folder)
        (cls.package,) = folder.glob("*.deb")
        copy = folder / "copy"
        copy.mkdir()
        checked("bash", "-ec", MAKE_COPY, "bash", copy, SOURCE_DIR, BUILD_DIR)
        cls.addClassCleanup(checked, "umount", "--recursive", "--lazy", copy)
        cls.root = copy / "root"
        assert not any((cls.root / SOURCE_DIR.lstrip("/")).iterdir())
        (cls.root / "tmp" / cls.package.name).write_bytes(cls.package.read_bytes())

    @classmethod
    def inside(cls, *words):
        """What a program of the copy says, run in its /tmp by a shell without our environment."""
        kept = [f"{name}={value}" for name, value in os.environ.items()
                if re.match("OMPI_|PRTE_|.*_proxy$", name, re.I)]
        start = 'cd /tmp; exec "$@"'
        clean = ["env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", *kept]
        return checked("chroot", cls.root, *clean, "bash", "-c", start, "bash", *words)

    def field(self, name):
        return checked("dpkg-deb", "--field", self.package, name).strip()

    def test_needs_what_the_program_is_linked_with(self):
        depends = self.field("Depends")
        for library in ("libc6", "libhdf5", "libdnnl", "libboost-serialization", "zlib1g"):
            self.assertIn(library, depends)
        self.assertRegex(depends, "libopenmpi|libmpich")
        self.assertRegex(self.field("Recommends"), r"python3-h5py.*(openmpi-bin|mpich)")
        self.assertEqual(self.field("Package"), "dmoe")
        listed = checked("dpkg-deb", "--contents", self.package)
        self.assertTrue(all(line.split()[1] == "root/root" for line in listed.splitlines()), listed)
        self.assertNotIn("/usr/local", listed)

    def test_is_installed_runs_and_is_removed(self):
        install = ["apt-get", "-q", "-y", "--no-install-recommends", "-o", "APT::Sandbox::User=root", "install"]
        self.inside("env", "DEBIAN_FRONTEND=noninteractive", *install, f"./{self.package.name}")
        self.assertEqual(self.inside("dpkg", "--verify", "dmoe"), "")
        self.inside(MPIEXEC, "-n", "2", "dmoe", "train", EXAMPLE, "--output", "run", *QUICK)
        self.assertIn("finished", self.inside("dmoe", "info", "run"))
        self.inside("dmoe-report", "run")
        self.assertTrue((self.root / "tmp/run/report.html").is_file())
        self.inside("dmoe-submit", "--dry-run", EXAMPLE, "--set", "data.name=synthetic")
        self.assertIn("DMOE=/usr/bin/dmoe\n", (self.root / "tmp/runs/A-quick.sbatch").read_text().replace("'", ""))
        self.assertIn("dmoe evaluate", self.inside("man", "dmoe"))
        # The real thing, over the network.
        self.assertIn("mnist is in /tmp/data/mnist", self.inside("dmoe-fetch-data", "mnist"))
        self.inside("dmoe", "train", EXAMPLE, "--output", "digits", "--dry-run")
        self.inside("apt-get", "-q", "-y", "remove", "dmoe")
        left = [path for path in (self.root / "usr").rglob("*dmoe*") if not path.is_dir()]
        self.assertEqual(left, [])


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("FAILED: needs root, to install a package")
    if "DMOE_OWN_MOUNTS" not in os.environ:
        os.environ["DMOE_OWN_MOUNTS"] = "yes"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, "-B", *sys.argv])
    main()
