{{/*
The two pods. The controller's is written once, in controller.yaml; the node's
is here, since additionalDaemonSets are made from it, too.
*/}}

{{- define "famfs-csi.kubeletPath" -}}
{{- .Values.kubeletPath | clean -}}
{{- end -}}

{{- define "famfs-csi.pluginPath" -}}
{{ include "famfs-csi.kubeletPath" . }}/plugins/{{ .Values.driverName }}
{{- end -}}

{{/* What a pod may be told beyond its containers. Call with (dict "root" $
"pod" .Values.node). */}}
{{- define "famfs-csi.podSettings" -}}
{{- with .pod.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .pod.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- if .pod.hostNetwork }}
hostNetwork: true
{{- end }}
{{- with .pod.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .pod.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pod.initContainers }}
initContainers:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- $tolerations := .pod.tolerateAllTaints | ternary (list (dict "operator" "Exists")) .pod.tolerations }}
{{- with $tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ .pod.terminationGracePeriodSeconds }}
{{- end -}}

{{/* Probes of a driver's container; liveness may be asked elsewhere (the
livenessprobe sidecar): by number then, since kubelet knows names of the own
container's ports alone. Call with (dict "pod" .Values.node "livenessPort" PORT). */}}
{{- define "famfs-csi.probes" -}}
{{- with .pod.startupProbe }}
startupProbe:
  {{- toYaml . | nindent 2 }}
  httpGet: {path: /healthz, port: {{ $.livenessPort }}}
{{- end }}
{{- with .pod.livenessProbe }}
livenessProbe:
  {{- toYaml . | nindent 2 }}
  httpGet: {path: /healthz, port: {{ $.livenessPort }}}
{{- end }}
{{- with .pod.readinessProbe }}
readinessProbe:
  {{- toYaml . | nindent 2 }}
  httpGet: {path: /readyz, port: http}
{{- end }}
{{- end -}}

{{/* env, envFrom and resources of a container. Call with its values; "extra" is
a list of entries that stand first. */}}
{{- define "famfs-csi.environment" -}}
{{- $env := concat .extra (.container.env | default list) }}
{{- with $env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .container.envFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .container.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "famfs-csi.hostEnv" -}}
- name: FAMFS_HOST
  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
{{- end -}}

{{/* A node DaemonSet. Call with (dict "root" $ "node" VALUES "name" NAME
"component" LABEL "pools" LIST "key" KEY-OF-THE-CONFIGMAP). */}}
{{- define "famfs-csi.daemonSet" -}}
{{- $values := .root.Values -}}
{{- $kubelet := include "famfs-csi.kubeletPath" .root -}}
{{- $plugin := include "famfs-csi.pluginPath" .root -}}
{{- $ours := include "famfs-csi.image" (dict "root" .root "image" $values.image) -}}
{{- $fused := .node.fused | default dict -}}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "famfs-csi.labels" . | nindent 4 }}
spec:
  selector:
    matchLabels:
      {{- include "famfs-csi.selectorLabels" . | nindent 6 }}
  revisionHistoryLimit: {{ .node.revisionHistoryLimit }}
  updateStrategy:
    {{- toYaml .node.updateStrategy | nindent 4 }}
  template:
    metadata:
      labels:
        {{- include "famfs-csi.labels" . | nindent 8 }}
        famfs.csi/role: node
        {{- with .node.podLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        # Under OnDelete it restarts nothing; the DaemonSet's UP-TO-DATE column
        # tells which nodes still run with the configuration before.
        famfs.csi/configuration: {{ include "famfs-csi.config" (dict "root" .root "pools" .pools) | sha256sum | trunc 16 | quote }}
        kubectl.kubernetes.io/default-container: node
        {{- with .node.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "famfs-csi.nodeServiceAccount" .root }}
      automountServiceAccountToken: false
      {{- with include "famfs-csi.imagePullSecrets" .root | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with include "famfs-csi.podSettings" (dict "pod" .node) | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- with .node.affinity }}
      affinity:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: node
          image: {{ $ours }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          command: [famfs-csi-node]
          args:
            - --config=/etc/famfs-csi/config.yaml
            - --endpoint=unix://{{ $plugin }}/csi.sock
            - --node-id=$(FAMFS_HOST)
            - --kubelet-path={{ $kubelet }}
            - --fused-spawner=/run/famfs-fused/spawner.sock
            - --http-endpoint=tcp://{{ $values.bindAddress }}:{{ .node.httpPort }}
            - --registration={{ ternary "sidecar" "self" $values.sidecars }}
            {{- with .node.logLevel }}
            - --log-level={{ . }}
            {{- end }}
            {{- with .node.additionalArgs }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- $extra := concat (include "famfs-csi.hostEnv" . | fromYamlArray) (list (dict "name" "FAMFS_SYSTEM_UUID_FILE" "value" (printf "%s/system_uuid" $plugin))) }}
          {{- with include "famfs-csi.environment" (dict "container" .node "extra" $extra) | trim }}
          {{- . | nindent 10 }}
          {{- end }}
          ports:
            - name: http
              containerPort: {{ .node.httpPort }}
          {{- with include "famfs-csi.probes" (dict "pod" .node "livenessPort" (ternary ($values.livenessProbe.httpPort | int) "http" $values.sidecars)) | trim }}
          {{- . | nindent 10 }}
          {{- end }}
          terminationMessagePolicy: FallbackToLogsOnError
          securityContext:
            {{- toYaml .node.containerSecurityContext | nindent 12 }}
          volumeMounts:
            {{- include "famfs-csi.nodeMounts" . | nindent 12 }}
        - name: fused
          image: {{ $ours }}
          imagePullPolicy: {{ $values.image.pullPolicy }}
          command: [famfs-fused-spawner]
          args:
            - --socket=/run/famfs-fused/spawner.sock
            {{- with $fused.additionalArgs }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- with include "famfs-csi.environment" (dict "container" $fused "extra" $extra) | trim }}
          {{- . | nindent 10 }}
          {{- end }}
          terminationMessagePolicy: FallbackToLogsOnError
          securityContext:
            {{- if eq (include "famfs-csi.anyDevdax" .) "true" }}
            # Only a privileged container may open a character device of the host.
            runAsUser: 0
            privileged: true
            readOnlyRootFilesystem: true
            {{- else }}
            {{- toYaml $fused.containerSecurityContext | nindent 12 }}
            {{- end }}
          volumeMounts:
            {{- include "famfs-csi.fusedMounts" . | nindent 12 }}
        {{- if $values.sidecars }}
        {{- include "famfs-csi.nodeSidecars" (dict "root" .root "plugin" $plugin) | nindent 8 }}
        {{- end }}
      volumes:
        - name: configuration
          configMap:
            name: {{ include "famfs-csi.fullname" .root }}
            items:
              - {key: {{ .key }}, path: config.yaml}
        - name: kubelet
          hostPath:
            path: {{ $kubelet }}
            type: Directory
        - name: spawner
          emptyDir: {}
        - name: plugin
          hostPath:
            path: {{ $plugin }}
            type: DirectoryOrCreate
        {{- if $values.sidecars }}
        - name: registration
          hostPath:
            path: {{ $kubelet }}/plugins_registry
            type: DirectoryOrCreate
        {{- end }}
        {{- with include "famfs-csi.poolVolumes" . | trim }}
        {{- . | nindent 8 }}
        {{- end }}
        {{- with .node.volumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
{{- end -}}

{{/* Kubernetes lets none but a privileged container mount for the node
(Bidirectional). */}}
{{- define "famfs-csi.nodeMounts" -}}
- name: configuration
  mountPath: /etc/famfs-csi
  readOnly: true
- name: kubelet
  mountPath: {{ include "famfs-csi.kubeletPath" .root }}
  mountPropagation: Bidirectional
- name: spawner
  mountPath: /run/famfs-fused
{{- with include "famfs-csi.poolVolumeMounts" . | trim }}
{{ . }}
{{- end }}
{{- with .node.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A server's mount is attached by the plugin, so it sees nothing of kubelet's
directory but the plugin's own, where its lock file is. */}}
{{- define "famfs-csi.fusedMounts" -}}
- name: plugin
  mountPath: {{ include "famfs-csi.pluginPath" .root }}
- name: spawner
  mountPath: /run/famfs-fused
{{- with include "famfs-csi.poolVolumeMounts" . | trim }}
{{ . }}
{{- end }}
{{- with .node.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "famfs-csi.nodeSidecars" -}}
{{- $registrar := .root.Values.nodeDriverRegistrar -}}
{{- $probe := .root.Values.livenessProbe -}}
- name: node-driver-registrar
  image: {{ include "famfs-csi.image" (dict "root" .root "image" $registrar.image) }}
  imagePullPolicy: {{ $registrar.image.pullPolicy }}
  args:
    - --csi-address=/csi/csi.sock
    - --kubelet-registration-path={{ .plugin }}/csi.sock
    - --http-endpoint={{ include "famfs-csi.sidecarHost" .root }}:{{ $registrar.httpPort }}
    - --v={{ $registrar.logLevel }}
    {{- with $registrar.additionalArgs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with include "famfs-csi.environment" (dict "container" $registrar "extra" list) | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  ports:
    - name: registrar
      containerPort: {{ $registrar.httpPort }}
  livenessProbe:
    httpGet: {path: /healthz, port: registrar}
    initialDelaySeconds: 10
    timeoutSeconds: 10
    periodSeconds: 60
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    {{- toYaml $registrar.securityContext | nindent 4 }}
  volumeMounts:
    - name: plugin
      mountPath: /csi
    - name: registration
      mountPath: /registration
- name: liveness-probe
  image: {{ include "famfs-csi.image" (dict "root" .root "image" $probe.image) }}
  imagePullPolicy: {{ $probe.image.pullPolicy }}
  args:
    - --csi-address=/csi/csi.sock
    - --http-endpoint={{ include "famfs-csi.sidecarHost" .root }}:{{ $probe.httpPort }}
    - --probe-timeout={{ $probe.timeout }}
    - --v={{ $probe.logLevel }}
    {{- with $probe.additionalArgs }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with include "famfs-csi.environment" (dict "container" $probe "extra" list) | trim }}
  {{- . | nindent 2 }}
  {{- end }}
  ports:
    - name: liveness
      containerPort: {{ $probe.httpPort }}
  terminationMessagePolicy: FallbackToLogsOnError
  securityContext:
    {{- toYaml $probe.securityContext | nindent 4 }}
  volumeMounts:
    - name: plugin
      mountPath: /csi
{{- end -}}
