"""Small real uses of Python packages, on a directory of a tree volume.

    wheels.py list
    wheels.py write NAME DIRECTORY    on one node
    wheels.py read NAME DIRECTORY     on another one, afterwards

Each has a writer and a reader that knows what must be there.
"""

import json
import mmap
import os
import sys
from pathlib import Path

PROGRAMS = {}


def program(name):
    """Registers a class with write(directory) and read(directory)."""

    def add(cls):
        PROGRAMS[name] = cls
        return cls

    return add


@program("numpy_memmap")
class NumpyMemmap:
    """A memory map made by w+: create, truncate up, map, store at once."""

    @staticmethod
    def write(directory):
        import numpy as np

        array = np.memmap(directory / "array", dtype="float64", mode="w+", shape=(1000, 1000))
        array[:] = np.arange(1_000_000, dtype="float64").reshape(1000, 1000)
        array.flush()

    @staticmethod
    def read(directory):
        import numpy as np

        array = np.memmap(directory / "array", dtype="float64", mode="r", shape=(1000, 1000))
        assert array[0, 0] == 0 and array[999, 999] == 999_999
        assert array.sum() == 999_999 * 500_000


@program("numpy_save")
class NumpySave:
    @staticmethod
    def write(directory):
        import numpy as np

        np.save(directory / "array.npy", np.arange(123_457))
        np.savez(directory / "arrays.npz", a=np.ones(10), b=np.zeros((3, 3)))

    @staticmethod
    def read(directory):
        import numpy as np

        assert (np.load(directory / "array.npy", mmap_mode="r") == np.arange(123_457)).all()
        with np.load(directory / "arrays.npz") as arrays:
            assert arrays["a"].sum() == 10 and arrays["b"].shape == (3, 3)


@program("pyarrow_memory_map")
class PyarrowMemoryMap:
    @staticmethod
    def write(directory):
        import pyarrow as pa

        with pa.create_memory_map(str(directory / "map"), 1_000_000) as target:
            target.write(bytes(range(256)) * 3906)

    @staticmethod
    def read(directory):
        import pyarrow as pa

        with pa.memory_map(str(directory / "map"), "r") as source:
            assert source.size() == 1_000_000
            assert source.read(512) == bytes(range(256)) * 2


@program("pyarrow_ipc")
class PyarrowIpc:
    @staticmethod
    def write(directory):
        import pyarrow as pa

        table = pa.table({"n": list(range(100_000)), "s": [str(i) for i in range(100_000)]})
        sink = pa.OSFile(str(directory / "table.arrow"), "wb")
        with sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)

    @staticmethod
    def read(directory):
        import pyarrow as pa

        with pa.memory_map(str(directory / "table.arrow"), "r") as source:
            table = pa.ipc.open_file(source).read_all()
        assert table.num_rows == 100_000
        assert table["s"][99_999].as_py() == "99999"


@program("pyarrow_parquet")
class PyarrowParquet:
    @staticmethod
    def write(directory):
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"n": list(range(200_000))}), directory / "n.parquet")

    @staticmethod
    def read(directory):
        import pyarrow.parquet as pq

        table = pq.read_table(directory / "n.parquet", memory_map=True)
        assert sum(table["n"].to_pylist()) == 199_999 * 100_000


@program("duckdb")
class Duckdb:
    """A parquet file, and a database of its own with a write-ahead log."""

    @staticmethod
    def write(directory):
        import duckdb

        with duckdb.connect(str(directory / "duck.db")) as db:
            db.execute("create table t as select range as n from range(100000)")
            db.execute(f"copy t to '{directory / 't.parquet'}' (format parquet)")

    @staticmethod
    def read(directory):
        import duckdb

        with duckdb.connect(str(directory / "duck.db"), read_only=True) as db:
            assert db.execute("select sum(n) from t").fetchone() == (4_999_950_000,)
            query = f"select count(*) from '{directory / 't.parquet'}'"
            assert db.execute(query).fetchone() == (100_000,)


@program("h5py")
class H5py:
    @staticmethod
    def write(directory):
        import h5py
        import numpy as np

        with h5py.File(directory / "data.h5", "w") as file:
            file.create_dataset("x", data=np.arange(50_000), chunks=True, compression="gzip")
            file.create_group("g").attrs["name"] = "a group"

    @staticmethod
    def read(directory):
        import h5py

        with h5py.File(directory / "data.h5", "r") as file:
            assert file["x"][-1] == 49_999
            assert file["g"].attrs["name"] == "a group"


@program("zarr")
class Zarr:
    """Many small files in directories, each written under a temporary name."""

    @staticmethod
    def write(directory):
        import numpy as np
        import zarr

        array = zarr.create_array(store=str(directory / "array.zarr"), shape=(400, 400), chunks=(100, 100), dtype="i4")
        array[:] = np.arange(160_000, dtype="i4").reshape(400, 400)

    @staticmethod
    def read(directory):
        import zarr

        array = zarr.open_array(store=str(directory / "array.zarr"), mode="r")
        assert array[399, 399] == 159_999


@program("safetensors")
class Safetensors:
    """Saved, and loaded as a framework does: a private, writable mapping."""

    @staticmethod
    def write(directory):
        import numpy as np
        from safetensors.numpy import save_file

        save_file(
            {"w": np.full((512, 512), 1.5, dtype="float32"), "b": np.zeros(7)},
            directory / "model.safetensors",
        )

    @staticmethod
    def read(directory):
        from safetensors import safe_open

        with safe_open(directory / "model.safetensors", framework="numpy") as tensors:
            assert (tensors.get_tensor("w") == 1.5).all()
        with open(directory / "model.safetensors", "rb") as file:
            view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            length = int.from_bytes(view[:8], "little")
            header = json.loads(view[8 : 8 + length])
            start = 8 + length + header["w"]["data_offsets"][0]
            before = bytes(view[start : start + 4])
            view[start : start + 4] = b"\xff\xff\xff\xff"
            assert file.read()[start : start + 4] == before


@program("lmdb")
class Lmdb:
    """A sparse map larger than the data, and readers' locks in a second file."""

    @staticmethod
    def write(directory):
        import lmdb

        with lmdb.open(str(directory / "lmdb"), map_size=16 << 20) as env:
            for batch in range(10):
                with env.begin(write=True) as transaction:
                    for i in range(100):
                        transaction.put(f"{batch}-{i}".encode(), bytes([batch]) * 200)

    @staticmethod
    def read(directory):
        import lmdb

        with lmdb.open(str(directory / "lmdb"), readonly=True, lock=False) as env, env.begin() as transaction:
            assert env.stat()["entries"] == 1000
            assert transaction.get(b"9-99") == b"\x09" * 200


def sqlite_write(path, journal):
    """Rows in transactions, one of them rolled back."""
    import sqlite3

    db = sqlite3.connect(path)
    assert db.execute(f"pragma journal_mode={journal}").fetchone()[0] == journal
    db.execute("create table t (n integer primary key, s text)")
    for batch in range(20):
        with db:
            db.executemany("insert into t values (?, ?)", [(batch * 50 + i, "x" * 100) for i in range(50)])
    db.execute("begin")
    db.execute("delete from t")
    db.rollback()
    assert db.execute("pragma integrity_check").fetchone() == ("ok",)
    db.close()


def sqlite_read(path):
    import sqlite3

    # Where nothing may be written, a database in WAL mode has to be told that
    # nobody else writes it either.
    still = "" if os.access(path.parent, os.W_OK) else "&immutable=1"
    db = sqlite3.connect(f"file:{path}?mode=ro{still}", uri=True)
    assert db.execute("select count(*), max(n) from t").fetchone() == (1000, 999)
    db.close()


@program("sqlite_rollback")
class SqliteRollback:
    @staticmethod
    def write(directory):
        sqlite_write(directory / "rollback.db", "delete")

    @staticmethod
    def read(directory):
        sqlite_read(directory / "rollback.db")


@program("sqlite_wal")
class SqliteWal:
    """The index of the write-ahead log is memory that processes share."""

    @staticmethod
    def write(directory):
        sqlite_write(directory / "wal.db", "wal")

    @staticmethod
    def read(directory):
        sqlite_read(directory / "wal.db")


@program("huggingface_cache")
class HuggingfaceCache:
    """The cache's layout: blobs, symbolic links, .incomplete renamed, locks."""

    @staticmethod
    def write(directory):
        from filelock import FileLock

        repo = directory / "hub" / "models--a--b"
        blobs, snapshot = repo / "blobs", repo / "snapshots" / "c0ffee"
        for path in (blobs, snapshot, repo / "refs", directory / "hub" / ".locks"):
            path.mkdir(parents=True, exist_ok=True)
        with FileLock(str(directory / "hub" / ".locks" / "blob.lock")):
            incomplete = blobs / "abc123.incomplete"
            with open(incomplete, "ab") as file:
                for _ in range(64):
                    file.write(os.urandom(16 << 10))
            os.replace(incomplete, blobs / "abc123")
        os.symlink(os.path.join("..", "..", "blobs", "abc123"), snapshot / "model.bin")
        (repo / "refs" / "main").write_text("c0ffee")

    @staticmethod
    def read(directory):
        from huggingface_hub import scan_cache_dir

        info = scan_cache_dir(directory / "hub")
        (repo,) = info.repos
        assert repo.repo_id == "a/b" and repo.size_on_disk == 1 << 20
        assert not info.warnings, info.warnings


def main():
    if sys.argv[1] == "list":
        print("\n".join(PROGRAMS))
        return
    name, directory = sys.argv[2], Path(sys.argv[3])
    if sys.argv[1] == "write":
        directory.mkdir()
        PROGRAMS[name].write(directory)
    else:
        PROGRAMS[name].read(directory)


if __name__ == "__main__":
    main()
