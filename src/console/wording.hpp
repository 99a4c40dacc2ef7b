// How numbers are said to a person.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/network_spec.hpp"
#include "training/observer.hpp"

namespace dmoe::console {

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

/// A word as a shell takes it: in single quotes where it is not plain. Local.
std::string shell_quoted(const std::string& word);

/// A message that quotes what a file holds, fit for a terminal: control characters as "\x1b", marks that turn
/// the direction of text as "\u202e", and of what is
/// longer than 2,000 bytes the beginning and the end. Local.
std::string one_line(std::string_view message);

/// Lines of text in which names from a file may stand, fit for a terminal: every control character but the
/// ends of lines as \x1b, and marks of direction. Local.
std::string printable(std::string_view text);

}  // namespace dmoe::console
