"""Values that were never stored are refused, where HDF5 would read zeros: storage_test.py, on frames made by h5py."""

import h5py
from dmoe_testing import DMOE, main, run
from small_frames import FEATURES, FRAMES, SmallFrames


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
        process = self.trained(self.otherwise("no_object.h5", self.virtual("other.h5")))
        self.assertEqual(process.returncode, 2, process.stderr)
        self.assertIn("other.h5: cannot read /frames/features: the file has no such object", process.stderr)
        with h5py.File(self.folder / "short.h5", "w") as file:
            file[FEATURES] = self.features[:10]
        self.assert_hollow(self.otherwise("too_short.h5", self.virtual("short.h5")), "'short.h5'", "(10, 5)")

    def test_sources_that_lead_back(self):
        process = self.trained(self.otherwise("circle.h5", self.virtual("circle.h5")))
        self.assertEqual(process.returncode, 2, process.stderr)

    def test_raw_files_that_are_missing_or_short(self):
        raw = self.folder / "features.bin"
        raw.write_bytes(self.features.tobytes()[:-4])
        bytes_ = self.features.nbytes
        self.assert_hollow(self.otherwise("short.h5", self.external((str(raw), 0, bytes_))), raw, "1196 bytes, 1200 are")
        raw.unlink()
        self.assert_hollow(self.otherwise("gone.h5", self.external((str(raw), 0, bytes_))), f"raw file '{raw}' is missing")

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
