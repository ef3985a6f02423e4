{{- define "metallb.selector" -}}
app.kubernetes.io/name: metallb
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "metallb.labels" -}}
{{ include "metallb.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: v{{ .Chart.Version }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
