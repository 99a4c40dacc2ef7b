# Builds dmoe for aarch64 on another architecture, against a root made by scripts/cross/arm64-root, and runs its tests
# under qemu-user (docs/cross.md):
#
#   cmake --preset release --toolchain cmake/toolchains/aarch64-linux-gnu.cmake -DDMOE_ARM64_ROOT=FOLDER
#
# On an aarch64 machine itself none of this is needed.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES DMOE_ARM64_ROOT)  # the compiler's own tests read this file again
set(DMOE_ARM64_ROOT "" CACHE PATH "the root of arm64 libraries and headers, made by scripts/cross/arm64-root")
if(NOT IS_DIRECTORY "${DMOE_ARM64_ROOT}/usr/lib/aarch64-linux-gnu")
  message(FATAL_ERROR "DMOE_ARM64_ROOT=\"${DMOE_ARM64_ROOT}\" is no root of arm64: "
    "scripts/cross/arm64-root FOLDER makes one, and -DDMOE_ARM64_ROOT=FOLDER names it")
endif()

set(dmoe_cross aarch64-linux-gnu)
find_program(DMOE_CROSS_GCC ${dmoe_cross}-gcc)
find_program(DMOE_CROSS_GXX ${dmoe_cross}-g++)
find_program(DMOE_QEMU NAMES qemu-aarch64-static qemu-aarch64)
if(NOT DMOE_CROSS_GCC OR NOT DMOE_CROSS_GXX OR NOT DMOE_QEMU)
  message(FATAL_ERROR "building for aarch64 needs ${dmoe_cross}-g++ and qemu-aarch64-static (Debian: "
    "g++-aarch64-linux-gnu and qemu-user-static): scripts/install-dependencies arm64")
endif()
set(CMAKE_C_COMPILER "${DMOE_CROSS_GCC}")
set(CMAKE_CXX_COMPILER "${DMOE_CROSS_GXX}")
set(CMAKE_SYSROOT "${DMOE_ARM64_ROOT}")
set(CMAKE_LIBRARY_ARCHITECTURE ${dmoe_cross})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
foreach(kind IN ITEMS LIBRARY INCLUDE PACKAGE)
  set(CMAKE_FIND_ROOT_PATH_MODE_${kind} ONLY)
endforeach()
set(CMAKE_CROSSCOMPILING_EMULATOR "${DMOE_QEMU};-L;${DMOE_ARM64_ROOT}")

# The wrapper compilers that FindMPI and FindHDF5 would ask on this machine answer for its own libraries, and those
# of the root do not run here. What they would say of Debian's Open MPI:
set(dmoe_libraries "${DMOE_ARM64_ROOT}/usr/lib/${dmoe_cross}")
foreach(language IN ITEMS C CXX)
  set(MPI_${language}_LIB_NAMES mpi CACHE STRING "")
  set(MPI_${language}_COMPILER_INCLUDE_DIRS "${dmoe_libraries}/openmpi/include" CACHE STRING "")
endforeach()
set(MPI_mpi_LIBRARY "${dmoe_libraries}/openmpi/lib/libmpi.so" CACHE FILEPATH "")
set(MPIEXEC_EXECUTABLE "${DMOE_ARM64_ROOT}/usr/bin/mpirun.openmpi" CACHE FILEPATH "")
set(HDF5_ROOT "${dmoe_libraries}/hdf5/openmpi" CACHE PATH "")  # it alone is searched then
