# What belongs to one processor architecture in the build. In the code it is src/numerics/architecture.cpp.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(dmoe_default_arch x86-64-v3)  # AVX2 and FMA: every server since 2015
  set(DMOE_HAS_LOWER_SETS ON)  # instruction sets that oneDNN can be lowered to, as tests do
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(dmoe_default_arch armv8-a)
else()
  set(dmoe_default_arch "")
endif()
set(DMOE_ARCH "${dmoe_default_arch}" CACHE STRING
  "-march= of dmoe's own code, empty for the compiler's own; oneDNN picks its kernels at run time")
