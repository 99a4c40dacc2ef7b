"""A real SLURM on this machine: munged, slurmctld and a slurmd for each "node", in a folder and, with all they start,
in process and network namespaces of their own: with the first process there everything ends. Needs root.

Nodes share a network, but each has its own host name, /dev/shm and PMIx folder, without which MPI over several of them
crashes. For a look around: cluster.py bash
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# When a job of `high` needs their nodes, jobs of `low` are warned and have 30 s, those of `harsh` are killed.
# cred_expire is how long a job that was requeued must wait at least [s]; MessageTimeout [s] is that of a busy machine.
CONFIG = """\
ClusterName=dmoe-test
SlurmctldHost={host}(127.0.0.1)
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmctldPort=6817
SlurmctldParameters=preempt_send_user_signal
SlurmUser=root
AuthInfo=socket={folder}/munge.sock,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd.%n.log
SlurmdParameters=config_overrides
MessageTimeout=60
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PropagateResourceLimits=NONE
KillWait=5
MinJobAge=3600
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[7001-700{nodes}] CPUs={cpus}
PartitionName=low Nodes=ALL Default=YES PriorityTier=1 GraceTime=30
PartitionName=harsh Nodes=ALL PriorityTier=1
PartitionName=high Nodes=ALL PriorityTier=2 PreemptMode=OFF
"""
# Open MPI does not talk over the loopback interface alone.
START_FIRST = """
ip link set lo up
ip link add eth0 type veth peer name switch
ip address add 10.0.0.1/24 dev eth0
ip link set switch up
ip link set eth0 up
"$@" || exit
"""
START_NODE = """
hostname "$1"
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs "$2/pmix"
mount --bind "$2/hosts" /etc/hosts
exec slurmd -D -N "$1" -f "$2/slurm.conf"
"""
FINAL = ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED")
SECONDS = 180  # until something must have happened


def enter_namespaces():
    """Runs this program again, in namespaces that end with it, however it ends."""
    if "DMOE_IN_CLUSTER" in os.environ:
        return
    if os.geteuid() != 0:
        sys.exit("FAILED: needs root, for nodes that are namespaces")
    os.environ["DMOE_IN_CLUSTER"] = "yes"
    alone = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    os.execvp("unshare", [*alone, "bash", "-ec", START_FIRST, "bash", sys.executable, "-B", *sys.argv])


class Cluster:
    """Up within a `with`. `environment` is what its commands need."""

    def __init__(self, nodes=3, cpus=4):
        self.nodes, self.cpus = nodes, cpus
        self.daemons = []

    def __enter__(self):
        self.temporary = tempfile.TemporaryDirectory(prefix="dmoe-slurm-", ignore_cleanup_errors=True)
        self.folder = Path(self.temporary.name)
        self.environment = {**os.environ, "SLURM_CONF": f"{self.folder}/slurm.conf", "TMPDIR": f"{self.folder}/tmp"}
        self.environment.pop("OMPI_MCA_btl", None)  # of tests on one host; here ranks talk between nodes
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        for name in ("state", "spool", "log", "pmix", "tmp"):
            (self.folder / name).mkdir()
        self.folder.chmod(0o755)
        key = self.folder / "munge.key"
        key.touch(mode=0o600)
        key.write_bytes(os.urandom(128))
        munge = {"socket": "munge.sock", "key-file": "munge.key", "pid-file": "munged.pid", "seed-file": "munge.seed"}
        self.daemon("munged", "--foreground", *(f"--{option}={self.folder / name}" for option, name in munge.items()))

        host, numbers = socket.gethostname().split(".")[0], range(1, self.nodes + 1)
        self.config = CONFIG.format(host=host, folder=self.folder, nodes=self.nodes, cpus=self.cpus)
        (self.folder / "slurm.conf").write_text(self.config)
        (self.folder / "mpi.conf").write_text(f"PMIxCliTmpDirBase={self.folder}/pmix\n")
        names = "".join(f"127.0.0.1 n{number}\n" for number in numbers)
        (self.folder / "hosts").write_text(f"127.0.0.1 localhost {host}\n{names}")
        self.until(lambda: (self.folder / "munge.sock").exists(), "munged")
        self.daemon("slurmctld", "-D", "-c", "-f", self.folder / "slurm.conf")
        for number in numbers:
            self.daemon("unshare", "--mount", "--uts", "bash", "-ec", START_NODE, "bash", f"n{number}", self.folder)
        idle = ["sinfo", "--noheader", "--partition=low", "--states=idle", "--format=%D"]
        self.until(lambda: self.run(*idle).stdout.strip() == str(self.nodes), "idle nodes")

    def daemon(self, *command):
        with (self.folder / "log/daemons.log").open("a") as log:
            self.daemons.append(subprocess.Popen(list(map(str, command)), stdout=log, stderr=log))

    def stop(self):
        """The newest daemon first: who ends needs those before it."""
        if len(self.daemons) > 1:
            self.clear()
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(5)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        self.temporary.cleanup()

    def configure(self, line, other):
        """Another line in place of one of CONFIG."""
        (self.folder / "slurm.conf").write_text(self.config.replace(line, other))
        self.run("scontrol", "reconfigure")

    def clear(self):
        """Ends all jobs."""
        self.run("scancel", "--quiet", "--user=root")
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.run("squeue", "--noheader").stdout:
            time.sleep(0.1)

    def run(self, *command, **options):
        """The finished process of a command; its output is text."""
        options = {"env": self.environment, "timeout": SECONDS, **options}
        return subprocess.run(list(map(str, command)), text=True, capture_output=True, check=False, **options)

    def until(self, holds, what):
        """Waits for what must come, and tells all there is to know where it does not."""
        deadline = time.monotonic() + SECONDS
        while not holds():
            if time.monotonic() > deadline or any(daemon.poll() is not None for daemon in self.daemons):
                queue = self.run("squeue", "--states=all").stdout
                logs = [f"== {log.name}\n{log.read_text()[-2000:]}" for log in sorted((self.folder / "log").iterdir())]
                raise AssertionError("\n".join([f"waited in vain: {what}", queue, *logs]))
            time.sleep(0.05)

    def state(self, job):
        """As scontrol tells it: {"JobState": "RUNNING", "Restarts": "0", "NodeList": "n1", ..}."""
        process = self.run("scontrol", "show", "job", "--oneliner", job)
        return dict(word.split("=", 1) for word in process.stdout.split() if "=" in word)

    def ended(self, job):
        """The state of a job once it has ended for good."""
        states: list[dict] = []

        def has_ended():
            states[:] = [self.state(job)]
            return states[0].get("JobState") in FINAL

        self.until(has_ended, f"end of job {job}")
        return states[0]


def main():
    enter_namespaces()
    with Cluster() as cluster:
        sys.exit(subprocess.run(sys.argv[1:] or ["bash"], env=cluster.environment, check=False).returncode)


if __name__ == "__main__":
    main()
