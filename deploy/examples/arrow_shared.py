#!/usr/bin/env python3
"""An Arrow table in shared memory: readers get its columns without a copy.

    arrow_shared.py write FILE ROWS   writes the table, then says so
    arrow_shared.py read FILE         waits for it, maps it, sums a column

FILE is a volume's `data`. It has the claim's size for life, so the table is an
Arrow *stream*, which ends where its end marker stands, not where the file ends.
"""
import mmap
import struct
import sys
import time

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

PAGE = 4096
READY = 0x1A7A_F112


def mapping(path, mode):
    with open(path, mode) as file:
        access = mmap.ACCESS_READ if mode == "rb" else mmap.ACCESS_WRITE
        return mmap.mmap(file.fileno(), 0, access=access)


def write(path, rows):
    memory = mapping(path, "r+b")
    struct.pack_into("<Q", memory, 0, 0)
    table = pa.table({
        "id": pa.array(range(rows), pa.int64()),
        "value": pa.array((i * 0.5 for i in range(rows)), pa.float64()),
    })
    sink = pa.FixedSizeBufferWriter(pa.py_buffer(memoryview(memory)[PAGE:]))
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    struct.pack_into("<Q", memory, 0, READY)
    print(f"wrote {rows} rows, sum {pc.sum(table['value']).as_py():.1f}")


def read(path):
    memory = mapping(path, "rb")
    while struct.unpack_from("<Q", memory, 0)[0] != READY:
        time.sleep(0.1)
    source = pa.memory_map(path, "r")
    source.seek(PAGE)
    before = pa.total_allocated_bytes()
    table = pa.ipc.open_stream(source).read_all()
    copied = pa.total_allocated_bytes() - before
    print(f"mapped {table.num_rows} rows, copied {copied} bytes, "
          f"sum {pc.sum(table['value']).as_py():.1f}", flush=True)


def main():
    match sys.argv[1:]:
        case ["write", path, rows]:
            write(path, int(rows))
        case ["read", path]:
            read(path)
        case _:
            sys.exit(__doc__)


main()
