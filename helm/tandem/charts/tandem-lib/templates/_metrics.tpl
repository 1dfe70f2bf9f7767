{{/*
Metrics have a port of their own, since they name regions and routes: no Gateway and no ingress leads
to it, and only the namespace of the collector may connect. It is closed unless they are collected.
*/}}
{{- define "tandem.metricsPort" -}}9464{{- end }}

{{- define "tandem.metricsEnvironment" -}}
{{- if .Values.global.serviceMonitor.enabled -}}
- name: OTEL_METRICS_EXPORTER
  value: prometheus
- name: OTEL_EXPORTER_PROMETHEUS_HOST
  value: 0.0.0.0
- name: OTEL_EXPORTER_PROMETHEUS_PORT
  value: {{ include "tandem.metricsPort" . | quote }}
{{- end -}}
{{- end }}

{{/* What is sent to a collector; metrics go one way only, to whoever asks or to the collector. */}}
{{- define "tandem.otlpEnvironment" -}}
{{- with .Values.global.otlp -}}
{{- if .endpoint -}}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ .endpoint | quote }}
- name: OTEL_TRACES_EXPORTER
  value: otlp
- name: OTEL_TRACES_SAMPLER
  value: traceidratio
- name: OTEL_TRACES_SAMPLER_ARG
  value: {{ .sampledShare | quote }}
{{- if not $.Values.global.serviceMonitor.enabled }}
- name: OTEL_METRICS_EXPORTER
  value: otlp
{{- end }}
{{- end -}}
{{- end -}}
{{- end }}

{{/* The way to the collector, as a rule of a NetworkPolicy. */}}
{{- define "tandem.otlpEgress" -}}
{{- with .Values.global.otlp -}}
{{- if .endpoint -}}
- to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ .toNamespace | quote }}}
  ports:
    - {port: {{ (urlParse .endpoint).host | splitList ":" | last }}, protocol: TCP}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "tandem.serviceMonitor" -}}
{{- if .Values.global.serviceMonitor.enabled -}}
apiVersion: monitoring.coreos.com/v1
kind: ServiceMonitor
metadata:
  name: {{ .Chart.Name }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "tandem.labels" . | nindent 4 }}
    {{- with .Values.global.serviceMonitor.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "tandem.selectorLabels" . | nindent 6 }}
  endpoints:
    - port: metrics
      path: /metrics
      interval: {{ .Values.global.serviceMonitor.interval | quote }}
{{- end -}}
{{- end }}

{{/* Who may ask for them, as a rule of a NetworkPolicy. */}}
{{- define "tandem.metricsIngress" -}}
{{- if .Values.global.serviceMonitor.enabled -}}
- from:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ .Values.global.serviceMonitor.fromNamespace | quote }}}
  ports:
    - {port: metrics, protocol: TCP}
{{- end -}}
{{- end }}
