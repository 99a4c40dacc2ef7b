// RAII for HDF5 identifiers, and the one spelling of a checked HDF5 call.
//
//   const Handle dataset(check(H5Dopen2(file, name, H5P_DEFAULT), {Verb::read, path, name}), H5Dclose);
//
// This header is free of hdf5.h: whoever includes the module's headers does not see the C API.
#pragma once

#include <cstdint>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace dmoe::hdf5 {

/// hid_t; negative is none.
using Id = std::int64_t;

/// Owner of one HDF5 identifier. Invariant: it is closed exactly once, by the H5?close it was given.
class Handle {
 public:
  using Close = int (*)(Id);

  Handle() = default;
  Handle(Id id, Close closer) : id_(id), close_(closer) {}
  Handle(Handle&& other) noexcept : id_(other.release()), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  /// Closes silently: what must not fail unseen is closed with check() before.
  ~Handle() {
    if (is_open()) close();
  }

  Id id() const { return id_; }
  bool is_open() const { return id_ >= 0; }
  /// Closes now and returns HDF5's result, for check(). Local, or collective where `id` is a parallel file.
  int close() { return close_(std::exchange(id_, -1)); }
  /// Gives the identifier away unclosed. Local.
  Id release() { return std::exchange(id_, -1); }

 private:
  Id id_ = -1;
  Close close_ = nullptr;
};

/// What was tried when a call failed. A file that cannot be opened or read is the caller's (InputError), one
/// that cannot be created, written or closed is not (RunError).
enum class Verb { open, read, create, write, close };

struct Action {
  Verb verb;
  std::string_view file;
  std::string_view object = "";  // path inside the file
};

/// The result of an HDF5 call where it is not negative; otherwise throws InputError or RunError (see Verb)
/// with file, object, the system's reason where there is one and HDF5's error stack, innermost first. Local.
Id check(Id result, const Action& action, std::source_location place = std::source_location::current());

/// Throws what check() throws, with a reason of our own. Local.
[[noreturn]] void fail(const Action& action, const std::string& reason);

/// HDF5's error stack as one line, innermost first, the system's reason in front. Local.
std::string error_stack();

/// Stops HDF5 from printing its errors on stderr, which check() reports, and from closing at exit what is
/// open: a file that could not be written makes it crash there. Called before anything else of HDF5 is.
/// Local.
void prepare_library();

}  // namespace dmoe::hdf5
