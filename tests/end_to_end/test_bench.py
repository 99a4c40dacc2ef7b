"""dmoe bench: every measurement runs, and its table can be read. What it measures is nobody's business here."""

import csv
import math
import tempfile
import unittest
from pathlib import Path

import h5py

from dmoe_testing import DMOE, main, run

COLUMNS = ("measurement network batch experts chosen ranks rank precision quantity unit median smallest largest "
           "repetitions")
TEXTS = {"measurement", "network", "precision", "quantity", "unit"}
TINY = "--repetitions 1 --steps 1 --batch-size 6 9 --network 3x8-5x4 --experts 2 5 --hidden 8 --rows 16 7".split()
ALONE = {"step", "evaluate", "size", "shapes"}
NEED_PEERS = {"ranks", "sum"}
TOGETHER = {*ALONE, *NEED_PEERS, "replicas"}  # replicas alone: what slices cost
MEASURED = {
    "step": {"step", "products", "peak"},
    "evaluate": {"evaluate", "forward_products", "peak"},
    "ranks": {"step", "evaluate", "step_sent", "step_received", "step_reduced", "closed_form_sent"},
    "replicas": {"step", "step_in_2_slices", "step_in_8_slices", "step_of_shards", "step_of_replicas"},
    "size": {"step", "evaluate", "gate", "gate_products", "step_less_gate", "memory", "expert_rows", "weights_moved"},
    "sum": {"sum_fixed_order", "sum_any_order"},
    "shapes": {"first_call", "later_call"},
}
PARTS = {"gate", "experts", "packing", "optimizer"}
MAY_BE_ZERO = {"compute", "communication", "waiting", "data", "io", "rows", *PARTS}  # of a rank that had none


def number(text):
    return float(text) if text else math.nan


def csv_rows(path):
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [{name: text if name in TEXTS else number(text) for name, text in row.items()} for row in rows]


def hdf5_rows(path):
    with h5py.File(path) as file:
        table = file["table"]
        columns = {name: table[name][()] for name in table.attrs["columns"]}
    texts = {name: [text.decode() for text in column] for name, column in columns.items() if name in TEXTS}
    return [dict(zip(columns, row)) for row in zip(*{**columns, **texts}.values())]


def line_of(row):
    """The words of the line that is printed of a row."""
    counts = ["-" if math.isnan(row[name]) else f"{row[name]:.0f}" for name in ("batch", "experts", "chosen")]
    rank = "all" if row["rank"] < 0 else f"{row['rank']:.0f}"
    values = [f"{row[name]:.6g}" for name in ("median", "smallest", "largest")]
    words = [row["measurement"], row["network"] or "-", *counts, f"{row['ranks']:.0f}", rank, row["quantity"],
             *values, row["unit"], f"{row['repetitions']:.0f}"]  # fmt: skip
    return " ".join(words).split()


class Bench(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def bench(self, name, ranks, suffix, expected=0):
        output = self.folder / f"{name}{suffix}"
        process = run([DMOE, "bench", name, *TINY, "--output", output], ranks=ranks)
        self.assertEqual(process.returncode, expected, process.stderr)
        return output, process

    def check(self, rows, names):
        self.assertTrue(rows)
        self.assertLessEqual(names, {row["measurement"] for row in rows})
        for row in rows:
            self.assertEqual(list(row), COLUMNS.split())
            self.assertEqual(row["precision"], "float32")
            self.assertGreaterEqual(row["repetitions"], 1)
            self.assertGreaterEqual(row["ranks"], 1)
            self.assertTrue(-1 <= row["rank"] < row["ranks"], row)
            self.assertTrue(math.isfinite(row["smallest"]) and math.isfinite(row["largest"]), row)
            self.assertTrue(row["smallest"] <= row["median"] <= row["largest"], row)
            if "less" not in row["measurement"] and row["measurement"] != "memory":  # a difference, or none in pages
                self.assertTrue(row["median"] > 0 or row["quantity"] in MAY_BE_ZERO, row)

    def check_bytes(self, rows, ranks):
        """What was counted is what distribution/traffic.hpp says, in each batch size and repetition."""
        values = {
            (row["measurement"], row["batch"], row["rank"]): (row["smallest"], row["largest"])
            for row in rows
            if row["quantity"] == "bytes"
        }
        for batch in (6, 9):
            expected = [("sent", 0), ("received", 0), *(("reduced", rank) for rank in range(ranks))]
            for way, rank in expected:
                self.assertEqual(values["step_" + way, batch, rank], values["closed_form_" + way, batch, rank])
            for way, back in [("sent", "received"), ("received", "sent")]:
                others = sum(values["step_" + way, batch, rank][0] for rank in range(1, ranks))
                self.assertEqual(others, values["step_" + back, batch, 0][0])

    def test_every_bench_alone(self):
        for ranks, names in [(None, ALONE)]:
            for name in names:
                with self.subTest(name=name, ranks=ranks):
                    output, process = self.bench(name, ranks, ".csv")
                    rows = csv_rows(output)
                    self.check(rows, MEASURED[name])
                    header, *lines = process.stdout.splitlines()
                    self.assertEqual(header.split()[:7], COLUMNS.split()[:7])
                    self.assertEqual([line.split() for line in lines], [line_of(row) for row in rows])

    def test_all_of_them_in_one_table(self):
        for ranks, names in [(None, ALONE), (2, TOGETHER)]:
            with self.subTest(ranks=ranks):
                output, process = self.bench("all", ranks, ".h5")
                rows = hdf5_rows(output)
                self.check(rows, set.union(*(MEASURED[name] for name in names)))
                left_out = [line.split()[0] for line in process.stdout.splitlines() if " left out: it " in line]
                self.assertEqual(set(left_out), NEED_PEERS - names)
                if "ranks" in names:
                    self.check_bytes(rows, ranks)

    def test_slices_are_measured_on_one_rank(self):
        output, _ = self.bench("replicas", None, ".csv")
        slices = {f"step_in_{count}_slices" for count in (2, 4, 8)}
        self.assertEqual({row["measurement"] for row in csv_rows(output)}, {"step", *slices})

    def test_hdf5_says_where_it_was_measured(self):
        output, _ = self.bench("shapes", 2, ".h5")
        with h5py.File(output) as file:
            self.assertEqual(file.attrs["format"], "dmoe-table")
            self.assertIn("dmoe_version", file.attrs)
            notes = file["table"].attrs
            self.assertEqual((notes["ranks"], notes["threads"], len(notes["hosts"])), (2, 1, 2))
            self.assertGreaterEqual(notes["cores"], 1)
            self.assertTrue(notes["products_library"].startswith("oneDNN "))
            self.assertIn("bench shapes", notes["command_line"])
            for name in ("cpu", "instruction_set", "mpi_library"):
                self.assertTrue(notes[name])
            self.assertEqual(list(file["table/median"].attrs["dimensions"]), ["measurement"])

    def test_rows_of_experts_are_those_chosen(self):
        output, _ = self.bench("size", None, ".csv")
        rows = [row for row in csv_rows(output) if row["measurement"] == "expert_rows"]
        self.assertEqual([(row["batch"], row["experts"]) for row in rows], [(16, 2), (16, 5), (7, 2), (7, 5)])
        for row in rows:
            self.assertEqual((row["chosen"], row["repetitions"]), (2, 2 * row["experts"]))
            self.assertLessEqual(row["largest"], row["batch"])
            if row["experts"] == 2:
                self.assertEqual(row["smallest"], row["batch"])

    def test_products_in_bf16(self):
        output = self.folder / "rounded.csv"
        process = run([DMOE, "bench", "step", *TINY, "--precision", "bf16", "--output", output])
        if "avx512_bf16" not in Path("/proc/cpuinfo").read_text().split():
            self.assertEqual(process.returncode, 2)
            self.assertIn("has no bf16 products", process.stderr)
            return
        self.assertEqual({row["precision"] for row in csv_rows(output)}, {"bf16"})

    def test_bad_usage_is_refused_before_anything_is_measured(self):
        nowhere = self.folder / "missing" / "table.csv"
        cases: list[tuple[int | None, list[str | Path], str]] = [
            (None, ["step", "--output", "table.txt"], '--output must end in .h5 or .csv, got "table.txt"'),
            (None, ["step", "--output", "table"], '--output must end in .h5 or .csv, got "table"'),
            (2, ["step", "--output", nowhere], f"--output {nowhere}: there is no folder {nowhere.parent}"),
            (None, ["step", "--network", "4y3"],
             "--network must be A or experts x units of each layer, as 16x50-16x50, got 4y3"),
            (None, ["sum"], "dmoe bench sum needs at least 2 ranks: mpirun -n 2"),
            (3, ["size", "--experts", "2", "4"], "dmoe bench size has work for at most 2 ranks, got 3"),
        ]
        for ranks, arguments, message in cases:
            with self.subTest(arguments=arguments, ranks=ranks):
                process = run([DMOE, "bench", *arguments], ranks=ranks)
                said = [line for line in process.stderr.splitlines() if line.startswith("dmoe: ")]
                self.assertEqual((process.returncode, said, process.stdout), (2, ["dmoe: " + message], ""))
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    main()
