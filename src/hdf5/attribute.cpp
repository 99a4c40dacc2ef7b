// Attributes of a File's groups and datasets.
#include <type_traits>

#include "hdf5/datatypes.hpp"
#include "hdf5/file.hpp"

namespace dmoe::hdf5 {

namespace {

template <class T>
constexpr bool is_list = false;
template <class T>
constexpr bool is_list<std::vector<T>> = true;

/// {} for one value, {n} for a list: how an attribute of that value is shaped.
template <class T>
Shape attribute_shape(const T& value) {
  if constexpr (is_list<T>) {
    return {static_cast<Index>(value.size())};
  } else {
    return {};
  }
}

/// "an int64", .. for messages; the order is AttributeValue's.
constexpr std::array<const char*, 6> value_names{"one integer", "one number", "one text",
                                                 "integers",    "numbers",    "texts"};

/// Of its elements, about.
Index bytes_of(const AttributeValue& value) {
  return std::visit(
      []<class T>(const T& held) -> Index {
        std::size_t bytes = sizeof(std::int64_t);
        if constexpr (std::is_same_v<T, std::string>) {
          bytes = held.size();
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          for (const std::string& text : held) bytes += text.size() + 2 * sizeof(std::int64_t);
        } else if constexpr (is_list<T>) {
          bytes = held.size() * sizeof(std::int64_t);
        }
        return static_cast<Index>(bytes);
      },
      value);
}

}  // namespace

void File::put_attribute(Id object, const std::string& path, const std::string& name,
                         const AttributeValue& value) {
  const Action action = doing(Verb::write, path);
  if (check(H5Aexists(object, name.c_str()), action) > 0) check(H5Adelete(object, name.c_str()), action);
  const auto put = [&](Id file_type, Id memory_type, const Shape& shape, const void* data) {
    const Handle space = space_of(shape, action);
    const Handle attribute(
        check(H5Acreate2(object, name.c_str(), file_type, space.id(), H5P_DEFAULT, H5P_DEFAULT), action),
        H5Aclose);
    if (element_count(shape) > 0) check(H5Awrite(attribute.id(), memory_type, data), action);
  };
  const auto put_texts = [&](const Shape& shape, std::span<const std::string> texts) {
    std::vector<const char*> pointers;
    for (const std::string& text : texts) pointers.push_back(text.c_str());
    const Handle type = text_type(H5T_VARIABLE, action);
    put(type.id(), type.id(), shape, pointers.data());
  };
  std::visit(
      [&]<class T>(const T& held) {
        const Shape shape = attribute_shape(held);
        if constexpr (std::is_same_v<T, std::string>) {
          put_texts(shape, {&held, 1});
        } else if constexpr (std::is_same_v<T, std::vector<std::string>>) {
          put_texts(shape, held);
        } else if constexpr (is_list<T>) {
          constexpr Element element = element_of<typename T::value_type>();
          put(file_type(element), memory_type(element), shape, held.data());
        } else {
          put(file_type(element_of<T>()), memory_type(element_of<T>()), shape, &held);
        }
      },
      value);
}

void File::write_attribute(const std::string& object, const std::string& name, const AttributeValue& value) {
  if (!is_parallel()) reserve(bytes_of(value), object);
  together(object, [&] { put_attribute(open_object(object, Verb::write).id(), object, name, value); });
}

bool File::has_attribute(const std::string& object, const std::string& name) const {
  return check(H5Aexists(open_object(object, Verb::read).id(), name.c_str()), doing(Verb::read, object)) > 0;
}

AttributeValue File::take_attribute(const std::string& object, const std::string& name) const {
  const Action action = doing(Verb::read, object);
  const Handle owner = open_object(object, Verb::read);
  if (check(H5Aexists(owner.id(), name.c_str()), action) == 0) {
    fail(action, fmt::format("it has no attribute '{}'", name));
  }
  const Handle attribute(check(H5Aopen(owner.id(), name.c_str(), H5P_DEFAULT), action), H5Aclose);
  const Handle type(check(H5Aget_type(attribute.id()), action), H5Tclose);
  const Handle space(check(H5Aget_space(attribute.id()), action), H5Sclose);
  const Shape shape = shape_of(space.id(), action);
  const auto take = [&]<class T>(std::vector<T> values) -> AttributeValue {
    check(H5Aread(attribute.id(), memory_type(element_of<T>()), values.data()), action);
    if (shape.empty()) return values.front();
    return values;
  };
  const std::size_t count = size(element_count(shape));
  if (H5Tget_class(type.id()) == H5T_STRING) {
    std::vector<std::string> texts =
        read_strings(type.id(), space.id(), action,
                     [&](hid_t memory, void* into) { return H5Aread(attribute.id(), memory, into); });
    if (shape.empty()) return texts.front();
    return texts;
  }
  if (fits_without_loss(type.id(), Element::int64)) return take(std::vector<std::int64_t>(count));
  if (fits_without_loss(type.id(), Element::float64)) return take(std::vector<double>(count));
  fail(action,
       fmt::format("attribute '{}' is {}, expected int64, float64 or text", name, type_name(type.id())));
}

template <class T>
T File::read_attribute(const std::string& object, const std::string& name) const {
  AttributeValue value = take_attribute(object, name);
  if (T* held = std::get_if<T>(&value)) return std::move(*held);
  fail(doing(Verb::read, object),
       fmt::format("attribute '{}' holds {}, expected {}", name, value_names[value.index()],
                   value_names[AttributeValue(T{}).index()]));
}

template std::int64_t File::read_attribute(const std::string&, const std::string&) const;
template double File::read_attribute(const std::string&, const std::string&) const;
template std::string File::read_attribute(const std::string&, const std::string&) const;
template std::vector<std::int64_t> File::read_attribute(const std::string&, const std::string&) const;
template std::vector<double> File::read_attribute(const std::string&, const std::string&) const;
template std::vector<std::string> File::read_attribute(const std::string&, const std::string&) const;

Attributes File::attributes(const std::string& object) const {
  const Action action = doing(Verb::read, object);
  const Handle owner = open_object(object, Verb::read);
  std::vector<std::string> names;
  const auto append = [](hid_t /*object*/, const char* name, const H5A_info_t* /*info*/,
                         void* list) -> herr_t {
    static_cast<std::vector<std::string>*>(list)->emplace_back(name);
    return 0;
  };
  // An object that is not ours may keep no order of creation: then by name.
  if (H5Aiterate2(owner.id(), H5_INDEX_CRT_ORDER, H5_ITER_INC, nullptr, append, &names) < 0) {
    names.clear();
    check(H5Aiterate2(owner.id(), H5_INDEX_NAME, H5_ITER_INC, nullptr, append, &names), action);
  }
  Attributes result;
  for (const std::string& name : names) result.emplace_back(name, take_attribute(object, name));
  return result;
}

}  // namespace dmoe::hdf5
