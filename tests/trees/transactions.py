"""Rollback transactions on a SQLite database until standard input ends.

Prints how many there were. Every transaction moves an amount from one row to
another one, so their sum stays; the journal is made and removed each time.
"""

import random
import select
import sqlite3
import sys

ROWS = 200
SUM = ROWS * 100


def main() -> int:
    path, seed = sys.argv[1], int(sys.argv[2])
    chance = random.Random(seed)
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("pragma journal_mode = delete")
    database.execute("pragma synchronous = full")
    database.execute("create table account (id integer primary key, amount int, note text)")
    database.executemany("insert into account values (?, 100, ?)", [(i, "n" * 500) for i in range(ROWS)])
    count = 0
    while not select.select([sys.stdin], [], [], 0)[0]:
        a, b = chance.sample(range(ROWS), 2)
        database.execute("begin immediate")
        database.execute("update account set amount = amount - 1 where id = ?", (a,))
        database.execute("update account set amount = amount + 1 where id = ?", (b,))
        if count % 10 == 9:
            database.execute("rollback")
        else:
            database.execute("commit")
        count += 1
    (total,) = database.execute("select sum(amount) from account").fetchone()
    (sound,) = database.execute("pragma integrity_check").fetchone()
    print(count)
    return 0 if total == SUM and sound == "ok" else 1


if __name__ == "__main__":
    sys.exit(main())
