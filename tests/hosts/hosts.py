"""Several hosts on this machine: network namespaces, joined by a bridge or by the delaying switch. Needs root.

    cluster                      process and network namespaces of its own: the end of its first process ends everything
      bridge | delaying_switch
        port1, port2, ..
    host1, host2, ..             network, host name, /dev/shm and /etc/hosts of their own; eth0 is the way to the others

Nothing of it has a name outside, so that nothing is left behind, however the test ends.
"""

import os
import shlex
import subprocess
from pathlib import Path

from dmoe_testing import MPIEXEC

START_CLUSTER = "echo up; exec cat"  # ends with its input, which ends with this program
START_HOST = """
hostname "$1"
mount -t tmpfs tmpfs /dev/shm
mount --bind "$2/hosts" /etc/hosts
ip link set lo up
echo $$
exec sleep infinity
"""
# What mpirun takes for ssh: HOST COMMAND...
REMOTE_SHELL = """#!/bin/bash
host=$1
shift
exec nsenter --target "$(<"$(dirname "$0")/$host.process")" --net --uts --mount -- bash -c "$*"
"""
SECONDS = 60


def is_there(process, program, cluster):
    """Whether a process of /proc lives, in the cluster, and runs the program."""
    try:
        return os.readlink(process / "ns/pid") == cluster and os.readlink(process / "exe") == os.path.realpath(program)
    except OSError:  # it has ended
        return False


class Begun(subprocess.Popen):
    """A process that goes on."""

    said = ""  # its first line


class Hosts:
    """Up within a `with`. `folder` is for what they need, not to be used otherwise; `switch` is the delaying switch's
    program. Paths are to be absolute: a command begins in the root folder."""

    def __init__(self, folder, count, switch=None, delay_milliseconds=0):
        self.folder = Path(folder)
        self.names = [f"host{number}" for number in range(1, count + 1)]
        self.ports = {name: f"port{number}" for number, name in enumerate(self.names, 1)}
        self.switch, self.delay_milliseconds = switch, delay_milliseconds
        self.remote_shell = self.folder / "remote-shell"
        self.started = []

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        if os.geteuid() != 0:
            raise AssertionError("only root can make hosts of namespaces")
        addresses = [f"10.0.0.{number} {name}" for number, name in enumerate(self.names, 1)]
        (self.folder / "hosts").write_text("\n".join(["127.0.0.1 localhost", *addresses, ""]))
        self.remote_shell.write_text(REMOTE_SHELL)
        self.remote_shell.chmod(0o755)
        alone = ["--net", "--mount", "--pid", "--fork", "--mount-proc"]
        self.cluster = self.begin(["unshare", *alone, "bash", "-c", START_CLUSTER])
        for name in self.names:
            self.start_host(name)
        self.join()

    def start_host(self, name):
        alone = ["unshare", "--net", "--uts", "--mount"]
        host = self.begin(self.inside([*alone, "bash", "-ec", START_HOST, "bash", name, self.folder]))
        (self.folder / f"{name}.process").write_text(host.said)
        link = ["ip", "link", "add", self.ports[name], "type", "veth", "peer", "name", "eth0", "netns", host.said]
        self.call(self.inside(link))
        self.call(self.inside(["ip", "link", "set", self.ports[name], "up"]))
        address = f"10.0.0.{self.names.index(name) + 1}/24"
        self.call(self.on(name, ["ip", "address", "add", address, "dev", "eth0"]))
        self.call(self.on(name, ["ip", "link", "set", "eth0", "up"]))

    def join(self):
        if self.delay_milliseconds:
            self.begin(self.inside([self.switch, self.delay_milliseconds, *self.ports.values()]))
            return
        self.call(self.inside(["ip", "link", "add", "bridge", "type", "bridge"]))
        self.call(self.inside(["ip", "link", "set", "bridge", "up"]))
        for port in self.ports.values():
            self.call(self.inside(["ip", "link", "set", port, "master", "bridge"]))

    def stop(self):
        """The cluster's first process comes to the end of its input, and takes along all that was started in it."""
        for process in self.started:
            process.communicate(timeout=SECONDS)

    def inside(self, command):
        """The command, in the cluster but on no host."""
        own = f"/proc/{self.cluster.pid}/ns"
        enter = [f"--mount={own}/mnt", f"--net={own}/net", f"--pid={own}/pid_for_children"]
        return ["nsenter", *enter, "--", *map(str, command)]

    def on(self, name, command):
        """The command, on a host."""
        return self.inside([self.remote_shell, name, shlex.join(map(str, command))])

    def mpirun(self, slots, command):
        """The command under mpirun with so many ranks on each host: TCP between hosts, shared memory within one."""
        hosts = ",".join(f"{name}:{count}" for name, count in zip(self.names, slots, strict=True))
        # OMPI_: libraries of Open MPI 4 and 5, and mpirun of 4; PRTE_: mpirun of 5.
        settings = {
            "OMPI_MCA_plm_rsh_agent": self.remote_shell,
            "PRTE_MCA_plm_ssh_agent": self.remote_shell,
            "OMPI_MCA_btl": "self,vader,tcp",
            "OMPI_MCA_btl_tcp_if_include": "eth0",
            "OMPI_MCA_oob_tcp_if_include": "eth0",
            "PRTE_MCA_prte_if_include": "eth0",
            "OMPI_MCA_orte_tmpdir_base": self.folder,
            "PRTE_MCA_prte_tmpdir_base": self.folder,
        }
        words = [f"{name}={value}" for name, value in settings.items()]
        return self.on(self.names[0], ["env", *words, MPIEXEC, "--host", hosts, "-n", sum(slots), *command])

    def received_bytes(self, name):
        """By eth0, since the host is up."""
        for line in self.call(self.on(name, ["cat", "/proc/net/dev"])).splitlines():
            interface, _, counters = line.partition(":")
            if interface.strip() == "eth0":
                return int(counters.split()[0])
        raise AssertionError(f"{name} has no eth0")

    def cut(self, name):
        """Pulls the plug of a host. TCP gives it up after seconds instead of its usual quarter of an hour: for so long
        mpirun, with all ranks gone, waits for its daemon on a host that does not answer."""
        for host in self.names:
            self.call(self.on(host, ["bash", "-c", "echo 3 > /proc/sys/net/ipv4/tcp_retries2"]))
        self.call(self.inside(["ip", "link", "set", self.ports[name], "down"]))

    def has_process(self, program):
        """On any host."""
        processes = Path("/proc").glob("[0-9]*")
        cluster = os.readlink(f"/proc/{self.cluster.pid}/ns/pid_for_children")
        return any(is_there(process, program, cluster) for process in processes)

    def begin(self, command):
        """A process that goes on, once it has said its first line."""
        words = list(map(str, command))
        process = Begun(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        process.said = process.stdout.readline().strip()
        if not process.said:
            raise AssertionError(f"{shlex.join(words)} ended with {process.wait(SECONDS)}")
        return process

    def call(self, command):
        """What a command prints. Throws where it fails."""
        process = subprocess.run(command, text=True, capture_output=True, timeout=SECONDS, check=False)
        if process.returncode != 0:
            raise AssertionError(f"{shlex.join(command)} ended with {process.returncode}: {process.stderr}")
        return process.stdout
