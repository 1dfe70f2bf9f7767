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
The environment of a service: dict with root and port. What is set here wins over the region's table
Configuration; what is not set here is read from it.
*/}}
{{- define "tandem.environment" -}}
{{- $root := .root -}}
{{- $global := $root.Values.global -}}
{{- $region := include "tandem.region" $root | fromYaml -}}
- name: REGION_ID
  value: {{ $region.name | quote }}
- name: CUSTOMER_DATA_ACCESS
  value: {{ $global.dataAccess | quote }}
- name: CUSTOMER_QUEUE
  value: {{ include "tandem.queue" (dict "root" $root "region" $region) | quote }}
{{- if eq $global.credentials.source "identity" }}
- name: STORAGE_CONNECTION
  value: {{ $region.storageAccountUrl | quote }}
{{- if eq $global.dataAccess "multi-region" }}
- name: SERVICE_BUS_CONNECTION
  value: {{ $region.serviceBusNamespace | quote }}
- name: PEERS
  value: {{ include "tandem.peers" $root | quote }}
{{- end }}
{{- else }}
{{- $secrets := dict "STORAGE_CONNECTION" "storage-connection" -}}
{{- if eq $global.dataAccess "multi-region" -}}
{{- $secrets = merge $secrets (dict "SERVICE_BUS_CONNECTION" "service-bus-connection" "PEERS" "peers") -}}
{{- end -}}
{{- range $variable, $key := $secrets }}
- name: {{ $variable }}
  valueFrom:
    secretKeyRef:
      name: {{ include "tandem.secretName" $root | quote }}
      key: {{ $key }}
{{- end }}
{{- end }}
{{- /* Numbers are floating point to helm, which would print large ones with an exponent. */}}
{{- range $setting, $value := $global.settings }}
- name: {{ include "tandem.variable" $setting }}
  value: {{ kindIs "string" $value | ternary $value ($value | int64) | quote }}
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
