#include "config/schema.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "exchange/homes.hpp"
#include "model/baseline.hpp"
#include "numerics/architecture.hpp"
#include "numerics/linear.hpp"
#include "training/spec.hpp"

namespace dmoe::config {

namespace {

// Far beyond use; they keep step counts inside 64 bits.
constexpr double most_rows = 1e6;
constexpr double most_epochs = 1e6;
constexpr double most_steps = 1e9;
constexpr double most_minutes = 1e6;
constexpr double most = 1e6;
constexpr double largest_norm = 1e30;
constexpr double most_threads = 1'024;
constexpr OnResume freely = OnResume::freely;

std::vector<std::string> or_auto(std::vector<std::string> names) {
  names.insert(names.begin(), "auto");
  return names;
}

Table data_table() {
  return {.name = "data", .help = "what is learnt from", .part = dataset_kind()};
}

Table layers_table() {
  return {.name = "layers",
          .help = "the layers of the network, the first one first",
          .is_array = true,
          .part = layer_kind()};
}

Table network_table() {
  return {.name = "network",
          .help = "what is made of the layers",
          .keys = {SettingSpec{.name = "baseline",
                               .help = "the network of mixtures, or an ordinary one that follows from it",
                               .initial = "none",
                               .names = model::baseline_names()}}};
}

Table train_table() {
  const training::TrainingSpec initial;
  return {.name = "train",
          .help = "how is learnt",
          .keys = {
              SettingSpec{.name = "seed",
                          .help = "all chance in training depends on it: weights, order and jitter",
                          .initial = std::int64_t{0},
                          .minimum = 0},
              SettingSpec{.name = "batch_size",
                          .help = "examples of a step",
                          .initial = initial.batch_size,
                          .minimum = 1,
                          .maximum = most_rows,
                          .unit = "examples"},
              SettingSpec{.name = "slices",
                          .help = "of a batch, each with a gradient of its own; replicas share them out",
                          .initial = initial.slices,
                          .minimum = 1,
                          .maximum = most_rows},
              SettingSpec{
                  .name = "gate_slices",
                  .help = "the same of gates, heads and layers that are not split: a multiple of slices, so "
                          "that ranks can gate rows of their own (comm.gating); 0: as many as slices",
                  .initial = initial.gate_slices,
                  .minimum = 0,
                  .maximum = most_rows},
              SettingSpec{.name = "momentum",
                          .help = "share of a step that the next one repeats",
                          .initial = initial.momentum,
                          .minimum = 0,
                          .maximum = 1,
                          .is_below_maximum = true},
              SettingSpec{.name = "weight_decay",
                          .help = "weights shrink by this share of themselves, times the rate, in a step",
                          .initial = initial.weight_decay,
                          .minimum = 0,
                          .maximum = most},
              SettingSpec{.name = "max_gradient_norm",
                          .help = "the gradient of all parameters together is shortened to it; 0: never",
                          .initial = initial.max_gradient_norm,
                          .minimum = 0,
                          .maximum = largest_norm},
              SettingSpec{.name = "log_every_steps",
                          .help = "rows of /train and /layers in run.h5",
                          .initial = initial.log_every_steps,
                          .minimum = 1,
                          .maximum = most_steps,
                          .unit = "steps",
                          .on_resume = freely},
              SettingSpec{.name = "stop_after",
                          .help = "then a checkpoint is written, and the exit status is 75",
                          .initial = "never",
                          .form = TextForm::duration,
                          .on_resume = freely},
          }};
}

Table evaluation_table() {
  const training::EvaluationSpec initial;
  return {.name = "evaluation",
          .help = "scores on the test set, and on the training set freshly jittered",
          .keys = {
              SettingSpec{.name = "every_epochs",
                          .help = "how often; 0: at the end alone",
                          .initial = initial.every_epochs,
                          .minimum = 0,
                          .maximum = most_epochs,
                          .unit = "epochs",
                          .on_resume = freely},
              SettingSpec{.name = "batch_size",
                          .help = "examples that are computed together",
                          .initial = initial.batch_size,
                          .minimum = 1,
                          .maximum = most_rows,
                          .unit = "examples",
                          .on_resume = freely},
          }};
}

Table phases_table() {
  return {
      .name = "phases",
      .help = "stretches of training, one after the other",
      .is_array = true,
      .keys =
          {
              SettingSpec{.name = "name",
                          .help = "printable text, another one for each phase",
                          .initial = "constrained",
                          .has_default = false},
              SettingSpec{.name = "epochs",
                          .help = "passes over the training set",
                          .initial = std::int64_t{30},
                          .minimum = 0,
                          .maximum = most_epochs,
                          .unit = "epochs",
                          .has_default = false,
                          .on_resume = freely},
              PartKey{.name = "balance", .help = "which experts are masked", .kind = rule_kind()},
              PartKey{.name = "routing",
                      .help = "which experts an example goes to",
                      .kind = routing_kind(),
                      .takes_several = true,
                      .has_default = true},
              PartKey{.name = "learning_rate", .help = "how far a step goes", .kind = schedule_kind()},
              SettingSpec{
                  .name = "expert_rate_factor",
                  .help = "learning rate of the experts behind a gate, as a multiple of everything else's",
                  .initial = training::PhaseSpec{}.expert_rate_factor,
                  .minimum = 0,
                  .maximum = most},
          },
      .may_grow_on_resume = true};
}

Table checkpoint_table() {
  const training::CheckpointSpec initial;
  return {.name = "checkpoint",
          .help = "when all is saved that a later start needs",
          .keys = {
              SettingSpec{.name = "every_steps",
                          .help = "how often; 0: not for that reason",
                          .initial = initial.every_steps,
                          .minimum = 0,
                          .maximum = most_steps,
                          .unit = "steps",
                          .on_resume = freely},
              SettingSpec{.name = "every_minutes",
                          .help = "how often; 0: not for that reason",
                          .initial = initial.every_minutes,
                          .minimum = 0,
                          .maximum = most_minutes,
                          .unit = "minutes",
                          .on_resume = freely},
              SettingSpec{.name = "at_phase_ends",
                          .help = "whether a phase ends with one",
                          .initial = initial.at_phase_ends,
                          .on_resume = freely},
              SettingSpec{.name = "keep",
                          .help = "how many stay, the newest ones",
                          .initial = initial.keep,
                          .minimum = 1,
                          .maximum = most,
                          .on_resume = freely},
          }};
}

Table comm_table() {
  return {
      .name = "comm",
      .help = "what ranks say to each other",
      .keys = {
          SettingSpec{.name = "replicas",
                      .help =
                          "of the network, each on as many of the ranks; at most train.slices; auto: as is "
                          "fastest by dmoe bench scale",
                      .initial = "auto",
                      .form = TextForm::count,
                      .on_resume = freely},
          SettingSpec{.name = "gating",
                      .help = "who gates the rows of a replica: its coordinator all of them, or each of its "
                              "ranks its own rows; auto: as is fastest by dmoe bench scale, among what "
                              "train.gate_slices allows",
                      .initial = "auto",
                      .names = or_auto(exchange::gating_names()),
                      .on_resume = freely},
          SettingSpec{.name = "timeout",
                      .help = "the longest wait in one operation; then the job ends",
                      .initial = "10m",
                      .form = TextForm::duration,
                      .on_resume = freely},
      }};
}

Table numerics_table() {
  return {
      .name = "numerics",
      .help = "how is computed",
      .keys = {
          SettingSpec{
              .name = "precision",
              .help =
                  "what matrix products multiply (bf16 where the CPU has it); weights and sums stay float32",
              .initial = "float32",
              .names = numerics::precision_names()},
          SettingSpec{.name = "threads",
                      .help = "of each rank, in matrix products",
                      .initial = std::int64_t{1},
                      .minimum = 1,
                      .maximum = most_threads},
          SettingSpec{.name = "isa",
                      .help = "instruction set of matrix products",
                      .initial = "best",
                      .names = numerics::instruction_set_names()},
      }};
}

bool is_number(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

bool is_entry(std::string_view word, bool may_be_name) {
  if (is_number(word)) return word.find_first_not_of('0') != std::string_view::npos;
  return word == "*" || (may_be_name && !word.empty());
}

}  // namespace

std::vector<Table> schema() {
  return {data_table(),   layers_table(),     network_table(), train_table(),   evaluation_table(),
          phases_table(), checkpoint_table(), comm_table(),    numerics_table()};
}

std::vector<KeyReference> keys_of(const std::vector<Table>& schema) {
  std::vector<KeyReference> keys;
  const auto add_kind = [&](const std::string& path, const Table& table, const PartKey* part,
                            const PartKind& kind) {
    keys.push_back({path + "." + kind.selector, &table, nullptr, part, &kind});
    for (const PartOption& option : kind.options)
      for (const SettingSpec& setting : option.settings)
        keys.push_back({path + "." + setting.name, &table, &setting, part, &kind, &option});
  };
  for (const Table& table : schema) {
    if (table.part) add_kind(table.name, table, nullptr, *table.part);
    for (const Key& key : table.keys) {
      if (const auto* setting = std::get_if<SettingSpec>(&key)) {
        keys.push_back({table.name + "." + setting->name, &table, setting});
        continue;
      }
      const auto& part = std::get<PartKey>(key);
      keys.push_back({table.name + "." + part.name, &table, nullptr, &part});
      add_kind(table.name + "." + part.name, table, &part, part.kind);
    }
  }
  return keys;
}

std::string without_numbers(std::string_view path) {
  std::string result;
  while (!path.empty()) {
    const std::string_view word = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), word.size() + 1));
    if (is_number(word)) continue;
    result += (result.empty() ? "" : ".") + std::string(word);
  }
  return result;
}

std::string without_entries(std::string_view path) {
  const std::vector<Table> tables = schema();
  const std::vector<KeyReference> keys = keys_of(tables);
  const auto takes_entries = [&](const std::string& at) {
    return std::ranges::any_of(tables, [&](const Table& one) { return one.is_array && one.name == at; }) ||
           std::ranges::any_of(keys, [&](const KeyReference& key) {
             return key.path == at && key.part != nullptr && key.part->takes_several;
           });
  };
  const auto is_known = [&](const std::string& at) {
    return std::ranges::count(keys, at, &KeyReference::path) > 0;
  };
  std::string result;
  bool may_be_entry = false;
  while (!path.empty()) {
    const std::string_view word = path.substr(0, path.find('.'));
    path.remove_prefix(std::min(path.size(), word.size() + 1));
    const std::string longer = (result.empty() ? "" : result + ".") + std::string(word);
    const bool may_be_name = is_known(result + ".name") && !path.empty();  // else it is a misspelt key
    if (may_be_entry && !is_known(longer) && is_entry(word, may_be_name)) {
      may_be_entry = false;
      continue;
    }
    result = longer;
    may_be_entry = takes_entries(result);
  }
  return result;
}

bool may_grow_on_resume(std::string_view path) {
  return std::ranges::any_of(schema(), [&](const Table& table) {
    return table.may_grow_on_resume && table.name == path.substr(0, path.find('.'));
  });
}

bool may_change_on_resume(std::string_view path, std::string_view data_set) {
  const std::vector<Table> tables = schema();
  const std::string name = without_numbers(path);
  bool is_known = false;
  for (const KeyReference& key : keys_of(tables)) {
    const bool is_of_other_data =
        key.table->name == "data" && key.option != nullptr && key.option->name != data_set;
    if (key.path != name || is_of_other_data) continue;
    if (key.setting == nullptr || key.setting->on_resume != freely) return false;
    is_known = true;
  }
  return is_known;
}

}  // namespace dmoe::config
