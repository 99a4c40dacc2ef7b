// Which library computes the products: for the record.
#pragma once

#include <string>

namespace dmoe::numerics {

/// "oneDNN 2.6.3". Local.
std::string library();

}  // namespace dmoe::numerics
