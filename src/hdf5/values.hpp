// What goes into a file and comes out of it: element types, shapes, annotations, attribute values.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <ranges>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/types.hpp"

namespace dmoe::hdf5 {

/// Numeric element of a dataset; little-endian in the file.
enum class Element { float32, float64, int32, int64 };

template <class T>
concept Number = std::same_as<T, float> || std::same_as<T, double>;
template <class T>
concept Code = std::same_as<T, std::int32_t> || std::same_as<T, std::int64_t>;
template <class T>
concept Stored = Number<T> || Code<T>;

template <Stored T>
constexpr Element element_of() {
  if constexpr (std::same_as<T, float>) return Element::float32;
  if constexpr (std::same_as<T, double>) return Element::float64;
  if constexpr (std::same_as<T, std::int32_t>) return Element::int32;
  if constexpr (std::same_as<T, std::int64_t>) return Element::int64;
}

/// Row-major extents; {} is a scalar.
using Shape = std::vector<Index>;
/// In an expected shape: any extent will do.
inline constexpr Index any = -1;
/// "(4, 100, 1296)", "(*, 4)" with `any`, "scalar". Local.
std::string to_text(const Shape& shape);
/// The number of elements. Local.
Index element_count(const Shape& shape);

/// What a dataset means: its unit ("nats", "examples", "1") and the name of each axis, outermost first.
struct Annotation {
  std::string units;
  std::vector<std::string> dimensions;
};

/// Rows [first, first + count) along the first dimension; count = 0 is allowed everywhere.
struct Rows {
  Index first = 0;
  Index count = 0;
};

/// A read-only view of numbers to be written: made from any std::vector, std::span or std::array of Stored,
/// or of a member of records that stand one behind the other.
struct Values {
  Element element;
  const void* data;
  Index count;
  Index stride = 1;  // from one number to the next, in numbers

  // clang-format off: its versions differ
  template <std::ranges::contiguous_range Range>
  requires Stored<std::ranges::range_value_t<Range>> Values(
      const Range& range)  // NOLINT(google-explicit-constructor): a view, as std::span is
      : element(element_of<std::ranges::range_value_t<Range>>()),
        data(std::ranges::data(range)),
        count(static_cast<Index>(std::ranges::size(range))) {}
  // clang-format on

  /// `number_of` each of the records, a function from a record to a reference to its number: where they are,
  /// nothing is copied. Local.
  template <std::ranges::contiguous_range Range, class NumberOf>
  static Values in(const Range& records, const NumberOf& number_of) {
    using Record = std::ranges::range_value_t<Range>;
    using T = std::remove_cvref_t<std::invoke_result_t<NumberOf, const Record&>>;
    static_assert(sizeof(Record) % sizeof(T) == 0, "from one record to the next it is so many numbers");
    Values values{std::span<const T>()};
    values.count = static_cast<Index>(std::ranges::size(records));
    values.stride = static_cast<Index>(sizeof(Record) / sizeof(T));
    if (values.count > 0) values.data = &std::invoke(number_of, *std::ranges::data(records));
    return values;
  }
};

/// A dataset that is created first and filled slab by slab.
struct DatasetSpec {
  Element element = Element::float32;
  Shape shape;
  Annotation annotation;
  Shape chunk = {};  // {}: whole rows while they fit into 1 MiB
};

/// What a file says about one of its datasets.
struct DatasetInfo {
  std::string type;  // "float32", "int64", "text", ...
  Shape shape;
  Shape chunk;  // {} where contiguous
  bool has_checksum = false;
};

using AttributeValue = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>,
                                    std::vector<double>, std::vector<std::string>>;
using Attributes = std::vector<std::pair<std::string, AttributeValue>>;

}  // namespace dmoe::hdf5
