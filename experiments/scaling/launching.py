"""How the experiments of this folder start ranks on this machine."""

import os


def mpirun(ranks):
    """The launcher's words: each rank bound to a core, or, where there are more ranks than cores, none."""
    has_a_core_each = ranks <= len(os.sched_getaffinity(0))
    options = ["--bind-to", "core"] if has_a_core_each else ["--oversubscribe", "--bind-to", "none"]
    if os.geteuid() == 0:
        options.append("--allow-run-as-root")
    return ["mpirun", *options, "-n", str(ranks)]
