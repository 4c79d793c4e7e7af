{{/*
The driver's configuration file and what the pools in it mean for pods: which
directories they need, and who may open devices.
*/}}

{{/* One uuid for a driver and a pool, whatever node the controller runs on: the
owner that it writes into the pool's superblock. */}}
{{- define "famfs-csi.systemUuid" -}}
{{- $hash := sha256sum (printf "%s/%s" .driver .pool) -}}
{{- printf "%s-%s-8%s-8%s-%s" (substr 0 8 $hash) (substr 8 12 $hash) (substr 13 16 $hash) (substr 17 20 $hash) (substr 20 32 $hash) -}}
{{- end -}}

{{/* A number as people write it: Helm reads each as a float, and 8589934592 would
become 8.589934592e+09. */}}
{{- define "famfs-csi.number" -}}
{{- kindIs "float64" . | ternary (. | int64 | toString) (. | toString) -}}
{{- end -}}

{{/* The file itself. Call with (dict "root" $ "pools" LIST). */}}
{{- define "famfs-csi.config" -}}
{{- $values := .root.Values -}}
{{- $pools := list -}}
{{- range .pools -}}
{{- $pool := omit . "devices" "deviceNodes" "systemUuid" "emulated" "logLength" -}}
{{- if .logLength -}}
{{- $_ := set $pool "logLength" (include "famfs-csi.number" .logLength) -}}
{{- end -}}
{{- if .devices -}}
{{- $_ := set $pool "devices" .devices -}}
{{- end -}}
{{- with .emulated -}}
{{- $emulated := omit . "hosts" "size" -}}
{{- $_ := set $emulated "size" (include "famfs-csi.number" .size) -}}
{{- if .hosts -}}
{{- $_ := set $emulated "hosts" .hosts -}}
{{- end -}}
{{- $_ := set $pool "emulated" $emulated -}}
{{- end -}}
{{- $_ := set $pool "systemUuid" (default (include "famfs-csi.systemUuid" (dict "driver" $values.driverName "pool" .name)) .systemUuid) -}}
{{- $pools = append $pools $pool -}}
{{- end -}}
{{- $defaults := omit $values.defaults "pool" -}}
{{- $_ := set $defaults "uid" (include "famfs-csi.number" $values.defaults.uid | int64) -}}
{{- $_ := set $defaults "gid" (include "famfs-csi.number" $values.defaults.gid | int64) -}}
{{- range .pools -}}
{{- if eq .name $values.defaults.pool -}}
{{- $_ := set $defaults "pool" .name -}}
{{- end -}}
{{- end -}}
{{- $config := dict
  "driver" (dict "name" $values.driverName "kubeletPath" $values.kubeletPath)
  "log" (dict "format" $values.log.format "level" $values.log.level)
  "pools" $pools
  "defaults" $defaults
  "controller" (dict "reclaimInterval" $values.controller.reclaimInterval) -}}
{{- toYaml $config -}}
{{- end -}}

{{/* Mistakes that a schema cannot see. Says them all at once. */}}
{{- define "famfs-csi.checkPools" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $wrong := list -}}
{{- $names := list -}}
{{- $devices := list -}}
{{- if not .pools -}}
{{- $wrong = append $wrong (printf "%s is empty: name the memory that volumes are made of, for example --set 'pools[0].name=trial,pools[0].device=emulated:/dev/shm/famfs-csi/trial,pools[0].format=if-blank,pools[0].emulated.size=4G' (docs/install.md)" .where) -}}
{{- end -}}
{{- range .pools -}}
{{- if has .name $names -}}
{{- $wrong = append $wrong (printf "%s has two pools called %q" $.where .name) -}}
{{- end -}}
{{- $names = append $names .name -}}
{{- $pool := .name -}}
{{- range concat (list .device) (.devices | default list) -}}
{{- $path := include "famfs-csi.devicePath" . -}}
{{- if has $path $devices -}}
{{- $wrong = append $wrong (printf "pool %q: the device %s is named twice" $pool .) -}}
{{- end -}}
{{- $devices = append $devices $path -}}
{{- if and (ne (include "famfs-csi.isDevdax" .) "true") (eq (dir $path) "/") -}}
{{- $wrong = append $wrong (printf "pool %q: %s lies directly below /: pods mount the directory above it, so put it one level deeper" $pool .) -}}
{{- end -}}
{{- end -}}
{{- if and .deviceNodes (ne (include "famfs-csi.anyDevdax" (dict "pools" (list .))) "true") -}}
{{- $wrong = append $wrong (printf "pool %q has deviceNodes, but none of its devices is a dax device" $pool) -}}
{{- end -}}
{{- if not .deviceNodes -}}
{{- range concat (list .device) (.devices | default list) -}}
{{- if hasPrefix "tag:" . -}}
{{- $wrong = append $wrong (printf "pool %q: say by deviceNodes what pods mount for %s: the device's path on these nodes, such as [/dev/dax0.0], or [/dev] where its name is not known" $pool .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .emulated (not (hasPrefix "emulated:" .device)) -}}
{{- $wrong = append $wrong (printf "pool %q has emulated settings, but its device is %s: write emulated:/DIRECTORY" $pool .device) -}}
{{- end -}}
{{- if and .emulated (ne (default "" .format) "if-blank") -}}
{{- $wrong = append $wrong (printf "pool %q has emulated settings, so the controller is to make it: write format: if-blank" $pool) -}}
{{- end -}}
{{- end -}}
{{- if eq .where "pools" -}}
{{- if and $values.defaults.pool (not (has $values.defaults.pool $names)) -}}
{{- $wrong = append $wrong (printf "defaults.pool is %q, which is none of pools: %s" $values.defaults.pool (join ", " $names)) -}}
{{- end -}}
{{- else -}}
{{- $known := list -}}
{{- range $values.pools -}}
{{- $known = append $known .name -}}
{{- end -}}
{{- range $names -}}
{{- if not (has . $known) -}}
{{- $wrong = append $wrong (printf "%s has a pool %q that pools does not have, so the controller would not know it; there are %s" $.where . (join ", " $known)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if $wrong -}}
{{- fail (printf "\n\nfamfs-csi: %s\n" (join "\nfamfs-csi: " $wrong)) -}}
{{- end -}}
{{- end -}}

{{/* "emulated:/var/lib/memory/a" -> "/var/lib/memory/a"; a tag stays one. */}}
{{- define "famfs-csi.devicePath" -}}
{{- hasPrefix "tag:" . | ternary (lower .) . | trimPrefix "emulated:" | trimPrefix "image:" | trimPrefix "devdax:" | clean -}}
{{- end -}}

{{/* "true" for a character device, which only a privileged container may open. */}}
{{- define "famfs-csi.isDevdax" -}}
{{- or (hasPrefix "devdax:" .) (hasPrefix "/dev/dax" .) (hasPrefix "tag:" .) -}}
{{- end -}}

{{- define "famfs-csi.anyDevdax" -}}
{{- $any := false -}}
{{- range .pools -}}
{{- range concat (list .device) (.devices | default list) -}}
{{- if eq (include "famfs-csi.isDevdax" .) "true" -}}
{{- $any = true -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $any -}}
{{- end -}}

{{/* The directories above emulated devices and image files, as a JSON list. They
are mounted, not the devices themselves, which need not exist yet. */}}
{{- define "famfs-csi.directories" -}}
{{- $directories := list -}}
{{- range .pools -}}
{{- range concat (list .device) (.devices | default list) -}}
{{- if ne (include "famfs-csi.isDevdax" .) "true" -}}
{{- $directories = append $directories (dir (include "famfs-csi.devicePath" .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $directories | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* What pods mount of the host's /dev, as a JSON list: the nodes of the devices
that are named by path, or what deviceNodes says; /dev alone where it is among
them. */}}
{{- define "famfs-csi.deviceNodes" -}}
{{- $nodes := list -}}
{{- range .pools -}}
{{- if .deviceNodes -}}
{{- $nodes = concat $nodes .deviceNodes -}}
{{- else -}}
{{- range concat (list .device) (.devices | default list) -}}
{{- if eq (include "famfs-csi.isDevdax" .) "true" -}}
{{- $nodes = append $nodes (include "famfs-csi.devicePath" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- has "/dev" $nodes | ternary (list "/dev") ($nodes | uniq | sortAlpha) | toJson -}}
{{- end -}}

{{- define "famfs-csi.poolVolumes" -}}
{{- range include "famfs-csi.directories" . | fromJsonArray }}
- name: memory-{{ sha256sum . | trunc 8 }}
  hostPath:
    path: {{ . | quote }}
    type: DirectoryOrCreate
{{- end }}
{{- range include "famfs-csi.deviceNodes" . | fromJsonArray }}
- name: device-{{ sha256sum . | trunc 8 }}
  hostPath:
    path: {{ . | quote }}
    type: {{ eq . "/dev" | ternary "Directory" "CharDevice" }}
{{- end }}
{{- end -}}

{{- define "famfs-csi.poolVolumeMounts" -}}
{{- range include "famfs-csi.directories" . | fromJsonArray }}
- name: memory-{{ sha256sum . | trunc 8 }}
  mountPath: {{ . | quote }}
  mountPropagation: HostToContainer
{{- end }}
{{- range include "famfs-csi.deviceNodes" . | fromJsonArray }}
- name: device-{{ sha256sum . | trunc 8 }}
  mountPath: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* The nodes that see every emulated pool, as a JSON list; empty when no pool
is limited to hosts. The controller has to run on one of them. */}}
{{- define "famfs-csi.controllerHosts" -}}
{{- $limited := false -}}
{{- $hosts := list -}}
{{- range .Values.pools -}}
{{- $these := (.emulated | default dict).hosts | default list -}}
{{- if $these -}}
{{- if $limited -}}
{{- $both := list -}}
{{- range $hosts -}}
{{- if has . $these -}}
{{- $both = append $both . -}}
{{- end -}}
{{- end -}}
{{- $hosts = $both -}}
{{- else -}}
{{- $limited = true -}}
{{- $hosts = $these | uniq -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $hosts | toJson -}}
{{- end -}}
