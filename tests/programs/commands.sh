#!/usr/bin/env bash
# Small real uses of commands, on a directory of a tree volume.
#
#   commands.sh list
#   commands.sh write NAME DIRECTORY    on one node
#   commands.sh read NAME DIRECTORY     on another one, afterwards
set -euo pipefail

# A tree of files of many sizes, the same in every run.
sample() {
  local to=$1 i
  mkdir -p "$to/a/b" "$to/empty"
  for i in $(seq 1 20); do
    head -c $((i * i * 1777)) /dev/zero | openssl enc -aes-128-ctr -K 00 -iv "$(printf %032d "$i")" \
      >"$to/a/f$i" 2>/dev/null
  done
  cp "$to/a/f7" "$to/a/b/copy"
  : >"$to/a/nothing"
  ln -s a/f3 "$to/link"
  chmod 0640 "$to/a/f1"
  touch -d '2001-02-03 04:05:06' "$to/a/f2"
}

same_as_sample() {
  local there=$1 here
  here=$(mktemp -d)
  sample "$here/s"
  diff -r --no-dereference "$here/s" "$there"
  [[ $(stat -c %a "$there/a/f1") == 640 ]]
  [[ $(stat -c %Y "$there/a/f2") == $(stat -c %Y "$here/s/a/f2") ]]
  rm -rf "$here"
}

from_sample() {
  local here status=0
  here=$(mktemp -d)
  sample "$here/s"
  (cd "$here" && "$@") || status=$?
  rm -rf "$here"
  return "$status"
}

write_cp() { from_sample cp -a s "$1/s"; }
read_cp() { same_as_sample "$1/s"; }

# Twice: the second time nothing differs.
rsync_twice() {
  rsync -a s/ "$1"
  [[ -z $(rsync -ai s/ "$1") ]]
}
write_rsync() { from_sample rsync_twice "$1/s"; }
read_rsync() { same_as_sample "$1/s"; }

write_rsync_inplace() { from_sample rsync -a --inplace s/ "$1/s"; }
read_rsync_inplace() { same_as_sample "$1/s"; }

write_rsync_sparse() { from_sample rsync -a --sparse s/ "$1/s"; }
read_rsync_sparse() { same_as_sample "$1/s"; }

write_tar() {
  local here i
  here=$(mktemp -d)
  for i in $(seq 500); do echo "file $i" >"$here/f$i"; done
  tar -C "$here" -cf "$here.tar" .
  mkdir "$1/t"
  tar -C "$1/t" -xf "$here.tar"
  rm -rf "$here" "$here.tar"
}
read_tar() {
  [[ $(find "$1/t" -type f | wc -l) == 500 ]]
  [[ $(cat "$1/t/f499") == "file 499" ]]
}

write_git() {
  local here
  here=$(mktemp -d)
  git -C "$here" init -q
  (cd "$here" && for i in $(seq 200); do echo "$i" >"f$i"; done)
  git -C "$here" add .
  git -C "$here" -c user.name=a -c user.email=a@b commit -qm one
  git clone -q "$here" "$1/repo"
  git -C "$1/repo" status --short
  echo more >>"$1/repo/f1"
  git -C "$1/repo" -c user.name=a -c user.email=a@b commit -qam two
  git -C "$1/repo" gc -q
  rm -rf "$here"
}
read_git() {
  git config --global --add safe.directory "$1/repo"
  git -C "$1/repo" --no-optional-locks status --short
  [[ $(git -C "$1/repo" log --oneline | wc -l) == 2 ]]
  git -C "$1/repo" fsck --no-progress
}

write_rocksdb() {
  mkdir "$1/rocks"
  for i in $(seq 200); do echo "key$i ==> value$i"; done |
    ldb --db="$1/rocks" --create_if_missing load >/dev/null
  ldb --db="$1/rocks" put last one >/dev/null
}
read_rocksdb() {
  [[ $(ldb --db="$1/rocks" --secondary_path="$(mktemp -d)" get key77) == value77 ]]
  [[ $(ldb --db="$1/rocks" --secondary_path="$(mktemp -d)" get last) == one ]]
}

fio_job() {
  local engine=$1 directory=$2
  shift 2
  fio --name=job --directory="$directory" --ioengine="$engine" --rw=randwrite --bs=4k \
    --size=8m --verify=crc32c --do_verify=1 --verify_fatal=1 --minimal "$@" >/dev/null
}
write_fio_psync() { fio_job psync "$1"; }
read_fio_psync() { [[ $(stat -c %s "$1"/job.0.0) == 8388608 ]]; }
write_fio_mmap() { fio_job mmap "$1"; }
read_fio_mmap() { [[ $(stat -c %s "$1"/job.0.0) == 8388608 ]]; }
write_fio_io_uring() { fio_job io_uring "$1" --iodepth=8; }
read_fio_io_uring() { [[ $(stat -c %s "$1"/job.0.0) == 8388608 ]]; }
write_fio_direct() { fio_job psync "$1" --direct=1; }
read_fio_direct() { [[ $(stat -c %s "$1"/job.0.0) == 8388608 ]]; }

write_dd() {
  dd if=/dev/zero of="$1/zeros" bs=1M count=5 status=none
  printf tail | dd of="$1/zeros" bs=1 seek=5242880 conv=notrunc status=none
  dd if=/dev/zero of="$1/sparse" bs=1 count=1 seek=3000000 status=none
}
read_dd() {
  [[ $(stat -c %s "$1/zeros") == 5242884 && $(tail -c 4 "$1/zeros") == tail ]]
  [[ $(stat -c %s "$1/sparse") == 3000001 && $(tr -d '\0' <"$1/sparse" | wc -c) == 0 ]]
}

write_truncate() {
  echo "some text" >"$1/f"
  truncate -s 4M "$1/f"
  truncate -s 4 "$1/f"
  truncate -s 10 "$1/f"
}
read_truncate() { [[ $(od -An -c "$1/f" | tr -d ' \n') == 'some\0\0\0\0\0\0' ]]; }

write_fallocate() {
  fallocate -l 3M "$1/f"
  fallocate -n -l 6M "$1/f"
  printf %s abcdefgh | dd of="$1/f" bs=4096 seek=1 conv=notrunc status=none
  fallocate -p -o 4098 -l 2 "$1/f"
}
read_fallocate() {
  [[ $(stat -c %s "$1/f") == 3145728 ]]
  [[ $(dd if="$1/f" bs=4096 skip=1 count=1 status=none | head -c 8 | od -An -c | tr -d ' \n') == 'ab\0\0efgh' ]]
}

case $1 in
list) declare -F | sed -n 's/^declare -f write_//p' ;;
write)
  mkdir "$3"
  "write_$2" "$3"
  ;;
read) "read_$2" "$3" ;;
esac
