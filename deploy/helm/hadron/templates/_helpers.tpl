{{- define "hadron.name" -}}
{{ printf "%s-hadron" .Release.Name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "hadron.selector" -}}
app.kubernetes.io/name: hadron
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hadron.labels" -}}
{{ include "hadron.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "hadron.masterKey" -}}
{{ default (printf "%s-master-key" (include "hadron.name" .)) .Values.masterKey.secret }}
{{- end }}
