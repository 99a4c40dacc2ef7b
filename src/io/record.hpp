// How a part of a file and a record in memory are one, declared once: the declaration writes the attributes
// of a group or the columns of a table, reads them, refuses a file without them, and documents them
// (run_schema.hpp).
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.hpp"
#include "core/types.hpp"
#include "hdf5/file.hpp"

namespace dmoe::io {

/// May a file lack an attribute, and what does that mean?
enum class Presence {
  always,
  if_known,     // left out where the member is empty
  not_at_first  // the first files of version 1 do not have it
};

/// An attribute of the group of a `Record`.
template <class Record>
struct Attribute {
  std::string name;
  std::string type;     // "int", "number", "text", "texts"
  std::string meaning;  // with its unit
  Presence presence;
  std::function<void(hdf5::File&, const std::string& group, const Record&)>
      write;  // nothing where it is empty
  std::function<void(const hdf5::File&, const std::string& group, Record&)> read;
};

/// How a value of a record stands in a file: as `type` by to() and from(), or not at all.
template <class T>
struct InFile {
  using type = T;
  static std::optional<type> to(const T& value) { return value; }
  static T from(const type& value) { return value; }
};
template <>
struct InFile<std::uint64_t> {
  using type = std::int64_t;
  static std::optional<type> to(std::uint64_t value) { return static_cast<type>(value); }
  static std::uint64_t from(type value) { return static_cast<std::uint64_t>(value); }
};
template <class T>
struct InFile<std::optional<T>> {
  using type = T;
  static std::optional<type> to(const std::optional<T>& value) { return value; }
  static std::optional<T> from(const type& value) { return value; }
};

template <class T>
constexpr const char* type_name() {
  if constexpr (std::same_as<T, std::int64_t>) return "int";
  if constexpr (std::same_as<T, double>) return "number";
  if constexpr (std::same_as<T, std::string>) return "text";
  return "texts";
}

/// The attribute that `member` holds: a pointer to a member of Record, or a function from (const) Record& to
/// a (const) reference.
template <class Record, class Member>
Attribute<Record> attribute(std::string name, Member member, std::string meaning,
                            Presence presence = Presence::always) {
  using T = std::remove_cvref_t<std::invoke_result_t<Member, Record&>>;
  using Form = InFile<T>;
  using Type = typename Form::type;
  const auto write = [name, member, presence](hdf5::File& file, const std::string& group,
                                              const Record& record) {
    const std::optional<Type> value = Form::to(std::invoke(member, record));
    if (!value) return;
    if constexpr (requires { value->empty(); }) {
      if (presence == Presence::if_known && value->empty()) return;
    } else {
      static_cast<void>(presence);  // which clang would miss
    }
    file.write_attribute(group, name, *value);
  };
  const auto read = [name, member, presence](const hdf5::File& file, const std::string& group,
                                             Record& record) {
    if (presence != Presence::always && !file.has_attribute(group, name)) return;
    const auto value = file.read_attribute<Type>(group, name);
    try {
      std::invoke(member, record) = Form::from(value);
    } catch (const InputError& error) {
      throw InputError("{}: {} @{}: {}", file.path(), group, name, error.what());
    }
  };
  return {std::move(name), type_name<Type>(), std::move(meaning), presence, write, read};
}

template <class Record>
using AttributesOf = std::vector<Attribute<Record>>;

/// Makes the group, with all of it. Local or collective, as the file.
template <class Record>
void write_record(hdf5::File& file, const std::string& group, const Record& record,
                  const AttributesOf<Record>& attributes) {
  file.create_group(group);
  for (const Attribute<Record>& one : attributes) one.write(file, group, record);
}

/// Throws InputError where one is missing that is always there, or of another type. Local.
template <class Record>
Record read_record(const hdf5::File& file, const std::string& group, const AttributesOf<Record>& attributes) {
  Record record;
  for (const Attribute<Record>& one : attributes) one.read(file, group, record);
  return record;
}

/// A dataset of one number a row, of a table with an axis "interval" or another.
template <class Row>
struct Column {
  std::string name;
  std::string type;  // "int" or "number"
  std::string units;
  std::string meaning;
  std::function<void(hdf5::File&, const std::string& path, const std::string& axis, const std::vector<Row>&)>
      write;
  std::function<void(const hdf5::File&, const std::string& path, std::vector<Row>&)> read;
};

/// That of a member of the rows, as in attribute().
template <class Row, class Member>
Column<Row> column(std::string name, std::string units, Member member, std::string meaning) {
  using T = std::remove_cvref_t<std::invoke_result_t<Member, Row&>>;
  const auto write = [member, units](hdf5::File& file, const std::string& path, const std::string& axis,
                                     const std::vector<Row>& rows) {
    const auto number_of = [&](const Row& row) -> const T& { return std::invoke(member, row); };
    file.write(path, hdf5::Values::in(rows, number_of), {static_cast<Index>(rows.size())}, {units, {axis}});
  };
  const auto read = [member](const hdf5::File& file, const std::string& path, std::vector<Row>& rows) {
    const std::vector<T> values = file.read<T>(path, {static_cast<Index>(rows.size())});
    for (std::size_t i = 0; i < rows.size(); ++i) std::invoke(member, rows[i]) = values[i];
  };
  return {std::move(name), type_name<T>(), std::move(units), std::move(meaning), write, read};
}

template <class Row>
using ColumnsOf = std::vector<Column<Row>>;

/// Each straight from where the rows hold it. Local or collective, as the file.
template <class Row>
void write_columns(hdf5::File& file, const std::string& group, const std::string& axis,
                   const std::vector<Row>& rows, const ColumnsOf<Row>& columns) {
  for (const Column<Row>& one : columns) one.write(file, group + "/" + one.name, axis, rows);
}

/// Into rows that are there already. Throws InputError where there are not as many. Local.
template <class Row>
void read_columns(const hdf5::File& file, const std::string& group, std::vector<Row>& rows,
                  const ColumnsOf<Row>& columns) {
  for (const Column<Row>& one : columns) one.read(file, group + "/" + one.name, rows);
}

}  // namespace dmoe::io
