#!/usr/bin/env python3
"""A numpy array in shared memory: one pod fills it, others on any node map it.

    numpy_shared.py write FILE ROWS COLUMNS   fills the array, then says so
    numpy_shared.py read FILE                 waits for it, maps it, prints sums

FILE is a volume's `data`. It has the claim's size for life, so it is opened
"r+" and never truncated. The first page tells readers what is there; it is
written last.
"""
import mmap
import sys
import time

import numpy as np

PAGE = 4096
HEADER = np.dtype([("ready", "<u8"), ("rows", "<u8"), ("columns", "<u8")])
READY = 0x1A7A_F111


def write(path, rows, columns):
    header = np.memmap(path, dtype=HEADER, mode="r+", shape=(1,))
    header["ready"] = 0
    array = np.memmap(path, dtype=np.float32, mode="r+", offset=PAGE, shape=(rows, columns))
    for row in range(rows):
        array[row] = np.arange(columns, dtype=np.float32) + row
    array.flush()
    header["rows"], header["columns"] = rows, columns
    header["ready"] = READY
    header.flush()
    print(f"wrote {array.nbytes >> 20} MiB, sum {array.sum(dtype=np.float64):.0f}")


def read(path):
    header = np.memmap(path, dtype=HEADER, mode="r", shape=(1,))
    while header["ready"][0] != READY:
        time.sleep(0.1)
    shape = int(header["rows"][0]), int(header["columns"][0])
    # No copy: the array is the memory that the other pod has written.
    array = np.memmap(path, dtype=np.float32, mode="r", offset=PAGE, shape=shape)
    array._mmap.madvise(mmap.MADV_WILLNEED)
    print(f"mapped {array.nbytes >> 20} MiB, sum {array.sum(dtype=np.float64):.0f}", flush=True)


def main():
    match sys.argv[1:]:
        case ["write", path, rows, columns]:
            write(path, int(rows), int(columns))
        case ["read", path]:
            read(path)
        case _:
            sys.exit(__doc__)


main()
