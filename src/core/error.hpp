// The two kinds of failure a user can meet. Our own mistakes are assertions, not exceptions.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include <fmt/format.h>

namespace dmoe {

/// The caller's mistake: command line, config, data or environment. The message names the place, the value
/// and what is allowed. Exit status 2.
class InputError : public std::runtime_error {
 public:
  explicit InputError(const std::string& message) : std::runtime_error(message) {}
  template <class First, class... Rest>
  explicit InputError(fmt::format_string<First, Rest...> text, First&& first, Rest&&... rest)
      : std::runtime_error(fmt::format(text, std::forward<First>(first), std::forward<Rest>(rest)...)) {}
};

/// A failure in mid-run that is not the caller's mistake: a disk, a network, a numerical breakdown.
/// Exit status 1.
class RunError : public std::runtime_error {
 public:
  explicit RunError(const std::string& message) : std::runtime_error(message) {}
  template <class First, class... Rest>
  explicit RunError(fmt::format_string<First, Rest...> text, First&& first, Rest&&... rest)
      : std::runtime_error(fmt::format(text, std::forward<First>(first), std::forward<Rest>(rest)...)) {}
};

/// What the user is told of an exception: its own message, or, of memory that ran out, one that helps. Local.
inline std::string message_of(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr)
    return "memory ran out; smaller batches and more ranks take less";
  const auto* const of_system = dynamic_cast<const std::system_error*>(&error);
  if (of_system != nullptr && of_system->code() == std::errc::resource_unavailable_try_again)
    return "no thread can be started: memory ran out, or a limit of the system (ulimit -v, -u)";
  return error.what();
}

}  // namespace dmoe
