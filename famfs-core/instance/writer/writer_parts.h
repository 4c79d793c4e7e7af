// The parts of a Writer. Each uses the state and those above it, never one
// below:
//
//   WriterState     the log, claims, promises, scrubbed space: what is, and the
//                   lock that guards it
//   Admission       which devices are used
//   Compactor       the log without what no longer counts
//   DeviceAdder     further devices
//   Reclamation     deleted space comes back
//   MemoryRefill    memory that programs gave away comes back
//   Creations       reserve, publish, give up
//   DoneNotes       what hosts asked for and is done
//   TreeChanges     what hosts ask for inside tree volumes
#pragma once

#include <string>

#include "instance/writer/admission.h"
#include "instance/writer/compactor.h"
#include "instance/writer/creations.h"
#include "instance/writer/device_adder.h"
#include "instance/writer/done_notes.h"
#include "instance/writer/memory_refill.h"
#include "instance/writer/reclamation.h"
#include "instance/writer/tree_changes.h"
#include "instance/writer/writer_state.h"

namespace famfs {

struct WriterParts {
  WriterParts(std::shared_ptr<DeviceSet> devices,
              std::unique_ptr<Layout> layout, WriterLock lock,
              const ThisHost& self, OwnedLog log,
              const std::string& lock_directory)
      : state(std::move(devices), std::move(layout), std::move(lock), self,
              std::move(log)),
        adder(state, admission, compactor, lock_directory) {}

  WriterState state;
  Admission admission{state};
  Compactor compactor{state};
  DeviceAdder adder;
  Reclamation reclamation{state, admission, compactor};
  MemoryRefill refill{state, admission};
  Creations creations{state, admission, reclamation};
  DoneNotes notes{state};
  TreeChanges trees{state, creations, reclamation};
};

}  // namespace famfs
