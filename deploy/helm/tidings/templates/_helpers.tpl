{{- define "tidings.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "tidings.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tidings.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{ include "tidings.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Servers that share a log may be many; a log in a folder or in memory belongs to one of them. */}}
{{- define "tidings.isShared" -}}
{{- if has .Values.log.engine (list "redis" "postgres") }}yes{{ end }}
{{- end }}

{{- define "tidings.replicas" -}}
{{- if include "tidings.isShared" . }}{{ .Values.replicas }}{{ else }}1{{ end }}
{{- end }}
