# not run: Spack was not there to try it.
from spack.package import *
from spack_repo.builtin.build_systems.cmake import CMakePackage


class Dmoe(CMakePackage):
    """Deep Mixtures of Experts, sharded over MPI ranks. Built from a checkout: `spack develop --path . dmoe@main`."""

    license("Apache-2.0")

    version("main")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("ninja", type="build")
    depends_on("mpi")
    depends_on("hdf5@1.10: +mpi")
    # Spack's own list ends at 3.0; dmoe was tested with 2.6 and 3.7.
    depends_on("onednn@2.7.3: cpu_runtime=omp")
    depends_on("boost@1.74: +serialization")
    depends_on("zlib-api")
    depends_on("fmt@9.1:")
    depends_on("spdlog@1.10:")
    depends_on("tomlplusplus@3.3:")
    depends_on("cli11@2.1:")
    depends_on("random123@1.14:")
    depends_on("xxhash@0.8:")

    conflicts("%gcc@:11")
    conflicts("%clang@:15")

    generator("ninja")

    def cmake_args(self):
        return [self.define("DMOE_TESTS", False), self.define("DMOE_WARNINGS_AS_ERRORS", False)]
