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

/// Reads the arrays of a table, which the sections of a config have none of.
class Arrays {
 public:
  /// Throws InputError where the table, "products" or "inner.messages", is missing or has other keys.
  Arrays(const config::Document& document, const std::string& path, const std::vector<std::string>& keys)
      : document_(document), path_(path), table_(document.root().at_path(path).as_table()) {
    if (table_ == nullptr) throw InputError("{}: [{}] is missing", document.name(), path);
    for (const auto& [key, node] : *table_) {
      if (std::ranges::find(keys, key.str()) == keys.end())
        throw InputError("{}: unknown key {}.{}; allowed: {}", place(key.str()), path, key.str(),
                         fmt::join(keys, ", "));
    }
  }

  bool flag(const char* key) const {
    const toml::node* const found = table_->get(key);
    if (found == nullptr) return false;
    if (!found->is_boolean()) refuse(key, "true or false", *found);
    return *found->value<bool>();
  }
  std::vector<Index> axis(const char* key) const {
    std::vector<Index> values;
    for (const toml::node& node : array(key)) {
      const std::optional<Index> value = node.is_integer() ? node.value<Index>() : std::nullopt;
      const Index least = values.empty() ? 1 : values.back() + 1;
      if (!value || *value < least || *value > most_axis) refuse(key, "integers from 1 on, ascending", node);
      values.push_back(*value);
    }
    return values;
  }
  /// `many` times above 0, as "rows x outputs x inputs".
  std::vector<double> times(const char* key, std::size_t many, const char* of, const char* unit) const {
    const toml::array& found = array(key);
    if (found.size() != many)
      throw InputError("{}: {}.{} must have {} times, {}, got {}", place(key), path_, key, many, of,
                       found.size());
    std::vector<double> times;
    for (const toml::node& node : found) {
      const double time = node.is_number() ? *node.value<double>() : -1;
      if (!(time > 0 && time < 1e9)) refuse(key, fmt::format("{} above 0", unit), node);
      times.push_back(time);
    }
    return times;
  }
  /// Times of messages of these sizes; a longer one takes no less, or its last slope would give time back.
  std::vector<double> curve(const char* key, const std::vector<Index>& sizes) const {
    std::vector<double> seconds = times(key, sizes.size(), "one of each size", "seconds");
    const auto falls = std::ranges::is_sorted_until(seconds);
    if (falls != seconds.end())
      refuse(key, "seconds that do not fall", array(key)[size(falls - seconds.begin())]);
    return seconds;
  }
  [[noreturn]] void refuse(const char* key, const std::string& what, const toml::node& got) const {
    throw InputError("{}: {}.{} must be {}, got {}", place(key), path_, key, what, config::toml_text(got));
  }

  std::string place(std::string_view key) const {
    const toml::node* const node = table_->get(key);
    return document_.place(fmt::format("{}.{}", path_, key),
                           node == nullptr ? table_->source() : node->source());
  }

 private:
  const toml::array& array(const char* key) const {
    const toml::array* const found = (*table_)[key].as_array();
    if (found == nullptr || found->empty())
      throw InputError("{}: {}.{} must be an array of numbers", place(key), path_, key);
    return *found;
  }

  const config::Document& document_;
  std::string path_;
  const toml::table* table_;
};

void read_products(const config::Document& document, Machine& machine) {
  const Arrays arrays(
      document, "products",
      {"at_once", "rows", "outputs", "inputs", "forward", "input_gradient", "weight_gradient"});
  machine.at_once = arrays.flag("at_once");
  ProductTable table{arrays.axis("rows"), arrays.axis("outputs"), arrays.axis("inputs"), {}};
  const std::size_t points = table.rows.size() * table.outputs.size() * table.inputs.size();
  for (const auto& [key, into] :
       {std::pair("forward", &machine.forward), std::pair("input_gradient", &machine.input_gradient),
        std::pair("weight_gradient", &machine.weight_gradient)}) {
    table.seconds = arrays.times(key, points, "rows x outputs x inputs", "milliseconds");
    for (double& time : table.seconds) time *= 1e-3;
    *into = table;
  }
}

Link read_link(const config::Document& document, const char* name, config::Section section) {
  Link link{real_number(section, seconds("latency")),
            real_number(section, bandwidth()),
            real_number(section, seconds("overhead")),
            {},
            {},
            {}};
  const bool has_curve = section.values().contains("messages");
  if (has_curve) static_cast<void>(section.table("messages"));
  section.finish();
  if (!has_curve) return link;
  const Arrays arrays(document, fmt::format("{}.messages", name), {"sizes", "one_way", "crossing"});
  const std::vector<Index> sizes = arrays.axis("sizes");
  if (sizes.size() < 2)
    throw InputError("{}: {}.messages.sizes must be two at least, got {}", arrays.place("sizes"), name,
                     sizes.size());
  link.sizes.assign(sizes.begin(), sizes.end());
  link.one_way = arrays.curve("one_way", sizes);
  link.crossing = arrays.curve("crossing", sizes);
  return link;
}

std::string link_text(const char* name, const Link& link) {
  std::string text = fmt::format(
      "\n[{}]\nlatency = {:.5e}    # seconds\nbandwidth = {:.5e}  # bytes a second\n"
      "overhead = {:.5e}   # seconds of a processor, each message\n",
      name, link.latency, link.bandwidth, link.overhead);
  if (link.sizes.empty()) return text;
  return text + fmt::format(
                    "[{}.messages]  # seconds without the overhead\nsizes = [{:.0f}]  # bytes\n"
                    "one_way = [{:.5e}]\ncrossing = [{:.5e}]  # of two at a time, one each way\n",
                    name, fmt::join(link.sizes, ", "), fmt::join(link.one_way, ", "),
                    fmt::join(link.crossing, ", "));
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
  machine.inner = machine.outer = read_link(document, "inner", root.table("inner"));
  config::Section outer = root.table("outer");
  if (document.root().contains("outer")) machine.outer = read_link(document, "outer", outer);
  config::Section node = root.table("node");
  machine.ranks_a_node = std::get<std::int64_t>(node.value(
      {.name = "ranks", .help = "", .initial = std::int64_t{0}, .minimum = 0, .maximum = most_ranks}));
  node.finish();
  static_cast<void>(root.table("products"));
  root.finish();
  read_products(document, machine);
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
