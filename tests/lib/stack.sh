# shellcheck shell=bash
# A controller and nodes on this machine, and a volume published on each of them,
# for suites that run programs on volumes. Behind tests/lib/suite.sh.
#
#   stack_up KIND       emulated or image; KIND decides the data path
#   stack_volume SIZE   a tree volume of SIZE bytes; on node a at $MOUNT_A, on
#                       node b, where there is one, at $MOUNT_B
#   in_node a COMMAND   in the mount namespace of that node
#   stack_down          ends all of it; also called when the suite ends
#
# Over the data path copy only one node may write: then b gets a read-only
# publication.

STACK=
STACK_PIDS=()
declare -A NODE_PID

stack_call() {
  "$BUILD/bin/famfs-csi-call" "unix://$STACK/$1.sock" "$2" "${3:-"{}"}"
}

stack_wait() {
  "$BUILD/bin/famfs-csi-call" --timeout 20 "unix://$STACK/$1.sock" Probe >/dev/null && return
  tail -n 20 "$STACK/logs/$1" >&2
  return 1
}

stack_up() {
  local kind=$1 node device
  STACK=$(mktemp -d /tmp/famfs-stack.XXXXXX)
  mkdir -p "$STACK"/{memory,logs,a,b}
  mount -t tmpfs -o size=6g,mode=0755 famfs-stack "$STACK/memory"
  device=$kind:$STACK/memory/device
  export FAMFS_SYSTEM_UUID_FILE=$STACK/system_uuid
  STACK_KIND=$kind
  "$BUILD/bin/famfs" mkfs "$device" --size 4G >"$STACK/logs/mkfs" 2>&1
  printf 'pools: [{name: p, device: "%s"}]\ndefaults: {layout: tree}\n' "$device" \
    >"$STACK/config.yaml"
  "$BUILD/bin/famfs-csi-controller" --config "$STACK/config.yaml" \
    --endpoint "unix://$STACK/controller.sock" >"$STACK/logs/controller" 2>&1 &
  STACK_PIDS+=($!)
  stack_wait controller
  for node in a b; do
    unshare --mount --propagation private "$BUILD/bin/famfs-csi-node" \
      --config "$STACK/config.yaml" --endpoint "unix://$STACK/$node.sock" \
      --node-id "$node" --kubelet-path "$STACK/$node" >"$STACK/logs/$node" 2>&1 &
    NODE_PID[$node]=$!
    STACK_PIDS+=($!)
    stack_wait "$node"
  done
}

in_node() {
  local node=$1
  shift
  nsenter --target "${NODE_PID[$node]}" --mount "$@"
}

stack_publish() {
  local node=$1 id=$2 mode=$3 readonly=$4 target=$5 request
  mkdir -p "$STACK/$node/staging/$id" "$(dirname "$target")"
  request=$(jq -n --arg id "$id" --arg staging "$STACK/$node/staging/$id" --arg mode "$mode" \
    '{volumeId: $id, stagingTargetPath: $staging,
      volumeCapability: {mount: {}, accessMode: {mode: $mode}}}')
  stack_call "$node" NodeStageVolume "$request" >/dev/null
  request=$(jq --arg target "$target" --argjson readonly "$readonly" \
    '. + {targetPath: $target, readonly: $readonly}' <<<"$request")
  stack_call "$node" NodePublishVolume "$request" >/dev/null
}

# shellcheck disable=SC2034  # for the suites
stack_volume() {
  local bytes=$1 mode=MULTI_NODE_MULTI_WRITER readonly=false id name
  if [[ $STACK_KIND != emulated ]]; then
    mode=SINGLE_NODE_MULTI_WRITER
    readonly=true
  fi
  name=pvc-$RANDOM$RANDOM
  id=$(stack_call controller CreateVolume "$(jq -n --arg name "$name" --arg bytes "$bytes" \
    --arg mode "$mode" '{name: $name, capacityRange: {requiredBytes: $bytes},
      volumeCapabilities: [{mount: {}, accessMode: {mode: $mode}}]}')" | jq -r .volume.volumeId)
  MOUNT_A=$STACK/a/pods/$name/mount
  MOUNT_B=$STACK/b/pods/$name/mount
  stack_publish a "$id" "$mode" false "$MOUNT_A"
  stack_publish b "$id" "$mode" "$readonly" "$MOUNT_B"
}

stack_down() {
  [[ -n $STACK ]] || return 0
  local pid
  for pid in "${STACK_PIDS[@]}"; do kill "$pid" 2>/dev/null || true; done
  # Servers outlive the plugins on purpose.
  for pid in $(pgrep -f "$STACK"); do
    kill "$pid" 2>/dev/null || true
  done
  wait "${STACK_PIDS[@]}" 2>/dev/null || true
  umount "$STACK/memory" 2>/dev/null || umount -l "$STACK/memory" || true
  rm -rf "$STACK"
  STACK=
  STACK_PIDS=()
}
