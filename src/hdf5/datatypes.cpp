#include "hdf5/datatypes.hpp"

#include <array>
#include <functional>
#include <numeric>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace dmoe::hdf5 {

std::string to_text(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::vector<std::string> extents;
  for (const Index extent : shape) extents.push_back(extent == any ? "*" : std::to_string(extent));
  return fmt::format("({})", fmt::join(extents, ", "));
}

Index element_count(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), Index{1}, std::multiplies<>());
}

hid_t file_type(Element element) {
  return std::array{H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_STD_I32LE,
                    H5T_STD_I64LE}[static_cast<std::size_t>(element)];
}

hid_t memory_type(Element element) {
  return std::array{H5T_NATIVE_FLOAT, H5T_NATIVE_DOUBLE, H5T_NATIVE_INT32,
                    H5T_NATIVE_INT64}[static_cast<std::size_t>(element)];
}

Handle text_type(std::size_t bytes, const Action& action) {
  Handle type(check(H5Tcopy(H5T_C_S1), action), H5Tclose);
  check(H5Tset_size(type.id(), bytes), action);
  check(H5Tset_cset(type.id(), H5T_CSET_UTF8), action);
  if (bytes != H5T_VARIABLE) check(H5Tset_strpad(type.id(), H5T_STR_NULLPAD), action);
  return type;
}

Handle space_of(const Shape& shape, const Action& action) {
  if (shape.empty()) return {check(H5Screate(H5S_SCALAR), action), H5Sclose};
  const std::vector<hsize_t> extents(shape.begin(), shape.end());
  return {check(H5Screate_simple(narrow<int>(extents.size()), extents.data(), nullptr), action), H5Sclose};
}

Shape shape_of(Id space, const Action& action) {
  std::vector<hsize_t> extents(static_cast<std::size_t>(check(H5Sget_simple_extent_ndims(space), action)));
  check(H5Sget_simple_extent_dims(space, extents.data(), nullptr), action);
  Shape shape;
  for (const hsize_t extent : extents) shape.push_back(narrow<Index>(extent));
  return shape;
}

std::string type_name(Id type) {
  const H5T_class_t kind = H5Tget_class(type);
  const std::size_t bits = 8 * H5Tget_size(type);
  if (kind == H5T_FLOAT) return fmt::format("float{}", bits);
  if (kind == H5T_INTEGER) return fmt::format("{}int{}", H5Tget_sign(type) == H5T_SGN_NONE ? "u" : "", bits);
  if (kind == H5T_STRING) return "text";
  if (kind == H5T_ENUM) {
    const Handle values(H5Tget_super(type), H5Tclose);
    return fmt::format("an enumeration of {}", values.is_open() ? type_name(values.id()) : "unknown");
  }
  constexpr std::array names{"integer",     "float",           "time",     "text",
                             "bit field",   "opaque",          "compound", "reference",
                             "enumeration", "variable-length", "array"};
  return kind >= 0 && kind < static_cast<int>(names.size()) ? names.at(static_cast<std::size_t>(kind))
                                                            : "unknown";
}

bool fits_without_loss(Id stored, Element element) {
  const hid_t wanted = memory_type(element);
  if (H5Tget_class(stored) != H5Tget_class(wanted)) return false;
  const std::size_t room = H5Tget_size(wanted);
  const bool needs_sign_bit = H5Tget_class(stored) == H5T_INTEGER && H5Tget_sign(stored) == H5T_SGN_NONE;
  return needs_sign_bit ? H5Tget_size(stored) < room : H5Tget_size(stored) <= room;
}

bool may_overflow(Id stored, Element element) {
  return element == Element::int64 && H5Tget_class(stored) == H5T_INTEGER &&
         H5Tget_sign(stored) == H5T_SGN_NONE && H5Tget_size(stored) == H5Tget_size(memory_type(element));
}

std::vector<std::string> read_strings(Id stored, Id space, const Action& action,
                                      const std::function<herr_t(hid_t, void*)>& read) {
  const auto count = static_cast<std::size_t>(check(H5Sget_simple_extent_npoints(space), action));
  if (count == 0) return {};
  std::vector<std::string> texts;
  const Handle memory(check(H5Tcopy(stored), action), H5Tclose);
  if (check(H5Tis_variable_str(stored), action) > 0) {
    std::vector<char*> pointers(count, nullptr);
    check(read(memory.id(), pointers.data()), action);
    for (const char* pointer : pointers) texts.emplace_back(pointer == nullptr ? "" : pointer);
    check(H5Dvlen_reclaim(memory.id(), space, H5P_DEFAULT, pointers.data()), action);
    return texts;
  }
  const std::size_t bytes = H5Tget_size(stored);
  const char padding = H5Tget_strpad(stored) == H5T_STR_SPACEPAD ? ' ' : '\0';
  std::string all(count * bytes, '\0');
  check(read(memory.id(), all.data()), action);
  for (std::size_t i = 0; i < count; ++i) {
    std::string text = all.substr(i * bytes, bytes);
    text.resize(text.find_last_not_of(padding) + 1);
    texts.push_back(std::move(text));
  }
  return texts;
}

}  // namespace dmoe::hdf5
