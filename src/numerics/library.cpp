#include "numerics/library.hpp"

#include <dnnl.hpp>
#include <fmt/format.h>

namespace dmoe::numerics {

std::string library() {
  const dnnl_version_t* const version = dnnl_version();
  return fmt::format("oneDNN {}.{}.{}", version->major, version->minor, version->patch);
}

}  // namespace dmoe::numerics
