"""Files of other versions of dmoe, and of people who edit and repack them: what is there is read, what is new shown."""

import shutil

import h5py
from dmoe_testing import DMOE, checked, main, run
from small_frames import SmallFrames


class OtherVersions(SmallFrames):
    def setUp(self):
        super().setUp()
        self.assertEqual(self.trained(self.frames("good.h5")).returncode, 0)
        self.base = self.folder / "run"
        self.expected = checked(DMOE, "evaluate", self.base)

    def changed(self, change):
        """A copy of the run whose files `change` made others."""
        copy = self.folder / "changed"
        shutil.copytree(self.base, copy)
        for path in copy.rglob("*.h5"):
            with h5py.File(path, "r+") as file:
                change(file)
        return copy

    def assert_read(self, copy):
        files = sorted(copy.rglob("*.h5"))
        checked(DMOE, "check", *files)
        said = "".join(checked(DMOE, "info", path) for path in files)
        self.assertTrue(checked(DMOE, "evaluate", copy).replace("changed", "run").endswith(self.expected))
        checked(DMOE, "analyze", copy, "--permutations", "3")
        return said

    def resumed(self, copy):
        more = ["--resume", "--set", "phases.only.epochs=2"]
        return run([DMOE, "train", self.folder / "config.toml", "--output", copy, *more])

    def test_a_newer_minor_version(self):
        def change(file):
            file.attrs["format_minor"] = 1000
            file["future/values"] = [1, 2, 3]
            text, about = file["config"].asstr()[()], dict(file["config"].attrs)
            del file["config"]
            file["config"] = text.replace("[train]\n", "[train]\nfuture = { a = 1 }\n") + "\n[more]\nb = [2.5, 'x']\n"
            file["config"].attrs["units"] = about["units"]

        copy = self.changed(change)
        said = self.assert_read(copy)
        for line in ("train.future = { a = 1 }", 'more = { b = [2.5, "x"] }', "what format 1.1000 has added to 1.3"):
            self.assertEqual(said.count(line), 3, said)
        process = self.resumed(copy)
        self.assertEqual(process.returncode, 2, process.stdout)
        self.assertIn("unknown key", process.stderr)

    def test_what_a_model_or_its_inputs_depend_on_must_be_known(self):
        for section, line in (("[[layers]]", "activation = 'gelu'"), ("[data]", "normalise = true"),
                              ("[numerics]", "blocks = 3"), ("[network]", "residual = true")):  # fmt: skip
            with self.subTest(section):

                def change(file, section=section, line=line):
                    text = file["config"].asstr()[()]
                    del file["config"]
                    file["config"] = text.replace(section + "\n", f"{section}\n{line}\n", 1)

                copy = self.changed(change)
                key = line.split()[0]
                self.assertIn(key, checked(DMOE, "info", copy / "run.h5"))
                for command in ("evaluate", "analyze"):
                    process = run([DMOE, command, copy], ranks=2)
                    self.assertEqual(process.returncode, 2, process.stdout)
                    self.assertRegex(process.stderr, rf"unknown key \S*{key}")
                shutil.rmtree(copy)

    def test_a_routing_in_force_must_be_known(self):
        def change(file):
            text = file["config"].asstr()[()]
            del file["config"]
            file["config"] = text.replace('routing = { rule = "all" }', 'routing = { rule = "newest", "a b" = 2 }')

        copy = self.changed(change)
        self.assertIn('phases.1.routing."a b" = 2', checked(DMOE, "info", copy / "run.h5"))
        for ranks in (None, 2):
            process = run([DMOE, "evaluate", copy], ranks=ranks)
            self.assertEqual(process.returncode, 2, process.stdout)
            self.assertIn("unknown routing 'newest'", process.stderr)
            self.assertEqual(process.stderr.count("dmoe: "), 1, process.stderr)

    def test_fewer_fields(self):
        """As of the first files of format version 1."""

        def change(file):
            for group in ("network", "data"):
                if group in file:
                    del file[group]
            newer = (("launches/1", ("first_step", "start_time")), ("model", ("phase",)), ("/", ("format_minor",)))
            for group, names in newer:
                for name in names if group in file else ():
                    file[group].attrs.pop(name, None)

        copy = self.changed(change)
        self.assert_read(copy)
        process = self.resumed(copy)
        self.assertEqual(process.returncode, 0, process.stderr)

    def test_other_byte_order_and_no_chunks(self):
        def change(file):
            paths = []
            file.visititems(lambda path, item: paths.append(path) if isinstance(item, h5py.Dataset) else None)
            for path in paths:
                values, about = file[path][()], dict(file[path].attrs)
                if not hasattr(values, "dtype") or values.dtype.kind not in "fi":
                    continue
                del file[path]
                file[path] = values.astype(values.dtype.newbyteorder(">"))
                for name, value in about.items():
                    file[path].attrs[name] = value

        copy = self.changed(change)
        self.assert_read(copy)
        self.assertEqual(self.resumed(copy).returncode, 0)
        self.assertEqual(self.resumed(self.base).returncode, 0)
        with h5py.File(copy / "model.h5") as ours, h5py.File(self.base / "model.h5") as theirs:
            for path in ("model/head/weight", "model/layers/1/experts/weight"):
                self.assertEqual(ours[path][:].tobytes(), theirs[path][:].tobytes())


main()
