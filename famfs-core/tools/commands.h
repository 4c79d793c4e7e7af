// One Add function for each subcommand of `famfs`, in a file of its own. Each
// adds the subcommand to `app`; when it is the one given, the parse runs it and
// its outcome goes to `exit`.
#pragma once

#include "tools/context.h"

namespace famfs {

void AddMkfs(CLI::App& app, ExitCode& exit);
void AddDevadd(CLI::App& app, ExitCode& exit);
void AddFsck(CLI::App& app, ExitCode& exit);
void AddDump(CLI::App& app, ExitCode& exit);
void AddLs(CLI::App& app, ExitCode& exit);
void AddMkdir(CLI::App& app, ExitCode& exit);
void AddCreat(CLI::App& app, ExitCode& exit);
void AddCp(CLI::App& app, ExitCode& exit);
void AddExport(CLI::App& app, ExitCode& exit);
void AddImport(CLI::App& app, ExitCode& exit);
void AddVerify(CLI::App& app, ExitCode& exit);
void AddStat(CLI::App& app, ExitCode& exit);
void AddDf(CLI::App& app, ExitCode& exit);
void AddMap(CLI::App& app, ExitCode& exit);
void AddHosts(CLI::App& app, ExitCode& exit);
void AddEvict(CLI::App& app, ExitCode& exit);
void AddDu(CLI::App& app, ExitCode& exit);
void AddLogplay(CLI::App& app, ExitCode& exit);
void AddCompact(CLI::App& app, ExitCode& exit);
void AddFlush(CLI::App& app, ExitCode& exit);
void AddChkread(CLI::App& app, ExitCode& exit);
void AddMount(CLI::App& app, ExitCode& exit);
void AddUmount(CLI::App& app, ExitCode& exit);

}  // namespace famfs
