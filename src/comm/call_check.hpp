// "Collective" checked: before ranks do something together they compare what they are about to do. Any build
// does so where the environment variable DMOE_CHECK_COLLECTIVES is 1 on some rank, a debug build unless it is
// 0 on all; else nothing is sent.
#pragma once

#include <source_location>
#include <string>
#include <string_view>
#include <vector>

#include <mpi.h>

namespace dmoe::comm {

/// Whether this process asks for it. InputError where the variable is neither 0 nor 1, nor empty, which
/// is as if it were not set. Local.
bool asks_for_call_checks();

/// A comparison under way of what each rank calls. The words are compared, the places are for the message.
/// What is sent and received is in here: it is verified before it is dropped, but where an exception ends the
/// job.
class CallCheck {
 public:
  /// "broadcast of 12 floats". Starts to exchange it over `checks`, on which nothing else is sent.
  /// Collective, in the order of the calls.
  CallCheck(MPI_Comm checks, std::string_view call, std::source_location place);
  CallCheck(const CallCheck&) = delete;
  CallCheck& operator=(const CallCheck&) = delete;
  ~CallCheck() = default;

  /// Throws RunError, on all ranks, which names the call and the place of each where not all call the same.
  void verify();

 private:
  struct Record {
    char call[224];
    char place[96];
  };
  Record own_{};
  std::vector<Record> all_;  // of each rank
  MPI_Request request_ = MPI_REQUEST_NULL;
};

}  // namespace dmoe::comm
