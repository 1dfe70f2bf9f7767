{{/* In which cloud the scaler looks for a namespace, by the end of its host; in one that it does not know by that end itself. */}}
{{- define "replicator.cloud" -}}
{{- $suffix := . | splitList "." | rest | join "." -}}
{{- $clouds := dict "servicebus.windows.net" "AzurePublicCloud" "servicebus.usgovcloudapi.net" "AzureUSGovernmentCloud" "servicebus.chinacloudapi.cn" "AzureChinaCloud" -}}
cloud: {{ get $clouds $suffix | default "Private" | quote }}
{{- if not (hasKey $clouds $suffix) }}
endpointSuffix: {{ $suffix | quote }}
{{- end }}
{{- end }}
