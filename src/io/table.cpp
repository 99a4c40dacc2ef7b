#include "io/table.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <sstream>

#include <fmt/format.h>

#include "core/text_file.hpp"
#include "core/version.hpp"
#include "hdf5/atomic_file.hpp"
#include "hdf5/format.hpp"

namespace dmoe::io {

namespace {

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) result += c == '"' ? "\"\"" : std::string(1, c);
  return result + '"';
}

std::size_t row_count(const TableColumn& column) {
  return std::visit([](const auto& values) { return values.size(); }, column.values);
}

std::string field(const TableColumn& column, std::size_t row) {
  if (const auto* texts = std::get_if<std::vector<std::string>>(&column.values)) return quoted((*texts)[row]);
  const double number = std::get<std::vector<double>>(column.values)[row];
  return std::isnan(number) ? "" : fmt::format("{}", number);
}

/// The dataset of a column: a slash would make groups. Marked further where another column has that name.
std::string dataset_path(std::string name, std::set<std::string>& taken) {
  std::ranges::replace(name, '/', '_');
  while (!taken.insert(name).second) name += '_';
  return "/table/" + name;
}

}  // namespace

void write_table_csv(const std::string& path, const std::vector<TableColumn>& columns) {
  std::ostringstream text;
  for (std::size_t c = 0; c < columns.size(); ++c) text << (c == 0 ? "" : ",") << quoted(columns[c].name);
  text << '\n';
  for (std::size_t row = 0; !columns.empty() && row < row_count(columns.front()); ++row) {
    for (std::size_t c = 0; c < columns.size(); ++c) text << (c == 0 ? "" : ",") << field(columns[c], row);
    text << '\n';
  }
  write_text_file(path, text.str());
}

void write_table_hdf5(const std::string& path, const std::vector<TableColumn>& columns,
                      const std::string& row, const hdf5::Attributes& notes) {
  hdf5::AtomicFile file(path);
  hdf5::write_format(*file, table_format);
  file->create_group("/table");
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (const TableColumn& column : columns) {
    names.push_back(column.name);
    const std::string dataset = dataset_path(column.name, taken);
    const hdf5::Annotation annotation{column.units, {row}};
    if (const auto* texts = std::get_if<std::vector<std::string>>(&column.values)) {
      file->write(dataset, *texts, annotation);
    } else {
      const auto& numbers = std::get<std::vector<double>>(column.values);
      file->write(dataset, numbers, {static_cast<Index>(numbers.size())}, annotation);
    }
  }
  file->write_attribute("/table", "columns", names);
  for (const auto& [name, value] : notes) file->write_attribute("/table", name, value);
  file.commit();
}

}  // namespace dmoe::io
