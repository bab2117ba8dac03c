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

{{/* How the process alone is asked, and how its database is. The HTTP port has TLS when gRPC's has. */}}
{{- define "inventory-job.liveness" -}}
{{- include "inventory-job.probe" (dict "root" . "service" "" "path" "/healthz") }}
{{- end }}

{{- define "inventory-job.readiness" -}}
{{- include "inventory-job.probe" (dict "root" . "service" "spaceone.api.inventory.v1.Job" "path" "/readyz") }}
{{- end }}

{{- define "inventory-job.probe" -}}
{{- $values := .root.Values }}
{{- if eq $values.probes.kind "http" -}}
httpGet:
  path: {{ .path }}
  port: http
  scheme: {{ ternary "HTTPS" "HTTP" (ne $values.tls.secretName "") }}
{{- else if eq $values.probes.kind "exec" -}}
exec:
  command:
    - inventory-job
    - health
    - --service={{ .service }}
    {{- if $values.tls.secretName }}
    - --tls
    - --server-name={{ $values.probes.exec.serverName }}
    {{- with $values.probes.exec.caKey }}
    - --ca-file=/run/secrets/inventory-job/tls/{{ . }}
    {{- end }}
    {{- if $values.probes.exec.clientSecretName }}
    - --certificate-file=/run/secrets/inventory-job/probe/tls.crt
    - --key-file=/run/secrets/inventory-job/probe/tls.key
    {{- end }}
    {{- end }}
{{- else -}}
grpc:
  port: 50051
  {{- with .service }}
  service: {{ . }}
  {{- end }}
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
{{- fail "settings.auth_mode none refuses every call from outside of the pod without settings.allow_remote_without_auth" }}
{{- end }}
{{- if and (ne $mode "identity") .Values.settings.identity_endpoint }}
{{- fail (printf "settings.identity_endpoint is for auth_mode identity: with %s set it to null" $mode) }}
{{- end }}
{{- $grace := .Values.settings.grace_seconds }}
{{- if kindIs "invalid" $grace }}{{ $grace = 10 }}{{ end }}
{{- if le (float64 .Values.terminationSeconds) (addf (float64 $grace) 10) }}
{{- fail "terminationSeconds has to be longer than settings.grace_seconds and 10 seconds together" }}
{{- end }}
{{- if and .Values.tls.clientCaKey (not .Values.tls.secretName) }}
{{- fail "tls.clientCaKey needs tls.secretName" }}
{{- end }}
{{- if and (eq .Values.probes.kind "grpc") .Values.tls.secretName }}
{{- fail "the kubelet's gRPC probes do not speak TLS: set probes.kind to http, or with mutual TLS to exec" }}
{{- end }}
{{- if and (eq .Values.probes.kind "http") .Values.tls.clientCaKey }}
{{- fail "the kubelet shows no certificate, which tls.clientCaKey asks for on the HTTP port too: set probes.kind to exec" }}
{{- end }}
{{- if eq .Values.probes.kind "exec" }}
{{- if and .Values.tls.secretName (not .Values.probes.exec.serverName) }}
{{- fail "probes.kind exec with TLS needs probes.exec.serverName" }}
{{- end }}
{{- if and .Values.tls.clientCaKey (not .Values.probes.exec.clientSecretName) }}
{{- fail "probes.kind exec with tls.clientCaKey needs probes.exec.clientSecretName" }}
{{- end }}
{{- if and .Values.probes.exec.clientSecretName (not .Values.tls.secretName) }}
{{- fail "probes.exec.clientSecretName needs tls.secretName" }}
{{- end }}
{{- end }}
{{- if and (eq .Values.probes.kind "http") (not .Values.http.enabled) }}
{{- fail "probes.kind http needs http.enabled" }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled (not .Values.http.enabled) }}
{{- fail "serviceMonitor.enabled needs http.enabled" }}
{{- end }}
{{- if and .Values.serviceMonitor.enabled .Values.tls.secretName (not .Values.serviceMonitor.tlsConfig) }}
{{- fail "the HTTP port has TLS as well: serviceMonitor.enabled with tls.secretName needs serviceMonitor.tlsConfig" }}
{{- end }}
{{- if and .Values.route.enabled (not .Values.route.parentRefs) }}
{{- fail "route.enabled needs route.parentRefs" }}
{{- end }}
{{- end }}
