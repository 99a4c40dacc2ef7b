"""The sources keep to the module table, and the checker sees it when they do not."""

import tempfile
import unittest
from pathlib import Path

import dmoe_testing
from structure import violations


class Structure(unittest.TestCase):
    def test_this_repository_keeps_the_rules(self):
        self.assertEqual(violations(dmoe_testing.SOURCE_DIR), [])

    def check(self, files, *expected):
        """Each expected text is part of one violation of a tree with these files, and there are no others."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            found = violations(folder)
        self.assertEqual(len(found), len(expected), found)
        for text in expected:
            self.assertTrue(any(text in line for line in found), (text, found))

    def test_downward_include_is_allowed(self):
        self.check(
            {
                "src/core/types.hpp": "#pragma once\n",
                "src/training/trainer.cpp": '#include <vector>\n#include "core/types.hpp"\n',
            }
        )

    def test_upward_include_is_found(self):
        self.check(
            {
                "src/training/trainer.hpp": "#pragma once\n",
                "src/model/gate.cpp": '#include "training/trainer.hpp"\n',
            },
            "not below module model",
        )

    def test_sideways_include_is_found(self):
        self.check(
            {
                "src/comm/request.hpp": "#pragma once\n",
                "src/balance/margin.cpp": '#include "comm/request.hpp"\n',
            },
            "not below module balance",
        )

    def test_unknown_include_is_found(self):
        self.check({"src/core/a.cpp": '#include "a.hpp"\n'}, "is no file of src")

    def test_wrapped_library_elsewhere_is_found(self):
        self.check(
            {
                "src/model/a.cpp": "#include <mpi.h>\n",
                "src/io/b.cpp": "#  include <hdf5.h>\n",
                "src/distribution/c.cpp": "#include <oneapi/dnnl/dnnl.hpp>\n",
                "src/training/d.cpp": "#include <spdlog/spdlog.h>\n",
                "src/io/e.cpp": "#include <toml++/toml.h>\n",
            },
            "src/comm",
            "src/hdf5",
            "src/numerics",
            "<spdlog/spdlog.h> belongs behind src/console",
            "<toml++/toml.h> belongs behind src/config",
        )

    def test_call_that_only_a_simulation_could_link_is_found(self):
        dropped = "  if constexpr (simulation::is_on) {\n    charge_units(1);\n  }\n"
        self.check(
            {
                "src/core/a.hpp": "#pragma once\nvoid charge_units(int);\n",
                "src/model/b.cpp": f"void b() {{\n{dropped}}}\n",
                "src/model/c.cpp": f"void c() {{\n{dropped}\n  charge_units(2);\n}}\n",
                "src/simulation/d.cpp": "void d() {\n  charge_units(3);\n}\n",
            },
            "src/model/c.cpp: 'charge_units(2);' outside",
        )

    def test_header_without_pragma_once_is_found(self):
        self.check({"src/core/a.hpp": "// #pragma once, not\n"}, "no #pragma once")

    def test_source_that_does_not_begin_with_its_header_is_found(self):
        self.check(
            {
                "src/core/a.hpp": "#pragma once\n",
                "src/core/a.cpp": '#include <vector>\n#include "core/a.hpp"\n',
                "src/core/b.hpp": "#pragma once\n",
                "src/core/b.cpp": '// What b is.\n#include "core/b.hpp"\n#include <vector>\n',
            },
            "src/core/a.cpp: does not begin with its own header",
        )

    def test_second_mention_of_the_world_is_found(self):
        self.check(
            {
                "src/comm/a.cpp": "auto world = MPI_COMM_WORLD;\n",
                "src/comm/b.cpp": "auto world = MPI_COMM_WORLD;\n",
                "src/comm/c.cpp": "// MPI_COMM_WORLD in a comment does not count\n",
                "src/comm/d.cpp": 'auto size = std::getenv("OMPI_COMM_WORLD_SIZE");\n',
            },
            "MPI_COMM_WORLD",
        )

    def test_names_that_differ_in_case_are_found(self):
        self.check({"src/core/a.cpp": "", "src/core/A.cpp": ""}, "in case alone")

    def test_file_outside_of_a_module_is_found(self):
        self.check({"src/util/a.cpp": "", "src/core/deep/b.cpp": ""}, "src/util/a.cpp", "src/core/deep/b.cpp")

    def test_upward_use_of_the_build_is_found(self):
        self.check({"src/core/CMakeLists.txt": "dmoe_add_module(core USES comm LINKS PUBLIC x)\n"}, "USES comm")

    def test_forgotten_test_is_found(self):
        self.check(
            {
                "tests/core/CMakeLists.txt": "dmoe_add_test(core/random)\n",
                "tests/core/random_test.cpp": "",
                "tests/core/matrix_test.cpp": "",
            },
            "matrix_test.cpp: not listed",
        )


dmoe_testing.main()
