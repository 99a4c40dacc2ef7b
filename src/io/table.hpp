// A table of results: a column of texts or numbers under each name. As CSV for a glance, as HDF5 for
// programs.
//
//   /table/COLUMN   (R): text, or float64 with NaN where a row has no such number; attributes units,
//   dimensions /table          attribute columns: their names, in order; in COLUMN a / of a name is a _
//   /table          further attributes: what holds for all rows
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "core/types.hpp"
#include "hdf5/values.hpp"

namespace dmoe::io {

inline constexpr const char* table_format = "dmoe-table";

struct TableColumn {
  std::string name;
  std::string units;  // "text", "1", "nats", "s", ..
  std::variant<std::vector<std::string>, std::vector<double>> values;
};

/// All columns are of one length. NaN is an empty field of the CSV; a text with a comma, a quote or a line
/// end is quoted (RFC 4180). The file appears complete or not at all. Throws RunError. Local.
void write_table_csv(const std::string& path, const std::vector<TableColumn>& columns);
/// The same as HDF5; `row` is what a row is of, `notes` are attributes of the table. Throws RunError. Local.
void write_table_hdf5(const std::string& path, const std::vector<TableColumn>& columns,
                      const std::string& row = "run", const hdf5::Attributes& notes = {});

}  // namespace dmoe::io
