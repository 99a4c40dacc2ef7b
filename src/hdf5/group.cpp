// Groups and links of a File.
#include <cassert>

#include <hdf5.h>

#include "hdf5/file.hpp"

namespace dmoe::hdf5 {

bool File::exists(const std::string& path) const {
  assert(path.starts_with('/'));
  // H5Lexists fails where a group on the way is missing, so every step is asked for.
  for (std::size_t end = 1; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::string step = path.substr(0, end);
    if (check(H5Lexists(handle_.id(), step.c_str(), H5P_DEFAULT), doing(Verb::read, path)) == 0) return false;
  }
  return true;
}

Handle File::open_object(const std::string& object, Verb verb) const {
  if (!exists(object)) fail(doing(verb, object), "the file has no such object");
  return {check(H5Oopen(handle_.id(), object.c_str(), H5P_DEFAULT), doing(verb, object)), H5Oclose};
}

File::Kind File::kind(const std::string& path) const {
  const Handle object = open_object(path, Verb::read);
  return H5Iget_type(object.id()) == H5I_DATASET ? Kind::dataset : Kind::group;
}

void File::make_group(const std::string& path) {
  const Action action = doing(Verb::create, path);
  const Handle creation(check(H5Pcreate(H5P_GROUP_CREATE), action), H5Pclose);
  check(H5Pset_link_creation_order(creation.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), action);
  check(H5Pset_attr_creation_order(creation.id(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED), action);
  for (std::size_t end = 1; end < path.size();) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::string step = path.substr(0, end);
    if (check(H5Lexists(handle_.id(), step.c_str(), H5P_DEFAULT), action) > 0) continue;
    const Handle group(
        check(H5Gcreate2(handle_.id(), step.c_str(), H5P_DEFAULT, creation.id(), H5P_DEFAULT), action),
        H5Gclose);
  }
}

void File::create_group(const std::string& path) {
  assert(path.starts_with('/'));
  if (!is_parallel()) reserve(0, path);
  together(path, [&] { make_group(path); });
}

void File::remove(const std::string& path) {
  together(path,
           [&] { check(H5Ldelete(handle_.id(), path.c_str(), H5P_DEFAULT), doing(Verb::write, path)); });
}

std::vector<std::string> File::children(const std::string& group) const {
  const Action action = doing(Verb::read, group);
  if (kind(group) != Kind::group) fail(action, "it is a dataset, expected a group");
  const Handle opened(check(H5Gopen2(handle_.id(), group.c_str(), H5P_DEFAULT), action), H5Gclose);
  const Handle creation(check(H5Gget_create_plist(opened.id()), action), H5Pclose);
  unsigned order = 0;
  check(H5Pget_link_creation_order(creation.id(), &order), action);
  H5G_info_t contents{};
  check(H5Gget_info(opened.id(), &contents), action);
  const H5_index_t index = (order & H5P_CRT_ORDER_TRACKED) != 0 ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME;
  std::vector<std::string> names;
  for (hsize_t i = 0; i < contents.nlinks; ++i) {
    const auto name_of = [&](char* text, std::size_t bytes) {
      return check(H5Lget_name_by_idx(opened.id(), ".", index, H5_ITER_INC, i, text, bytes, H5P_DEFAULT),
                   action);
    };
    std::string& name = names.emplace_back(size(name_of(nullptr, 0)), '\0');
    name_of(name.data(), name.size() + 1);
  }
  return names;
}

}  // namespace dmoe::hdf5
