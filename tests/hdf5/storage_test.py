"""Values that were never stored are refused, where HDF5 would read zeros: storage_test.py, on frames made by h5py."""

import h5py
from dmoe_testing import DMOE, main, run
from small_frames import FEATURES, FRAMES, LABELS, SmallFrames


class Storage(SmallFrames):
    def otherwise(self, name, change):
        """A frames file whose features `change` stores."""

        def replace(file):
            del file[FEATURES]
            change(file)

        return self.frames(name, replace)

    def assert_hollow(self, path, *words):
        self.assert_refused(path, FEATURES, *words)

    def virtual(self, source, shape=None, rows=FRAMES):
        """Makes the first `rows` of the features virtual, of a source of that shape."""

        def change(file):
            layout = h5py.VirtualLayout(self.features.shape, "f4")
            layout[:rows] = h5py.VirtualSource(source, FEATURES, shape or self.features.shape)[:rows]
            file.create_virtual_dataset(FEATURES, layout)

        return change

    def external(self, *files):
        def change(file):
            file.create_dataset(FEATURES, shape=self.features.shape, dtype="f4", external=list(files))

        return change

    def test_what_is_stored_otherwise_trains_alike(self):
        good = self.frames("good.h5")
        expected = self.result(good)
        raw = self.folder / "features.bin"
        raw.write_bytes(self.features.tobytes())
        half = raw.stat().st_size // 2
        ways = {
            "virtual.h5": self.virtual("good.h5"),
            "twice_virtual.h5": self.virtual("virtual.h5"),
            "external.h5": self.external((str(raw), 0, half), (str(raw), half, h5py.h5f.UNLIMITED)),
            "compressed.h5": lambda file: file.create_dataset(
                FEATURES, data=self.features, chunks=(7, 3), compression="gzip", shuffle=True
            ),
        }
        for name, change in ways.items():
            with self.subTest(name):
                self.assertEqual(self.result(self.otherwise(name, change)), expected)

    def test_storage_that_was_never_allocated(self):
        def empty(**how):
            return lambda file: file.create_dataset(FEATURES, shape=self.features.shape, dtype="f4", **how)

        self.assert_hollow(self.otherwise("empty.h5", empty()), "nothing was ever stored")
        self.assert_hollow(self.otherwise("no_chunks.h5", empty(chunks=(7, 5))), "9 of its 9 chunks", "element (0, 0)")

    def test_chunks_that_were_never_written(self):
        def holes(file):
            dataset = file.create_dataset(FEATURES, shape=self.features.shape, dtype="f4", chunks=(7, 3))
            dataset[:21] = self.features[:21]
            dataset[28:] = self.features[28:]

        self.assert_hollow(self.otherwise("holes.h5", holes), "2 of its 18 chunks", "element (21, 0)")

    def test_sources_that_are_missing_or_too_short(self):
        self.frames("good.h5")
        self.assert_hollow(self.otherwise("no_file.h5", self.virtual("part.h5")), "'part.h5', which is missing")
        self.assert_hollow(self.otherwise("some.h5", self.virtual("good.h5", rows=50)), "50 of its 300 elements")
        with h5py.File(self.folder / "other.h5", "w") as file:
            file["something"] = 1
        self.assert_hollow(self.otherwise("no_object.h5", self.virtual("other.h5")), "'other.h5', which has no such")
        with h5py.File(self.folder / "short.h5", "w") as file:
            file[FEATURES] = self.features[:10]
        self.assert_hollow(self.otherwise("too_short.h5", self.virtual("short.h5")), "'short.h5'", "(10, 5)")

    def test_sources_that_lead_back(self):
        self.assert_hollow(self.otherwise("circle.h5", self.virtual("circle.h5")), "virtual datasets, 8 deep")

    def mapped(self, *mappings, rows=FRAMES):
        """Makes the features virtual, of (rows of them, source file, rows of it)."""

        def change(file):
            layout = h5py.VirtualLayout((rows, self.features.shape[1]), "f4")
            for target, source, part in mappings:
                layout[target] = h5py.VirtualSource(source, FEATURES, self.features.shape)[part]
            file.create_virtual_dataset(FEATURES, layout)

        return change

    def growing(self, *sources):
        """Makes the features virtual, side by side of (columns of them, source file), as long as the longest is."""

        def change(file):
            width = self.features.shape[1]
            end = h5py.h5s.UNLIMITED
            space = h5py.h5s.create_simple((FRAMES, width), (end, width))
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            for columns, source in sources:
                count = columns.stop - columns.start
                target, part = space.copy(), h5py.h5s.create_simple((1, count), (end, count))
                target.select_hyperslab((0, columns.start), (1, 1), block=(end, count))
                part.select_hyperslab((0, 0), (1, 1), block=(end, count))
                creation.set_virtual(target, source.encode(), FEATURES.encode(), part)
            h5py.h5d.create(file.id, FEATURES.encode(), h5py.h5t.IEEE_F32LE, space, creation)

        return change

    def part(self, name, columns, rows=FRAMES):
        """A file of some columns of the features, that could be longer."""
        with h5py.File(self.folder / name, "w") as file:
            values = self.features[:rows, columns]
            file.create_dataset(FEATURES, data=values, maxshape=(None, values.shape[1]), chunks=(10, 2))

    def test_mappings_that_overlap_or_select_nothing(self):
        expected = self.result(self.frames("good.h5"))
        first, again, rest = slice(0, 40), slice(0, 40), slice(40, FRAMES)
        twice = self.mapped((first, "good.h5", first), (again, "good.h5", again))
        self.assert_hollow(self.otherwise("overlap.h5", twice), "100 of its 300 elements are in no file")
        nothing = slice(0, 0)
        whole = self.mapped((first, "good.h5", first), (rest, "good.h5", rest), (nothing, "none.h5", nothing))
        self.assertEqual(self.result(self.otherwise("whole.h5", whole)), expected)

    def test_a_source_may_be_hollow_where_nobody_looks(self):
        expected = self.result(self.frames("good.h5"))
        with h5py.File(self.folder / "longer.h5", "w") as file:
            longer = file.create_dataset(FEATURES, shape=(100, self.features.shape[1]), dtype="f4", chunks=(10, 5))
            longer[:FRAMES] = self.features
        self.assertEqual(self.result(self.otherwise("part.h5", self.virtual("longer.h5"))), expected)
        with h5py.File(self.folder / "hollow.h5", "w") as file:
            hollow = file.create_dataset(FEATURES, shape=self.features.shape, dtype="f4", chunks=(10, 5))
            hollow[:50] = self.features[:50]
        path = self.otherwise("of_hollow.h5", self.virtual("hollow.h5"))
        self.assert_hollow(path, "its values are elsewhere: ", "element (50, 0)")

    def test_sources_are_looked_for_where_hdf5_does(self):
        expected = self.result(self.frames("good.h5"))
        self.frames("with%mark.h5")
        self.assertEqual(self.result(self.otherwise("marked.h5", self.virtual("with%%mark.h5"))), expected)
        self.assert_hollow(self.otherwise("no_mark.h5", self.virtual("no%%mark.h5")), "missing")
        # Named by an absolute path that is no more.
        moved = self.otherwise("moved.h5", self.virtual(str(self.folder / "old" / "good.h5")))
        self.assertEqual(self.result(moved), expected)
        # By a symbolic link from another folder, and by a link in another file.
        other = self.folder / "other"
        other.mkdir()
        self.otherwise("virtual.h5", self.virtual("good.h5"))
        (other / "link.h5").symlink_to("../virtual.h5")
        self.assertEqual(self.result(other / "link.h5"), expected)

        def link(file):
            file[FEATURES] = h5py.ExternalLink("other/own.h5", "/virtual")

        with h5py.File(other / "own.h5", "w") as file:
            file[FEATURES] = self.features
            layout = h5py.VirtualLayout(self.features.shape, "f4")
            layout[:] = h5py.VirtualSource(".", FEATURES, self.features.shape)
            file.create_virtual_dataset("/virtual", layout)
        self.assertEqual(self.result(self.otherwise("linking.h5", link)), expected)

    def test_folders_that_the_environment_names(self):
        expected = self.result(self.frames("good.h5"))
        elsewhere = self.folder / "elsewhere"
        elsewhere.mkdir()
        (self.folder / "good.h5").rename(elsewhere / "kept.h5")
        (elsewhere / "features.bin").write_bytes(self.features.tobytes())
        external = self.external(("features.bin", 0, self.features.nbytes))
        for name, change, variable in (
            ("virtual.h5", self.virtual("kept.h5"), "HDF5_VDS_PREFIX"),
            ("external.h5", external, "HDF5_EXTFILE_PREFIX"),
        ):
            path = self.otherwise(name, change)
            for folder in (str(elsewhere), "${ORIGIN}/elsewhere"):
                with self.subTest(name, folder=folder):
                    self.assertEqual(self.result(path, **{variable: folder}), expected)
            self.assert_hollow(path, "missing")

    def test_sources_by_the_number_of_a_block(self):
        expected = self.result(self.frames("good.h5"))
        rows, width = 10, self.features.shape[1]
        for block in range(FRAMES // rows):
            self.part_of_rows(block, rows)

        def numbered(file):
            space = h5py.h5s.create_simple((FRAMES, width), (h5py.h5s.UNLIMITED, width))
            space.select_hyperslab((0, 0), (h5py.h5s.UNLIMITED, 1), (rows, width), (rows, width))
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            part = h5py.h5s.create_simple((rows, width))
            creation.set_virtual(space, b"block%b.h5", FEATURES.encode(), part)
            h5py.h5d.create(file.id, FEATURES.encode(), h5py.h5t.IEEE_F32LE, space, creation)

        path = self.otherwise("numbered.h5", numbered)
        self.assertEqual(self.result(path), expected)
        with h5py.File(self.folder / "block3.h5", "w") as file:
            file.create_dataset(FEATURES, shape=(rows, width), dtype="f4")
        self.assert_hollow(path, "elsewhere: ", "block3.h5", "nothing was ever stored")
        (self.folder / "block3.h5").unlink()  # to HDF5 it ends there
        self.assert_refused(path, LABELS, "60 values, expected 30")

    def part_of_rows(self, block, rows):
        with h5py.File(self.folder / f"block{block}.h5", "w") as file:
            file[FEATURES] = self.features[rows * block : rows * (block + 1)]

    def test_sources_that_grow(self):
        expected = self.result(self.frames("good.h5"))
        left, right = slice(0, 3), slice(3, 5)
        self.part("left.h5", left)
        self.part("right.h5", right)
        both = self.growing((left, "left.h5"), (right, "right.h5"))
        self.assertEqual(self.result(self.otherwise("both.h5", both)), expected)
        self.part("right.h5", right, rows=30)
        self.assert_hollow(self.folder / "both.h5", "'right.h5'", "has 30 of 60 rows")
        (self.folder / "right.h5").unlink()
        self.assert_hollow(self.folder / "both.h5", "'right.h5', which is missing")

    def test_raw_files_that_are_missing_or_short(self):
        raw = self.folder / "features.bin"
        raw.write_bytes(self.features.tobytes()[:-4])
        bytes_ = self.features.nbytes
        short = self.otherwise("short.h5", self.external((str(raw), 0, bytes_)))
        self.assert_hollow(short, raw, "1196 bytes, 1200 are")
        raw.unlink()
        gone = self.otherwise("gone.h5", self.external((str(raw), 0, bytes_)))
        self.assert_hollow(gone, f"raw file '{raw}' is missing")

    def test_links_to_files_that_are_missing(self):
        def link(file):
            file[FEATURES] = h5py.ExternalLink("part.h5", FEATURES)

        process = self.trained(self.otherwise("link.h5", link))
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertIn("part.h5", process.stderr)

    def test_check_sees_it_too(self):
        self.result(self.frames("good.h5"))
        run_file = self.folder / "run/run.h5"
        with h5py.File(run_file, "r+") as file:
            losses = file["train/loss"]
            shape, attributes = losses.shape, dict(losses.attrs)
            del file["train/loss"]
            file.create_dataset("train/loss", shape=shape, dtype="f8").attrs.update(attributes)
        process = run([DMOE, "check", run_file])
        self.assertEqual(process.returncode, 2, process.stdout + process.stderr)
        self.assertIn("/train/loss: nothing was ever stored in it", process.stderr)


main()
