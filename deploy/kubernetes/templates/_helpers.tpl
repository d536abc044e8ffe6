{{- define "levee.labels" -}}
app.kubernetes.io/name: levee
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Labels of one part: (dict "root" $ "part" "portal"). */}}
{{- define "levee.part" -}}
{{ include "levee.labels" .root }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/*
How nodes of one zone get a new version: one after the other, or only when somebody deletes the pod. Never in two zones at
once: those are the failure domains, and a chunk has a replica in each. (dict "root" $ "zone" "a"; "" without zones.)
*/}}
{{- define "levee.nodesUpdate" -}}
{{- $nodes := .root.Values.nodes -}}
{{- $rolls := $nodes.rollout -}}
{{- if not (or (eq $rolls "") (eq $rolls "none") (has $rolls $nodes.zones)) -}}
{{- fail (printf "nodes.rollout is %q: it is empty, none, or one of nodes.zones (%s)" $rolls (join ", " $nodes.zones)) -}}
{{- end -}}
{{- if eq .zone "" -}}
{{ ternary "OnDelete" "RollingUpdate" (eq $rolls "none") }}
{{- else -}}
{{ ternary "RollingUpdate" "OnDelete" (eq $rolls .zone) }}
{{- end -}}
{{- end }}

{{- define "levee.scheme" -}}
{{ if .Values.tls.existingSecret }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{/* Environment of every process. */}}
{{- define "levee.env" -}}
{{- $root := .root -}}
- name: KAFKA_BROKERS
  value: {{ required "kafka.brokers: host:port of the Kafka that the cluster's truth is in" $root.Values.kafka.brokers | quote }}
- name: LEVEE_HOST
  value: 0.0.0.0
- name: LEVEE_TOPIC_PREFIX
  value: {{ $root.Values.topicPrefix | quote }}
- name: LEVEE_AUTH
  value: {{ ternary "on" "off" $root.Values.auth | quote }}
- name: LEVEE_LOG_FORMAT
  value: json
- name: LEVEE_DRAIN_TIMEOUT
  value: {{ printf "%vs" $root.Values.drain.timeoutSeconds | quote }}
{{- if $root.Values.tls.existingSecret }}
- name: LEVEE_TLS_CERT
  value: /run/levee/tls/tls.crt
- name: LEVEE_TLS_KEY
  value: /run/levee/tls/tls.key
- name: LEVEE_TLS_CA
  value: /run/levee/tls/ca.crt
- name: LEVEE_TLS_CLUSTER_NAME
  value: {{ $root.Values.tls.clusterName | quote }}
{{- else if $root.Values.auth }}
- name: LEVEE_CLUSTER_KEY_FILE
  value: /run/levee/key/cluster.key
{{- end }}
{{- range $name, $value := merge (dict) .own.settings $root.Values.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "levee.mounts" -}}
- { name: tmp, mountPath: /tmp }
{{- if .Values.tls.existingSecret }}
- { name: tls, mountPath: /run/levee/tls, readOnly: true }
{{- else if .Values.auth }}
- { name: key, mountPath: /run/levee/key, readOnly: true }
{{- end }}
{{- end }}

{{- define "levee.volumes" -}}
- { name: tmp, emptyDir: {} }
{{- if .Values.tls.existingSecret }}
- name: tls
  secret: { secretName: {{ .Values.tls.existingSecret }}, defaultMode: 0440 }
{{- else if .Values.auth }}
- name: key
  secret:
    secretName: {{ required "clusterKey.existingSecret: a secret with the key cluster.key (or tls.existingSecret, or auth: false)" .Values.clusterKey.existingSecret }}
    defaultMode: 0440
{{- end }}
{{- end }}

{{/* What every pod has: (dict "root" $ "part" "portal"). */}}
{{- define "levee.pod" -}}
# Else Kubernetes tells of services in variables that would count as settings.
enableServiceLinks: false
automountServiceAccountToken: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
terminationGracePeriodSeconds: {{ add .root.Values.drain.timeoutSeconds 20 }}
securityContext:
  runAsNonRoot: true
  runAsUser: 1000
  runAsGroup: 1000
  fsGroup: 1000
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: { type: RuntimeDefault }
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{ include "levee.part" . | nindent 8 }}
{{- end }}

{{- define "levee.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
{{- with .Values.kafka.existingSecret }}
envFrom:
  - secretRef: { name: {{ . }} }
{{- end }}
{{- end }}

{{/* Probes at the HTTP door. A process that reads a long log is alive and not ready. */}}
{{- define "levee.probes" -}}
startupProbe:
  httpGet: { path: /health/live, port: http, scheme: {{ include "levee.scheme" . }} }
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: { path: /health/live, port: http, scheme: {{ include "levee.scheme" . }} }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /health/ready, port: http, scheme: {{ include "levee.scheme" . }} }
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: 1
{{- end }}
