#include "comm/session.hpp"

#include <chrono>
#include <cstdlib>
#include <exception>
#include <thread>

#include "comm/check.hpp"
#include "comm/mpi_library.hpp"
#include "comm/native.hpp"
#include "core/error.hpp"

namespace dmoe::comm {

namespace {

/// Each process of a job is alone where its launcher belongs to another MPI library.
void refuse_a_foreign_launcher() {
  int found = 0;
  check(MPI_Comm_size(MPI_COMM_WORLD, &found), "MPI_Comm_size");
  if (found > 1 || launched_size() <= 1) return;
  const std::string library = library_name();
  MPI_Finalize();
  throw InputError(
      "{} processes were started, but each is alone for {}, the MPI that this program was built with: start "
      "it with mpirun or mpiexec of that library, or with an srun --mpi= that it knows",
      launched_size(), library);
}

/// By us or by somebody else, under a launcher.
bool is_initialised() {
  int begun = 0;
  int ended = 0;
  MPI_Initialized(&begun);
  MPI_Finalized(&ended);
  return begun != 0 && ended == 0 && is_launched();
}

/// False where there is no MPI to be initialised, or somebody else has done it.
bool initialise() {
  if (is_initialised()) return false;
  if (is_launched()) {
    prepare_initialisation();
    int provided = 0;
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    // Errors of what belongs to no communicator, as MPI_Wait is for MPICH, go to one of these.
    for (MPI_Comm common : {MPI_COMM_WORLD, MPI_COMM_SELF})
      check(MPI_Comm_set_errhandler(common, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    refuse_a_foreign_launcher();
    complete_initialisation();
    return true;
  }
  if (launched_size() > 1) {
    throw InputError(
        "srun started {} tasks that cannot find each other; start them with srun --mpi=pmix, srun --mpi=pmi2 "
        "or "
        "mpirun",
        launched_size());
  }
  return false;
}

/// What is refused is refused by all ranks, which leave MPI in order.
Communicator world_of_job(bool owns_mpi) {
  if (!is_initialised()) return Communicator::local();
  try {
    return duplicate_of(MPI_COMM_WORLD);
  } catch (const InputError&) {
    if (owns_mpi) MPI_Finalize();
    throw;
  }
}

/// Hydra throws away what it has not yet read of a rank's output when that rank aborts: 3 of 100 last words
/// were lost.
constexpr std::chrono::milliseconds launcher_reads{100};

}  // namespace

Session::Session()
    : owns_mpi_(initialise()),
      world_(world_of_job(owns_mpi_)),
      library_(is_initialised() ? library_name() : "none (one process)") {}

Session::Session(MPI_Comm ranks) : owns_mpi_(false), world_(duplicate_of(ranks)), library_(library_name()) {}

void Session::finalize() {
  world_ = Communicator::local();
  if (owns_mpi_) check(MPI_Finalize(), "MPI_Finalize");
  owns_mpi_ = false;
}

void Session::abort(int status) {
  if (is_initialised()) {
    std::this_thread::sleep_for(launcher_reads);
    MPI_Abort(MPI_COMM_WORLD, status);
  }
  std::_Exit(status);
}

}  // namespace dmoe::comm
