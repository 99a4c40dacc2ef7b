"""Frames files as people have them: untidy_frames_test.py."""

import numpy
from dmoe_testing import DMOE, main, run
from small_frames import FEATURES, LABELS, SmallFrames

SPLIT = "/utterances/split"


class UntidyFrames(SmallFrames):
    def with_labels(self, name, labels):
        def change(file):
            levels = file[LABELS].attrs["levels"]
            del file[LABELS]
            file[LABELS] = labels
            file[LABELS].attrs["levels"] = levels

        return self.frames(name, change)

    def with_levels(self, name, path, levels):
        def change(file):
            file[path].attrs["levels"] = levels

        return self.frames(name, change)

    def test_a_name_stands_for_one_level(self):
        path = self.with_levels("classes.h5", LABELS, ["a", "b", "a"])
        self.assert_refused(path, LABELS, "names 'a' twice, as 0 and 2")
        path = self.with_levels("splits.h5", SPLIT, ["train", "test", "train"])
        self.assert_refused(path, SPLIT, "names 'train' twice, as 0 and 2")

    def test_a_split_that_nobody_asks_for_may_be_empty(self):
        expected = self.result(self.frames("good.h5"))
        path = self.with_levels("dev.h5", SPLIT, ["train", "test", "dev"])
        self.assertEqual(self.result(path), expected)
        for words in (["evaluate", self.folder / "run"], ["check", path]):
            process = run([DMOE, *words])
            self.assertEqual((process.returncode, process.stderr), (0, ""))

    def test_labels_are_integers_of_any_type(self):
        expected = self.result(self.frames("good.h5"))
        for kind in ("u1", "i1", ">i2", ">u4", "<u8", ">u8"):
            with self.subTest(kind):
                path = self.with_labels("labels.h5", self.labels.astype(kind))
                self.assertEqual(self.result(path), expected)

    def test_labels_that_are_no_integers_are_refused_by_the_name_of_their_type(self):
        self.assert_refused(self.with_labels("bool.h5", self.labels > 0), LABELS, "an enumeration of int8")
        self.assert_refused(self.with_labels("float.h5", self.labels.astype("f4")), LABELS, "float32")
        pairs = numpy.zeros(len(self.labels), dtype=[("code", "i4")])
        self.assert_refused(self.with_labels("compound.h5", pairs), LABELS, "compound")

    def test_labels_beyond_all_levels_do_not_wrap_around(self):
        labels = self.labels.astype("u8")
        labels[7] = 2**64 - 1
        self.assert_refused(self.with_labels("huge.h5", labels), LABELS, "a value is above 9223372036854775807")

    def test_features_of_more_digits_are_rounded_and_it_is_said(self):
        expected = self.result(self.frames("good.h5"))

        def change(file):
            del file[FEATURES]
            file[FEATURES] = self.features.astype(">f8") * (1 + 1e-12)

        path = self.frames("double.h5", change)
        line = f"{path}: its features are float64, and are rounded to float32"
        self.assertIn(line, self.trained(path).stdout)
        self.assertEqual(self.result(path), expected)

    def test_features_that_are_no_numbers_with_a_point_are_refused(self):
        def change(file):
            del file[FEATURES]
            file[FEATURES] = self.features.astype("i4")

        self.assert_refused(self.frames("integers.h5", change), FEATURES, "int32", "float32")

    def test_other_byte_order_and_compression_train_alike(self):
        expected = self.result(self.frames("good.h5"))

        def change(file):
            del file[FEATURES]
            stored = self.features.astype(">f4")
            file.create_dataset(FEATURES, data=stored, chunks=(16, 3), compression="gzip", shuffle=True)

        self.assertEqual(self.result(self.frames("big_endian.h5", change)), expected)


main()
