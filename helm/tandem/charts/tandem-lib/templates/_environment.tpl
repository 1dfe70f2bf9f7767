{{/* The Secret with the connection strings; the provider class gives its Secret its own name. */}}
{{- define "tandem.secretName" -}}
{{- $credentials := .Values.global.credentials -}}
{{ eq $credentials.source "csi" | ternary $credentials.csi.secretProviderClass $credentials.externalSecret.secretName }}
{{- end }}

{{/* Under which name a setting of the table Configuration is overridden: Customer.Queue is CUSTOMER_QUEUE. */}}
{{- define "tandem.variable" -}}
{{ regexReplaceAll "([a-z0-9])([A-Z])" . "${1}_${2}" | replace "." "_" | upper }}
{{- end }}

{{/*
The settings of the table Configuration that a release gives, as variables: a job of the release writes them there, and no
service has them, unless global.settingsIn is environment. Two regions have the form for two.
*/}}
{{- define "tandem.settings" -}}
{{- $root := . -}}
{{- $global := .Values.global -}}
{{- $region := include "tandem.region" . | fromYaml -}}
- name: CUSTOMER_DATA_ACCESS
  value: {{ $global.dataAccess | quote }}
- name: CUSTOMER_QUEUE
  value: {{ include "tandem.queue" (dict "root" . "region" $region) | quote }}
{{- if eq $global.dataAccess "multi-region" }}
{{- if eq $global.credentials.source "identity" }}
- name: SERVICE_BUS_CONNECTION
  value: {{ $region.serviceBusNamespace | quote }}
{{- $peers := include "tandem.peers" . | fromJsonArray -}}
{{- $peer := first $peers -}}
{{- if and (eq (len $peers) 1) (eq $peer.queue (include "tandem.queue" (dict "root" . "region" $region))) }}
- name: PEER_REGION
  value: {{ $peer.region | quote }}
- name: REDUNDANCY_SERVICE_BUS_CONNECTION
  value: {{ $peer.connection | quote }}
{{- else }}
- name: PEERS
  value: {{ include "tandem.peers" . | quote }}
{{- end }}
{{- else }}
{{- range $variable, $key := dict "SERVICE_BUS_CONNECTION" "service-bus-connection" "PEERS" "peers" }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ include "tandem.secretName" $root | quote }}
      key: {{ $key }}
{{- end }}
{{- end }}
{{- end }}
{{- /* Numbers are floating point to helm, which would print large ones with an exponent. */}}
{{- range $setting, $value := $global.settings }}
- name: {{ include "tandem.variable" $setting }}
  value: {{ kindIs "string" $value | ternary $value ($value | int64) | quote }}
{{- end }}
{{- end }}

{{/* What a process needs to find its table Configuration. */}}
{{- define "tandem.place" -}}
{{- $region := include "tandem.region" . | fromYaml -}}
- name: REGION_ID
  value: {{ $region.name | quote }}
- name: STORAGE_CONNECTION
  {{- if eq .Values.global.credentials.source "identity" }}
  value: {{ $region.storageAccountUrl | quote }}
  {{- else }}
  valueFrom:
    secretKeyRef:
      name: {{ include "tandem.secretName" . | quote }}
      key: storage-connection
  {{- end }}
{{- end }}

{{/*
The environment of a service: dict with root, port and, for what looks at settings before they are written, withSettings. All
other settings are in the region's table Configuration.
*/}}
{{- define "tandem.environment" -}}
{{- $root := .root -}}
{{ include "tandem.place" $root }}
{{- if or .withSettings (eq $root.Values.global.settingsIn "environment") }}
{{ include "tandem.settings" $root }}
{{- end }}
- name: HOST
  value: 0.0.0.0
- name: PORT
  value: {{ .port | quote }}
- name: LOG_LEVEL
  value: {{ $root.Values.logLevel | quote }}
- name: SHUTDOWN_DEADLINE_MS
  value: {{ $root.Values.shutdownDeadlineMs | int64 | quote }}
{{- end }}
