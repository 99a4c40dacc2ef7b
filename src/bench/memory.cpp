#include "bench/memory.hpp"

#include <fstream>
#include <malloc.h>
#include <unistd.h>

namespace dmoe::bench {

Index resident_bytes() {
  malloc_trim(0);
  std::ifstream statistics("/proc/self/statm");
  Index pages = 0;
  Index resident_pages = 0;
  statistics >> pages >> resident_pages;
  return resident_pages * sysconf(_SC_PAGESIZE);
}

}  // namespace dmoe::bench
