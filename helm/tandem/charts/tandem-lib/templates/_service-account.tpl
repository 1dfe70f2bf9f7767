{{/* Dict with root, name, clientId, component labels as text, and annotations beyond the identity. */}}
{{- define "tandem.serviceAccount" -}}
{{- $root := .root -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .name }}
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "tandem.labels" $root | nindent 4 }}
  {{- $annotations := .annotations | default dict }}
  {{- if eq $root.Values.global.credentials.source "identity" }}
  {{- /* The identity wins over what a release writes beside it. */}}
  {{- $annotations = merge (dict "azure.workload.identity/client-id" .clientId) $annotations }}
  {{- end }}
  {{- with $annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
