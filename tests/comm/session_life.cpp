// session_life END: one session, and one of the ends it can have. What it prints, session_life_test.py reads.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <mpi.h>

#include "comm/session.hpp"
#include "core/error.hpp"

namespace {

using dmoe::comm::Session;

/// In one write, so that lines of several ranks do not mix.
void print(const std::string& line) {
  std::fputs((line + '\n').c_str(), stdout);
  std::fflush(stdout);
}

/// Up to how many bytes a message is copied by its sender in Open MPI.
std::size_t eager_limit() {
  int provided = 0;
  MPI_T_init_thread(MPI_THREAD_SINGLE, &provided);
  int index = 0;
  MPI_T_cvar_get_index("btl_vader_eager_limit", &index);
  MPI_T_cvar_handle handle = nullptr;
  int count = 0;
  MPI_T_cvar_handle_alloc(index, nullptr, &handle, &count);
  std::size_t limit = 0;
  MPI_T_cvar_read(handle, &limit);
  MPI_T_cvar_handle_free(&handle);
  MPI_T_finalize();
  return limit;
}

/// The last rank's broadcast has another size, and all go on to wait for it.
void start_what_differs(const dmoe::comm::Communicator& ranks) {
  std::vector<float> values(ranks.rank() == ranks.size() - 1 ? 5 : 4);
  dmoe::comm::Request request = ranks.start_broadcast(values);
  try {
    request.wait();
  } catch (const dmoe::RunError& error) {
    print(error.what());
    Session::abort(1);
  }
}

void finalize(Session& session) {
  const bool was_local = session.world().is_local();
  session.finalize();
  session.finalize();  // nothing is left to end
  int is_over = 0;
  MPI_Finalized(&is_over);
  print(fmt::format("over {} local {}", was_local || is_over != 0, session.world().is_local()));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view end = argc > 1 ? argv[1] : "";
  Session session;
  const int rank = session.world().rank();
  print(fmt::format("rank {} of {} with {}", rank, session.world().size(), session.library()));
  session.world().barrier();
  if (end == "limit") print(fmt::format("rank {} copies up to {}", rank, eager_limit()));
  if (end == "limit" || end == "finalize") finalize(session);
  if (end == "abort" && rank == session.world().size() - 1) Session::abort(3);
  if (end == "mismatch") start_what_differs(session.world());
  if (end == "abort") session.world().barrier();  // in vain: the last rank does not come
  return 0;
}
