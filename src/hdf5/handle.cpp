#include "hdf5/handle.hpp"

#include <array>
#include <type_traits>
#include <vector>

#include <hdf5.h>

#include "core/error.hpp"

namespace dmoe::hdf5 {

static_assert(std::is_same_v<Id, hid_t> && std::is_same_v<int, herr_t>);

namespace {

constexpr std::array<const char*, 5> verb_names{"open", "read", "create", "write", "close"};

herr_t append_description(unsigned /*depth*/, const H5E_error2_t* error, void* list) {
  if (error->desc != nullptr) static_cast<std::vector<std::string>*>(list)->emplace_back(error->desc);
  return 0;
}

/// "No space left on device" out of "file write failed: .., error message = 'No space left on device', ..".
std::string system_reason(const std::string& description) {
  constexpr std::string_view before = "error message = '";
  const std::size_t start = description.find(before);
  if (start == std::string::npos) return "";
  const std::size_t first = start + before.size();
  return description.substr(first, description.find('\'', first) - first);
}

}  // namespace

std::string error_stack() {
  std::vector<std::string> descriptions;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, append_description, &descriptions);
  std::string reason;
  std::string all;
  for (const std::string& description : descriptions) {
    if (reason.empty()) reason = system_reason(description);
    // What precedes the reason: the rest is addresses and times.
    all += (all.empty() ? "" : "; ") + description.substr(0, description.find(": time ="));
  }
  if (all.empty()) all = "HDF5 gives no reason";
  return reason.empty() ? all : fmt::format("{} ({})", reason, all);
}

void fail(const Action& action, const std::string& reason) {
  const std::string object = action.object.empty() ? "" : fmt::format(" {}", action.object);
  const std::string message = fmt::format("{}: cannot {}{}: {}", action.file,
                                          verb_names[static_cast<std::size_t>(action.verb)], object, reason);
  if (action.verb == Verb::open || action.verb == Verb::read) throw InputError(message);
  throw RunError(message);
}

Id check(Id result, const Action& action, std::source_location place) {
  if (result >= 0) return result;
  const std::string_view path = place.file_name();
  fail(action,
       fmt::format("{} [{}:{}]", error_stack(), path.substr(path.find_last_of('/') + 1), place.line()));
}

void prepare_library() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

namespace {

/// Before main(): macros as harmless as H5F_ACC_RDONLY open the library, after which it is too late. At exit
/// it would write what a full disk did not take, and crash.
[[maybe_unused]] const herr_t closed_by_us_alone = H5dont_atexit();

}  // namespace

}  // namespace dmoe::hdf5
