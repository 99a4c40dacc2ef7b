#include "scale/machine_file.hpp"

#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/section.hpp"
#include "core/error.hpp"

namespace dmoe::scale {

namespace {

constexpr double least_seconds = 0;
constexpr double most_seconds = 1e6;
constexpr double least_bandwidth = 1;
constexpr double most_bandwidth = 1e18;
constexpr double most_ranks = 1e6;
constexpr Index most_axis = 1'000'000'000;

SettingSpec seconds(const std::string& name) {
  return {.name = name,
          .help = "",
          .initial = 0.0,
          .minimum = least_seconds,
          .maximum = most_seconds,
          .has_default = false};
}
SettingSpec bandwidth() {
  return {.name = "bandwidth",
          .help = "",
          .initial = least_bandwidth,
          .minimum = least_bandwidth,
          .maximum = most_bandwidth,
          .has_default = false};
}

double real_number(config::Section& section, const SettingSpec& spec) {
  return std::get<double>(section.value(spec));
}

Link read_link(config::Section section) {
  const Link link{real_number(section, seconds("latency")), real_number(section, bandwidth()),
                  real_number(section, seconds("overhead"))};
  section.finish();
  return link;
}

/// Reads the arrays of [products], which the sections of a config have none of.
class Products {
 public:
  explicit Products(const config::Document& document) : document_(document) {
    table_ = document.root()["products"].as_table();
    if (table_ == nullptr) throw InputError("{}: [products] is missing", document.name());
    for (const auto& [key, node] : *table_) {
      if (!is_known(key.str()))
        throw InputError("{}: unknown key products.{}; allowed: {}", place(key.str()), key.str(),
                         fmt::join(keys, ", "));
    }
  }

  void read(Machine& machine) const {
    if (const toml::node* const at_once = table_->get("at_once")) {
      if (!at_once->is_boolean())
        throw InputError("{}: products.at_once must be true or false, got {}", place("at_once"),
                         config::toml_text(*at_once));
      machine.at_once = *at_once->value<bool>();
    }
    ProductTable table{axis("rows"), axis("outputs"), axis("inputs"), {}};
    const std::size_t points = table.rows.size() * table.outputs.size() * table.inputs.size();
    for (const auto& [key, into] :
         {std::pair("forward", &machine.forward), std::pair("input_gradient", &machine.input_gradient),
          std::pair("weight_gradient", &machine.weight_gradient)}) {
      table.seconds = times(key, points);
      *into = table;
    }
  }

 private:
  static constexpr std::array keys{"at_once", "rows",           "outputs",        "inputs",
                                   "forward", "input_gradient", "weight_gradient"};
  static bool is_known(std::string_view key) { return std::ranges::find(keys, key) != keys.end(); }
  std::string place(std::string_view key) const {
    const toml::node* const node = table_->get(key);
    return document_.place(fmt::format("products.{}", key),
                           node == nullptr ? table_->source() : node->source());
  }
  const toml::array& array(const char* key) const {
    const toml::array* const found = (*table_)[key].as_array();
    if (found == nullptr || found->empty())
      throw InputError("{}: products.{} must be an array of numbers", place(key), key);
    return *found;
  }
  std::vector<Index> axis(const char* key) const {
    std::vector<Index> values;
    for (const toml::node& node : array(key)) {
      const std::optional<Index> value = node.is_integer() ? node.value<Index>() : std::nullopt;
      const Index least = values.empty() ? 1 : values.back() + 1;
      if (!value || *value < least || *value > most_axis)
        throw InputError("{}: products.{} must be integers from 1 on, ascending, got {}", place(key), key,
                         config::toml_text(node));
      values.push_back(*value);
    }
    return values;
  }
  std::vector<double> times(const char* key, std::size_t points) const {
    const toml::array& found = array(key);
    if (found.size() != points)
      throw InputError("{}: products.{} must have {} times, rows x outputs x inputs, got {}", place(key), key,
                       points, found.size());
    std::vector<double> times;
    for (const toml::node& node : found) {
      const double milliseconds = node.is_number() ? *node.value<double>() : -1;
      if (!(milliseconds > 0 && milliseconds < 1e9))
        throw InputError("{}: products.{} must be milliseconds above 0, got {}", place(key), key,
                         config::toml_text(node));
      times.push_back(1e-3 * milliseconds);
    }
    return times;
  }

  const config::Document& document_;
  const toml::table* table_;
};

std::string link_text(const char* name, const Link& link) {
  return fmt::format(
      "\n[{}]\nlatency = {:.5e}    # seconds\nbandwidth = {:.5e}  # bytes a second\n"
      "overhead = {:.5e}   # seconds of a processor, each message\n",
      name, link.latency, link.bandwidth, link.overhead);
}

std::string table_text(const char* name, const ProductTable& table) {
  std::string text = fmt::format("{} = [\n", name);
  const std::size_t width = table.inputs.size();
  for (std::size_t i = 0; i < table.seconds.size(); ++i)
    text += fmt::format("{}{:.5e},{}", i % width == 0 ? "  " : " ", 1e3 * table.seconds[i],
                        i % width == width - 1 ? "\n" : "");
  return text + "]\n";
}

}  // namespace

Machine parse_machine(const std::string& text, const std::string& name) {
  const config::Document document(text, name, {});
  config::Section root(document);
  Machine machine;
  machine.name =
      std::get<std::string>(root.value({.name = "name", .help = "", .initial = name, .has_default = true}));
  config::Section memory = root.table("memory");
  machine.memory_bandwidth = real_number(memory, bandwidth());
  memory.finish();
  config::Section costs = root.table("costs");
  machine.presenting = real_number(costs, seconds("presenting"));
  machine.softmax = real_number(costs, seconds("softmax"));
  machine.choosing = real_number(costs, seconds("choosing"));
  machine.planning = real_number(costs, seconds("planning"));
  costs.finish();
  machine.inner = machine.outer = read_link(root.table("inner"));
  config::Section outer = root.table("outer");
  if (document.root().contains("outer")) machine.outer = read_link(outer);
  config::Section node = root.table("node");
  machine.ranks_a_node = std::get<std::int64_t>(node.value(
      {.name = "ranks", .help = "", .initial = std::int64_t{0}, .minimum = 0, .maximum = most_ranks}));
  node.finish();
  static_cast<void>(root.table("products"));
  root.finish();
  Products(document).read(machine);
  return machine;
}

std::string to_toml(const Machine& machine) {
  std::string text = "# Constants of the model of scale: dmoe bench scale CONFIG --machine THIS\n";
  text += fmt::format("name = {}\n", config::toml_quoted(machine.name));
  text += fmt::format("\n[memory]\nbandwidth = {:.5e}  # bytes a second, of one core\n",
                      machine.memory_bandwidth);
  text += fmt::format(
      "\n[costs]\npresenting = {:.5e}  # seconds a value of an example\n"
      "softmax = {:.5e}     # seconds a logit\n"
      "choosing = {:.5e}    # seconds a logit\n"
      "planning = {:.5e}    # seconds a choice\n",
      machine.presenting, machine.softmax, machine.choosing, machine.planning);
  text += link_text("inner", machine.inner);
  if (machine.outer != machine.inner) text += link_text("outer", machine.outer);
  if (machine.ranks_a_node > 0) text += fmt::format("\n[node]\nranks = {}\n", machine.ranks_a_node);
  const ProductTable& axes = machine.forward;
  text += fmt::format(
      "\n[products]  # y (m, n) = x (m, k) W^T: milliseconds\n"
      "at_once = {}  # slices and experts, whose bits are the same one by one\n"
      "rows = [{}]     # m\noutputs = [{}]  # n\ninputs = [{}]   # k\n",
      machine.at_once, fmt::join(axes.rows, ", "), fmt::join(axes.outputs, ", "),
      fmt::join(axes.inputs, ", "));
  text += table_text("forward", machine.forward);
  text += table_text("input_gradient", machine.input_gradient);
  text += table_text("weight_gradient", machine.weight_gradient);
  return text;
}

}  // namespace dmoe::scale
