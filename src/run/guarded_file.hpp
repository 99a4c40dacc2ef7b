// Files from outside, looked at by a process that may crash before this one opens them.
#pragma once

#include <string>

#include "io/verify.hpp"

namespace dmoe::run {

/// Whether it is a file that begins as those of HDF5 do. Local.
bool is_hdf5(const std::string& path);

/// Names the program whose `dmoe check` is to look at files; this one, where it has that command. Without,
/// they are checked in this process. Local.
void check_with(std::string program);

/// "run.h5: dmoe-run, whole, 41 datasets, 52.1 kB", a line. Throws InputError. Local.
std::string checked_here(const std::string& path, io::Foreign foreign);

/// Throws InputError where a file of dmoe (or any HDF5 file, where foreign ones are allowed) is not whole:
/// `dmoe check` in a child process, with limits on memory and time, reads all of it first. The HDF5 library
/// itself crashes on some damaged files. Returns the line that it says of a whole one. Local.
std::string check_in_child(const std::string& path, io::Foreign foreign = io::Foreign::refuse);

/// The same for any HDF5 file; nothing where it is another file, or there is none. Local.
void check_in_child_if_hdf5(const std::string& path);

}  // namespace dmoe::run
