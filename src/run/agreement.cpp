#include "run/agreement.hpp"

#include "comm/session.hpp"
#include "core/error.hpp"

namespace dmoe::run {

void agreed(const comm::Communicator& world, const std::function<void()>& body) {
  try {
    comm::together(world, body);
  } catch (const InputError& error) {
    throw AgreedError(Status::refused, error.what());
  } catch (const RunError& error) {
    throw AgreedError(Status::failed, error.what());
  }
}

}  // namespace dmoe::run
