"""What the comparison prints and writes."""

import csv
import re
from pathlib import Path

import torch

import agreement
from rounds import named, spread

COLUMNS = ("measurement", "cores", "batch", "program", "setting", "quantity", "unit", "median", "smallest", "largest",
           "rounds")


def first_match(pattern, text, default):
    found = re.search(pattern, text)
    return found.group(1).strip() if found else default


def print_versions(dmoe):
    config = torch.__config__.show()
    onednn = first_match(r"MKL-DNN v(\S+)", config, "none")
    blas = Path("/proc/self/maps").read_text(encoding="utf-8")
    blas = first_match(r"(/\S*/lib(?:openblas|blas|mkl_core|blis)\S*\.so\S*)", blas, "its own")
    cpu = first_match(r"model name\s*:(.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"), "unknown CPU")
    capability = first_match(r"CPU capability usage: (\S+)", config, "default")
    print(f"dmoe:    {dmoe.version()}")
    print(f"PyTorch: {torch.__version__}, oneDNN {onednn}, BLAS {blas}, vectors {capability}")
    print(f"CPU:     {cpu}")


def print_differences(differences):
    print("\nPyTorch against dmoe, the form that differs most (d: gradient; relative to dmoe's largest value)")
    print(f"  {'':30}{'absolute':>10}{'relative':>10}  form")
    for one in differences:
        verdict = "" if one.agrees else "   DISAGREES"
        print(f"  {one.name:30}{one.absolute:10.1e}{one.relative:10.1e}  {one.form}{verdict}")
    print(f"  all within {agreement.TOLERANCE:g}" if all(one.agrees for one in differences) else "", flush=True)


def title(setting):
    return f"{setting.what}, batch {setting.batch}, {setting.cores} core{'s' * (setting.cores > 1)}"


def dmoe_as(setting):
    return f"{setting.cores} rank{'s' * (setting.cores > 1)}"


def print_trials(result):
    print(f"\n{title(result.setting)}: forms in PyTorch, ms")
    for form, threads, ms in result.trials:
        print(f"  {ms:9.3f}  {named(form, threads)}", flush=True)


def print_table(results):
    print("\nMilliseconds a step or batch: median (smallest to largest). Ratio: PyTorch over dmoe by round, above 1\n"
          "dmoe is faster; then that of PyTorch without presenting images, which dmoe's times do include.\n")
    print("| | dmoe | PyTorch | ratio | PyTorch not presenting over dmoe |")
    print("|---|---|---|---|---|")
    for result in results:
        cells = [title(result.setting), *(
            "{:.{digits}f} ({:.{digits}f} to {:.{digits}f})".format(*spread(values), digits=digits)
            for values, digits in ((result.dmoe, 3), (result.pytorch, 3), (result.ratios(result.pytorch), 2),
                                   (result.ratios(result.pytorch_not_presenting), 2)))]
        print(f"| {' | '.join(cells)} |")


def rows(result):
    setting = result.setting
    for program, way, quantity, unit, values in (
        ("dmoe", dmoe_as(setting), "time", "ms", result.dmoe),
        ("PyTorch", result.pytorch_as, "time", "ms", result.pytorch),
        ("PyTorch", result.pytorch_as, "time without presenting", "ms", result.pytorch_not_presenting),
        ("PyTorch / dmoe", result.pytorch_as, "ratio", "1", result.ratios(result.pytorch)),
        ("PyTorch / dmoe", result.pytorch_as, "ratio without presenting in PyTorch", "1",
         result.ratios(result.pytorch_not_presenting)),
    ):
        numbers = (f"{value:.6g}" for value in spread(values))
        yield (setting.what, setting.cores, setting.batch, program, way, quantity, unit, *numbers, len(values))


def write_table(results, path):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for result in results:
            writer.writerows(rows(result))
