// One Add function for each subcommand of `famfs`, in a file of its own. Each
// adds the subcommand to `app`; when it is the one given, the parse runs it and
// its outcome goes to `exit`.
#pragma once

#include "tools/common/context.h"

namespace famfs {

void AddMkfs(Command& app, ExitCode& exit);
void AddDevadd(Command& app, ExitCode& exit);
void AddFsck(Command& app, ExitCode& exit);
void AddDump(Command& app, ExitCode& exit);
void AddLs(Command& app, ExitCode& exit);
void AddMkvol(Command& app, ExitCode& exit);
void AddRmvol(Command& app, ExitCode& exit);
void AddMkdir(Command& app, ExitCode& exit);
void AddCreat(Command& app, ExitCode& exit);
void AddCp(Command& app, ExitCode& exit);
void AddRm(Command& app, ExitCode& exit);
void AddMv(Command& app, ExitCode& exit);
void AddSymlink(Command& app, ExitCode& exit);
void AddExport(Command& app, ExitCode& exit);
void AddImport(Command& app, ExitCode& exit);
void AddVerify(Command& app, ExitCode& exit);
void AddStat(Command& app, ExitCode& exit);
void AddDf(Command& app, ExitCode& exit);
void AddMap(Command& app, ExitCode& exit);
void AddDevices(Command& app, ExitCode& exit);
void AddHosts(Command& app, ExitCode& exit);
void AddEvict(Command& app, ExitCode& exit);
void AddDu(Command& app, ExitCode& exit);
void AddLogplay(Command& app, ExitCode& exit);
void AddCompact(Command& app, ExitCode& exit);
void AddFlush(Command& app, ExitCode& exit);
void AddChkread(Command& app, ExitCode& exit);
void AddMount(Command& app, ExitCode& exit);
void AddUmount(Command& app, ExitCode& exit);

}  // namespace famfs
