#include "comm/session.hpp"

#include <chrono>
#include <cstdlib>
#include <exception>
#include <thread>

#include "comm/archive.hpp"
#include "comm/check.hpp"
#include "core/error.hpp"

namespace dmoe::comm {

namespace {

const char* variable(const char* name) {
  return std::getenv(name);
}  // NOLINT(concurrency-mt-unsafe)

/// Within a host, Open MPI has a message above a limit, by default 4 KiB, fetched by its receiver from the
/// memory of the sender. All wait for the coordinator, so it fetches nothing: what others send they copy.
/// With so high a limit only eight messages leave a rank between two calls of MPI, which is plenty for these.
/// A limit that the user has set in the environment or for mpirun stands. Before MPI_Init.
void copy_what_is_sent() {
  if (launched_rank() == 0) return;
  constexpr auto name = "OMPI_MCA_btl_vader_eager_limit";  // Open MPI 5, where vader is sm, knows it too
  setenv(name, "262144", /*overwrite=*/0);                 // [bytes] NOLINT(concurrency-mt-unsafe)
}

/// Started by srun on several hosts, ranks of Open MPI 4.1 may leave MPI_Init before rank 0 can take
/// messages, and the first message then ends it (SLURM 22.05, one start in 25; open-mpi/ompi#12495 is alike).
/// Nothing but time lets it catch up. After MPI_Init, before the first message.
void let_the_last_catch_up() {
  const bool is_by_mpirun = variable("OMPI_COMM_WORLD_SIZE") != nullptr;
  const char* hosts = variable("SLURM_STEP_NUM_NODES");
  if (is_by_mpirun || hosts == nullptr || std::atoi(hosts) < 2) return;  // NOLINT(cert-err34-c)
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
}

bool initialise() {
  const bool launched = is_launched();
  if (launched) {
    copy_what_is_sent();
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    let_the_last_catch_up();
    return true;
  }
  const char* tasks = variable("SLURM_STEP_NUM_TASKS");
  if (tasks != nullptr && std::atoi(tasks) > 1) {  // NOLINT(cert-err34-c)
    throw InputError(
        "srun started {} tasks that cannot find each other; start them with srun --mpi=pmix or mpirun",
        tasks);
  }
  return false;
}

std::string library_name() {
  std::string text(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  text.resize(size(length));
  return text.substr(0, text.find_first_of(",\n"));
}

/// What went wrong on a rank: the kind decides the exit status.
struct Failure {
  int kind = 0;  // 0 nothing, 1 RunError and anything else, 2 InputError
  std::string message;
  template <class Archive>
  void serialize(Archive& archive, unsigned /*version*/) {
    archive& kind& message;
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

int launched_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}) {
    if (const char* rank = variable(name)) return std::atoi(rank);  // NOLINT(cert-err34-c)
  }
  return 0;
}

bool is_launched() {
  return variable("OMPI_COMM_WORLD_SIZE") != nullptr || variable("PMIX_RANK") != nullptr ||
         variable("PMI_RANK") != nullptr;
}

Session::Session()
    : launched_(initialise()),
      world_(launched_ ? Communicator::duplicate_of(MPI_COMM_WORLD) : Communicator::local()),
      library_(launched_ ? library_name() : "none (one process)") {}

void Session::finalize() {
  world_ = Communicator::local();
  if (launched_) check(MPI_Finalize(), "MPI_Finalize");
  launched_ = false;
}

void Session::abort(int status) {
  if (is_launched()) MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

void together(const Communicator& communicator, const std::function<void()>& body) {
  const Failure mine = failure_of(body);
  if (communicator.all_reduce_max(mine.kind) == 0) return;
  Failure first;
  for (const Failure& failure : gather_objects(communicator, mine)) {
    if (first.kind == 0) first = failure;
  }
  broadcast_object(communicator, first);
  if (first.kind == 2) throw InputError(first.message);
  throw RunError(first.message);
}

}  // namespace dmoe::comm
