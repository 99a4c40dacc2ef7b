// Configs that the tests of src/config and src/run start from.
#pragma once

#include <string>

namespace dmoe::test {

/// Small and complete; the line numbers in the tests count in it.
inline const std::string small_config = R"([data]
name = "synthetic"
classes = 4
train_examples = 200
[[layers]]
kind = "mixture"
experts = 4
hidden = 10
gate_hidden = 5
[[layers]]
kind = "mixture"
experts = 3
hidden = 8
gate_hidden = 6
[train]
seed = 7
batch_size = 20
[[phases]]
name = "constrained"
epochs = 2
balance = { rule = "margin", margin = 50 }
learning_rate = { schedule = "constant", start = 0.3 }
[[phases]]
name = "fine_tune"
epochs = 1
balance = { rule = "none" }
learning_rate = { schedule = "exponential", start = 0.3, end = 0.01 }
)";

/// `text` with the first `from` in it replaced.
inline std::string with(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace dmoe::test
