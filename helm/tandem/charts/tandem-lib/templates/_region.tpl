{{/*
This region's entry of global.regions, as YAML. Refuses wrong values first, so that whatever asks
for the region can rely on them.
*/}}
{{- define "tandem.region" -}}
{{- include "tandem.validate" . -}}
{{- $own := .Values.global.region -}}
{{- range .Values.global.regions -}}
{{- if eq .name $own -}}
{{ toYaml . }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The queue of an entry of global.regions: dict with root and region. */}}
{{- define "tandem.queue" -}}
{{ .region.queue | default .root.Values.global.queue }}
{{- end }}

{{/* The other regions, as the JSON that the services read. */}}
{{- define "tandem.peers" -}}
{{- $root := . -}}
{{- $peers := list -}}
{{- range .Values.global.regions -}}
{{- if ne .name $root.Values.global.region -}}
{{- $queue := include "tandem.queue" (dict "root" $root "region" .) -}}
{{- $peer := dict "region" .name "connection" .serviceBusNamespace "queue" $queue -}}
{{- $peers = append $peers $peer -}}
{{- end -}}
{{- end -}}
{{ toJson $peers }}
{{- end }}
