// Libraries that crash where memory ends are asked to work only where there is some.
#pragma once

#include <cstddef>
#include <new>
#include <sys/mman.h>

namespace dmoe {

/// Throws std::bad_alloc unless so much could be had now. A limit on the address space shows itself here.
/// Where the kernel lends more than it has, nothing does: it then ends whoever takes most, which nobody
/// inside can prevent. Local.
inline void require_free_memory(std::size_t bytes) {
  void* const room = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) throw std::bad_alloc();  // NOLINT(performance-no-int-to-ptr): a macro of the system
  ::munmap(room, bytes);
}

}  // namespace dmoe
