{{/*
Names are those of the charts and not of the release: the identities of infra/ trust the service
accounts by name. So there is one release in a namespace.
*/}}
{{- define "tandem.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{/* A text as the value of a label: of 63 characters at most, letters and digits at both ends, without the + of a version. */}}
{{- define "tandem.labelValue" -}}
{{- $legal := . | replace "+" "_" | trunc 63 -}}
{{ regexReplaceAll "^[^A-Za-z0-9]+|[^A-Za-z0-9]+$" $legal "" | quote }}
{{- end }}

{{- define "tandem.labels" -}}
{{ include "tandem.selectorLabels" . }}
app.kubernetes.io/part-of: tandem
app.kubernetes.io/version: {{ include "tandem.labelValue" (.Values.global.image.tag | default .Chart.AppVersion) }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
helm.sh/chart: {{ include "tandem.labelValue" (printf "%s-%s" .Chart.Name .Chart.Version) }}
tandem/region: {{ .Values.global.region | quote }}
{{- end }}

{{/* The Secrets by which images are pulled, as the line of a pod; nothing where the nodes may pull them. */}}
{{- define "tandem.imagePullSecrets" -}}
{{- with .Values.global.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end -}}
{{- end }}

{{/* The image of a service: dict with root and service. A digest wins over a tag. */}}
{{- define "tandem.image" -}}
{{- $image := .root.Values.global.image -}}
{{- $digest := get ($image.digests | default dict) .service -}}
{{- $name := printf "%s/tandem-%s" $image.registry .service -}}
{{- if $digest -}}
{{ printf "%s@%s" $name $digest }}
{{- else -}}
{{- /* A registry takes no + in a tag; helm and its packagers write _ for it. */ -}}
{{ printf "%s:%s" $name ($image.tag | default (.root.Chart.AppVersion | replace "+" "_")) }}
{{- end -}}
{{- end }}
