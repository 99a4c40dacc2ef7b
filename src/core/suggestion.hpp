// The word that somebody may have meant.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dmoe {

/// " (did you mean hidden?)", or nothing where no known word is near. Local.
std::string suggestion(std::string_view word, const std::vector<std::string>& known);

}  // namespace dmoe
