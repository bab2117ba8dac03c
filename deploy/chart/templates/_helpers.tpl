{{- define "inventory-job.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "inventory-job.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "inventory-job.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "inventory-job.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "inventory-job.selector" -}}
app.kubernetes.io/name: {{ include "inventory-job.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "inventory-job.labels" -}}
{{ include "inventory-job.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: cloudforet
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "inventory-job.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end }}
{{- end }}

{{/* What can't work is refused when the chart is rendered, not found out in the cluster. */}}
{{- define "inventory-job.check" -}}
{{- $mode := default "none" .Values.settings.auth_mode }}
{{- if and (eq $mode "identity") (not .Values.identity.secret.name) }}
{{- fail "settings.auth_mode identity needs identity.secret.name" }}
{{- end }}
{{- if and (eq $mode "jwt") (not .Values.jwt.secret.name) }}
{{- fail "settings.auth_mode jwt needs jwt.secret.name" }}
{{- end }}
{{- if and (eq $mode "none") (not .Values.settings.allow_remote_without_auth) }}
{{- fail "settings.auth_mode none serves nobody in a cluster without settings.allow_remote_without_auth" }}
{{- end }}
{{- if and .Values.tls.clientCaKey (not .Values.tls.secretName) }}
{{- fail "tls.clientCaKey needs tls.secretName" }}
{{- end }}
{{- if and (eq .Values.probes.kind "grpc") .Values.tls.secretName }}
{{- fail "the kubelet's gRPC probes do not speak TLS: set probes.kind to http" }}
{{- end }}
{{- if and (eq .Values.probes.kind "http") (not .Values.http.enabled) }}
{{- fail "probes.kind http needs http.enabled" }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not .Values.http.enabled) }}
{{- fail "serviceMonitor.enabled needs http.enabled" }}
{{- end }}
{{- if and .Values.route.enabled (not .Values.route.parentRefs) }}
{{- fail "route.enabled needs route.parentRefs" }}
{{- end }}
{{- end }}
