"""h5py reads what write_sample wrote: h5py_test.py WRITE_SAMPLE."""

import os
import sys
import tempfile
import unittest

import dmoe_testing
import h5py
import numpy

WRITE_SAMPLE = sys.argv.pop(1)


class Sample(unittest.TestCase):
    def test_without_mpi(self):
        self.check(None)

    def test_on_1_to_4_ranks(self):
        for ranks in (1, 2, 3, 4):
            with self.subTest(ranks=ranks):
                self.check(ranks)

    def check(self, ranks):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.h5")
            process = dmoe_testing.run([WRITE_SAMPLE, path], ranks)
            self.assertEqual((process.returncode, process.stderr), (0, ""))
            self.assertEqual(os.listdir(folder), ["model.h5"])
            with h5py.File(path, "r") as file:
                self.check_numbers(file)
                self.check_texts(file)

    def check_dataset(self, dataset, dtype, values, units, dimensions):
        self.assertEqual(dataset.dtype.str, dtype)
        numpy.testing.assert_array_equal(dataset[()], values)
        self.assertEqual(dataset.shape, numpy.shape(values))
        self.check_annotation(dataset, units, dimensions)
        if dataset.size > 0:
            self.assertTrue(dataset.fletcher32)

    def check_annotation(self, dataset, units, dimensions):
        self.assertIs(type(dataset.attrs["units"]), str)
        self.assertEqual(dataset.attrs["units"], units)
        self.assertEqual(list(dataset.attrs["dimensions"]), dimensions)
        self.assertTrue(all(type(name) is str for name in dataset.attrs["dimensions"]))

    def check_numbers(self, file):
        row = numpy.arange(6).reshape(2, 3) * 0.5
        weight = numpy.arange(7).reshape(7, 1, 1) + row
        self.check_dataset(file["model/weight"], "<f4", weight, "1", ["expert", "hidden", "input"])
        self.assertEqual(file["model/weight"].chunks, (1, 2, 3))
        self.check_dataset(file["train/loss"], "<f8", [0.5, 0.25], "nats", ["interval"])
        self.check_dataset(file["train/totals"], "<i8", [[1, 2], [-3, 4]], "examples", ["interval", "expert"])
        self.check_dataset(file["train/label"], "<i4", [9], "class", ["example"])
        self.check_dataset(file["empty"], "<f4", numpy.zeros((0, 3)), "1", ["row", "column"])
        attributes = file["model"].attrs
        self.assertEqual((file.attrs["format_version"], file.attrs["format_version"].dtype.str), (1, "<i8"))
        self.assertEqual((attributes["rate"], attributes["rate"].dtype.str), (0.1, "<f8"))
        self.assertEqual((attributes["hidden"].tolist(), attributes["hidden"].dtype.str), ([100, 20], "<i8"))
        self.assertEqual((attributes["bounds"].tolist(), attributes["bounds"].dtype.str), ([0.5, 1.5], "<f8"))

    def check_texts(self, file):
        self.assertEqual(file.attrs["format"], "dmoe-model")
        self.assertEqual(list(file["model"].attrs["kinds"]), ["mixture", "größer"])
        self.assertEqual(file["config"].asstr()[()], "[train]\nseed = 3 # µ\n")
        self.check_annotation(file["config"], "TOML", [])
        self.assertEqual(list(file["hosts"].asstr()[()]), ["node1", "knoten-ü"])
        self.check_annotation(file["hosts"], "1", ["rank"])


dmoe_testing.main()
