"""Which forms get ready? torch.jit compiles in a form's first passes, and may do so without end (the fuser of PyTorch
2.6). Nothing within this process could stop that, so each traced form is first tried in one of its own, for a minute at
most. What does not get ready is left out.
"""

import subprocess
import sys

SECONDS = 60
BATCH, PASSES = 100, 6  # torch.jit compiles in the first few passes


class Unready(Exception):
    """A form that failed, and what it said."""


def is_ready(model, kind, index):
    """Whether form `index` of `kind` has done its first passes in time. Throws Unready where it fails."""
    command = [sys.executable, "-B", __file__, str(model), kind, str(index)]
    try:
        process = subprocess.run(command, text=True, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    if process.returncode != 0:
        raise Unready(f"{' '.join(command)} ended with {process.returncode}: {process.stderr}")
    return True


def ready_forms(model, kinds):
    """{kind: its forms that get ready}, of kinds as in rounds.KINDS; who does not is printed."""
    found = {}
    for kind, (_, candidates, _) in kinds.items():
        chosen = [form for index, form in enumerate(candidates) if not form.is_traced or is_ready(model, kind, index)]
        found[kind] = tuple(chosen)
        for form in candidates:
            if form not in chosen:
                print(f"left out in {kind}, not ready within {SECONDS:g} s: {form.name}", flush=True)
    return found


def main(model, kind, index):
    import network
    import rounds
    import work

    does, candidates, _ = rounds.KINDS[kind]
    does(candidates[int(index)], network.Parameters.of_file(model), work.Images(), BATCH).run(PASSES, presents=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
