// What an error says, for tests to look into.
#pragma once

#include <string>

#include "core/error.hpp"

namespace dmoe::test {

/// The message of the Error that `action` throws; a note where it throws none of that type.
template <class Error = InputError, class Action>
std::string message_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing of that type was thrown";
}

}  // namespace dmoe::test
