#include "comm/mpi_library.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <map>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <mpi.h>

#include "comm/native.hpp"
#include "core/simulation.hpp"
#include "core/types.hpp"

namespace dmoe::comm {

namespace {

// By which launchers tell a process of its job. Open MPI's mpirun sets OMPI_ and PMIX_; srun --mpi=pmix PMIX_
// alone; Hydra and srun --mpi=pmi2 PMI_, Hydra also MPI_LOCALNRANKS. An srun without a process manager sets
// SLURM_ alone.
constexpr auto of_mpirun = "OMPI_COMM_WORLD_SIZE";
constexpr auto of_pmix = "PMIX_RANK";
constexpr auto of_pmi = "PMI_RANK";
constexpr auto of_hydra = "MPI_LOCALNRANKS";

const char* variable(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
}

/// The value of the first of these that is set.
int number_of(std::initializer_list<const char*> names, int otherwise) {
  for (const char* name : names) {
    if (const char* text = variable(name)) return std::atoi(text);  // NOLINT(cert-err34-c)
  }
  return otherwise;
}

std::string contents(int process, const char* name) {
  std::ifstream stream(fmt::format("/proc/{}/{}", process, name), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// 0 where there is none to be seen.
int parent_of(int process) {
  const std::string status = contents(process, "stat");
  const std::size_t name_end = status.rfind(") ");  // "12 (a name) S 7 ..": the parent is 7
  return name_end == std::string::npos ? 0
                                       : std::atoi(status.c_str() + name_end + 4);  // NOLINT(cert-err34-c)
}

bool has_variable(int process, const char* name) {
  return ('\0' + contents(process, "environ")).find(fmt::format("{}{}=", '\0', name)) != std::string::npos;
}

/// MPICH that has one thread waits busily whatever its settings say: with more ranks than cores those that
/// wait keep those that compute from it (three ranks on two cores: 160 times as slow as two). Open MPI knows
/// by itself.
bool has_to_yield() {
#if defined(OPEN_MPI)
  return false;
#else
  return number_of({of_hydra}, 1) > static_cast<int>(std::thread::hardware_concurrency());
#endif
}

/// Within a host, Open MPI has a message above a limit, by default 4 KiB, fetched by its receiver from the
/// memory of the sender. All wait for the coordinator, so it fetches nothing: what others send they copy.
/// With so high a limit only eight messages leave a rank between two calls of MPI, which is plenty for these.
/// A limit that the user has set in the environment or for mpirun stands.
void copy_what_is_sent() {
  if (launched_rank() == 0) return;
  constexpr auto name = "OMPI_MCA_btl_vader_eager_limit";  // Open MPI 5, where vader is sm, knows it too
  setenv(name, "262144", /*overwrite=*/0);                 // [bytes] NOLINT(concurrency-mt-unsafe)
}

/// A sum that was started but waits to be done, by the number that stands for its request. SMPI's
/// MPI_Iallreduce sends from each rank to each, which no other library does; so where a run is simulated, the
/// sum is done when it is waited for, without overlap.
struct PutOff {
  std::span<std::int64_t> values;
  MPI_Comm ranks;
};
[[maybe_unused]] std::map<std::uintptr_t, PutOff> put_off;

[[maybe_unused]] void put_off_sum(std::span<std::int64_t> values, MPI_Comm ranks, MPI_Request& request) {
  static std::uintptr_t last = 1;  // odd: nothing that a request points at
  last += 2;
  put_off.emplace(last, PutOff{values, ranks});
  request = request_of(last);
}

[[maybe_unused]] int sum(std::span<std::int64_t> values, MPI_Comm ranks) {
  return MPI_Allreduce(MPI_IN_PLACE, values.data(), narrow<int>(values.size()), MPI_INT64_T, MPI_SUM, ranks);
}

}  // namespace

bool is_launched() {
  if constexpr (simulation::is_on) return true;
  return variable(of_mpirun) != nullptr || variable(of_pmix) != nullptr || variable(of_pmi) != nullptr;
}

int launched_rank() {
  return number_of({"OMPI_COMM_WORLD_RANK", of_pmix, of_pmi, "SLURM_PROCID"}, 0);
}

int launched_size() {
  return number_of({of_mpirun, "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}, 1);
}

bool is_of_launcher(std::string_view text) {
  constexpr std::array prefixes{"OMPI_", "PMIX", "PMI_", "PRTE_", "SLURM_", "HYDI_", "MPI_LOCAL"};
  return std::ranges::any_of(prefixes, [&](const char* prefix) { return text.starts_with(prefix); });
}

std::optional<int> launcher_process() {
  const char* mark = variable(of_mpirun) != nullptr ? of_mpirun : of_hydra;
  if (variable(mark) == nullptr) return std::nullopt;
  int process = getppid();
  while (process > 1 && has_variable(process, mark)) process = parent_of(process);
  // Hydra has a process on each host between its mpiexec and the ranks.
  while (process > 1 && contents(process, "comm").starts_with("hydra_")) process = parent_of(process);
  return process;
}

std::string default_launcher() {
#if defined(OPEN_MPI)
  // Runs that share a host would all bind their ranks to its first cores.
  return "mpirun --bind-to none -n {ranks}";
#else
  return DMOE_MPIEXEC " -n {ranks}";  // Hydra binds nothing by itself
#endif
}

std::string launcher_of_this_job() {
  if (!is_launched()) return "";
  const bool is_srun = variable(of_mpirun) == nullptr && variable(of_hydra) == nullptr;
#if defined(OPEN_MPI)
  constexpr auto name = "mpirun";
#else
  constexpr auto name = DMOE_MPIEXEC;
#endif
  return fmt::format("{} -n {}", is_srun ? "srun" : name, launched_size());
}

std::string built_with() {
#if defined(OPEN_MPI)
  return fmt::format("Open MPI {}.{}.{}", OMPI_MAJOR_VERSION, OMPI_MINOR_VERSION, OMPI_RELEASE_VERSION);
#elif defined(I_MPI_VERSION)
  return "Intel MPI " I_MPI_VERSION;
#elif defined(MPICH_VERSION)
  return "MPICH " MPICH_VERSION;
#else
  return fmt::format("MPI {}.{}", MPI_VERSION, MPI_SUBVERSION);
#endif
}

std::string library_name() {
  std::string text(MPI_MAX_LIBRARY_VERSION_STRING, '\0');
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  text.resize(size(length));
  text.resize(std::min(text.size(), text.find_first_of(",\n")));
  // MPICH: "MPICH Version:      4.2.1".
  constexpr std::string_view version = " Version:";
  if (const std::size_t start = text.find(version); start != std::string::npos) {
    const std::size_t number = text.find_first_not_of(" \t", start + version.size());
    text = text.substr(0, start) + " " + text.substr(std::min(number, text.size()));
  }
  return text;
}

int start_sum(std::span<std::int64_t> values, MPI_Comm ranks, MPI_Request& request) {
  if constexpr (simulation::is_on) {
    put_off_sum(values, ranks, request);
    return MPI_SUCCESS;
  }
  return MPI_Iallreduce(MPI_IN_PLACE, values.data(), narrow<int>(values.size()), MPI_INT64_T, MPI_SUM, ranks,
                        &request);
}

int wait_for(MPI_Request& request) {
  if constexpr (simulation::is_on) {
    if (const auto found = put_off.extract(bits_of(request)))
      return sum(found.mapped().values, found.mapped().ranks);
  }
  static const bool yields = has_to_yield();
  if (!yields) return MPI_Wait(&request, MPI_STATUS_IGNORE);
  while (true) {
    int is_done = 0;
    const int result = MPI_Test(&request, &is_done, MPI_STATUS_IGNORE);
    if (result != MPI_SUCCESS || is_done != 0) return result;
    std::this_thread::yield();
  }
}

FileHints::FileHints() {
  MPI_Info_create(&info_);
  MPI_Info_set(info_, "romio_ds_write", "disable");
}

FileHints::~FileHints() {
  MPI_Info_free(&info_);
}

void prepare_initialisation() {
  copy_what_is_sent();
}

/// Started by srun on several hosts, ranks of Open MPI 4.1 may leave MPI_Init before rank 0 can take
/// messages, and the first message then ends it (SLURM 22.05, one start in 25; open-mpi/ompi#12495 is alike).
/// Nothing but time lets it catch up.
void complete_initialisation() {
  const bool is_by_srun = variable(of_pmix) != nullptr && variable(of_mpirun) == nullptr;
  if (!is_by_srun || number_of({"SLURM_STEP_NUM_NODES"}, 1) < 2) return;
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
}

}  // namespace dmoe::comm
