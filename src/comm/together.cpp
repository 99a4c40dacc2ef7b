#include "comm/together.hpp"

#include <exception>

#include "comm/archive.hpp"
#include "core/error.hpp"

namespace dmoe::comm {

namespace {

/// What went wrong on a rank: the kind is that of its error.
struct Failure {
  int kind = 0;  // 0 nothing, 1 RunError and anything else, 2 InputError
  std::string message;
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    (archive & kind) & message;
  }
};

Failure failure_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const InputError& error) {
    return {2, error.what()};
  } catch (const std::exception& error) {
    return {1, message_of(error)};
  } catch (...) {
    return {1, "an exception of unknown type"};
  }
  return {};
}

}  // namespace

void together(const Communicator& communicator, const std::function<void()>& body,
              Communicator::Place place) {
  communicator.compare_place("together", place);
  const Failure mine = failure_of(body);
  if (communicator.all_reduce_max(mine.kind) == 0) return;
  Failure first;
  for (const Failure& failure : gather_objects(communicator, mine)) {
    if (first.kind == 0) first = failure;
  }
  broadcast_object(communicator, first);
  if (first.kind == 2) throw OnAllRanks<InputError>(communicator, first.message);
  throw OnAllRanks<RunError>(communicator, first.message);
}

}  // namespace dmoe::comm
