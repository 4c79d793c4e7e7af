{{/*
Names. Everything in the cluster is called after the release, so that two
releases with different driver names stand side by side.
*/}}
{{- define "famfs-csi.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "famfs-csi.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "famfs-csi.controllerName" -}}
{{ include "famfs-csi.fullname" . }}-controller
{{- end -}}

{{- define "famfs-csi.nodeName" -}}
{{ include "famfs-csi.fullname" . }}-node
{{- end -}}

{{/*
What selects pods, and therefore never changes: no user's label, no version.
Call with (dict "root" $ "component" "controller").
*/}}
{{- define "famfs-csi.selectorLabels" -}}
app.kubernetes.io/name: {{ include "famfs-csi.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "famfs-csi.labels" -}}
{{- $ours := include "famfs-csi.selectorLabels" . | fromYaml -}}
{{- $_ := set $ours "app.kubernetes.io/version" (.root.Chart.AppVersion | toString) -}}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $ours "app.kubernetes.io/part-of" "famfs-csi" -}}
{{- $_ := set $ours "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- toYaml (merge $ours .root.Values.customLabels) -}}
{{- end -}}

{{- define "famfs-csi.controllerServiceAccount" -}}
{{- default (ternary (include "famfs-csi.controllerName" .) "default" .Values.controller.serviceAccount.create) .Values.controller.serviceAccount.name -}}
{{- end -}}

{{- define "famfs-csi.nodeServiceAccount" -}}
{{- default (ternary (include "famfs-csi.nodeName" .) "default" .Values.node.serviceAccount.create) .Values.node.serviceAccount.name -}}
{{- end -}}

{{/*
An image's name. Call with (dict "root" $ "image" .Values.image); our own image
has no tag of its own and takes the chart's appVersion.
*/}}
{{- define "famfs-csi.image" -}}
{{- $registry := default .image.registry .root.Values.global.imageRegistry -}}
{{- $name := .image.repository -}}
{{- if $registry -}}
{{- $name = printf "%s/%s" (trimSuffix "/" $registry) $name -}}
{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $name .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (default .root.Chart.AppVersion .image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "famfs-csi.imagePullSecrets" -}}
{{- $secrets := list -}}
{{- range concat .Values.global.imagePullSecrets .Values.imagePullSecrets -}}
{{- $secrets = append $secrets (kindIs "string" . | ternary (dict "name" .) .) -}}
{{- end -}}
{{- if $secrets -}}
imagePullSecrets:
{{ toYaml $secrets }}
{{- end -}}
{{- end -}}

{{/* Where a sidecar listens, of bindAddress: Go takes an empty host for every
address of what the machine has, and [::] for IPv6 alone where there is no IPv6. */}}
{{- define "famfs-csi.sidecarHost" -}}
{{- ternary "" .Values.bindAddress (eq .Values.bindAddress "[::]") -}}
{{- end -}}

{{/* The address of the controller's metrics inside the namespace, for a
container's args. The Service's environment variable, since clusters without DNS
exist; its value is tcp://ADDRESS:PORT. */}}
{{- define "famfs-csi.metricsAddress" -}}
$({{ include "famfs-csi.controllerName" . | upper | replace "-" "_" }}_PORT_{{ .Values.controller.httpPort }}_TCP)
{{- end -}}
