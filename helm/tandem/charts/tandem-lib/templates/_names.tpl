{{/*
Names are those of the charts and not of the release: the identities of infra/ trust the service
accounts by name. So there is one release in a namespace.
*/}}
{{- define "tandem.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tandem.labels" -}}
{{ include "tandem.selectorLabels" . }}
app.kubernetes.io/part-of: tandem
app.kubernetes.io/version: {{ .Values.global.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
tandem/region: {{ .Values.global.region }}
{{- end }}

{{/* The image of a service: dict with root and service. A digest wins over a tag. */}}
{{- define "tandem.image" -}}
{{- $image := .root.Values.global.image -}}
{{- $digest := get ($image.digests | default dict) .service -}}
{{- $name := printf "%s/tandem-%s" $image.registry .service -}}
{{- if $digest -}}
{{ printf "%s@%s" $name $digest }}
{{- else -}}
{{ printf "%s:%s" $name ($image.tag | default .root.Chart.AppVersion) }}
{{- end -}}
{{- end }}
