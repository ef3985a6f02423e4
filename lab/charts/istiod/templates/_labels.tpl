{{- define "istiod.name" -}}
istiod{{ with .Values.revision }}-{{ . }}{{ end }}
{{- end }}

{{- define "istiod.selector" -}}
{{- if .Values.revision -}}
app: istiod
istio.io/rev: {{ .Values.revision | quote }}
{{- else -}}
istio: pilot
{{- end }}
{{- end }}

{{- define "istiod.pods" -}}
app: istiod
{{ if .Values.revision }}istio.io/rev: {{ .Values.revision | quote }}{{ else }}istio: pilot{{ end }}
{{- end }}

{{- define "istiod.labels" -}}
istio.io/rev: {{ .Values.revision | default "default" | quote }}
app.kubernetes.io/name: istiod
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.Version | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}
