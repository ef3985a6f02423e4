{{- define "istiod.name" -}}
istiod{{ with .Values.revision }}-{{ . }}{{ end }}
{{- end }}

{{- define "istiod.selector" -}}
app: istiod
istio: pilot
{{- end }}

{{- define "istiod.labels" -}}
{{ include "istiod.selector" . }}
istio.io/rev: {{ .Values.revision | default "default" }}
app.kubernetes.io/name: istiod
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.Version | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
