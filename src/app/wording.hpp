// How numbers are said to a person.
#pragma once

#include <string>
#include <vector>

#include "model/network_spec.hpp"
#include "training/observer.hpp"

namespace dmoe::app {

/// "41,200". Local.
std::string grouped(Index count);

/// "8 s", "3 min 12 s", "2 h 5 min". Local.
std::string duration(double seconds);

/// "3.21 % (loss 0.1234)". Local.
std::string score_text(const training::Score& score);

/// "4x100 - 4x100". Local.
std::string network_text(const std::vector<model::LayerSpec>& layers);

/// "1 rank", "2 ranks". Local.
std::string counted(Index count, const std::string& noun);

}  // namespace dmoe::app
