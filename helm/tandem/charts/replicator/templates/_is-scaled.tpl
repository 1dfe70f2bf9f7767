{{/* Without peers there is no queue to scale by. */}}
{{- define "replicator.isScaled" -}}
{{ and .Values.autoscaling.enabled (eq .Values.global.dataAccess "multi-region") }}
{{- end }}
