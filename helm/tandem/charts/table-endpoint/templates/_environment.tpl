{{/* What only this service reads: whom it lets in, whom it believes, how much it holds. */}}
{{- define "table-endpoint.environment" -}}
{{- /* The provider class gives its Secret its own name. */ -}}
{{- $secret := required "table-endpoint.enabled is true, but table-endpoint.accounts.secretName is not set: name the Secret whose key table-accounts holds the accounts, or the provider class that makes it." (.Values.accounts.secretProviderClass | default .Values.accounts.secretName) -}}
- name: TABLE_ACCOUNTS
  valueFrom:
    secretKeyRef:
      name: {{ $secret | quote }}
      key: table-accounts
{{- with .Values.trustedProxies }}
- name: TRUSTED_PROXIES
  value: {{ . | quote }}
{{- end }}
- name: REQUEST_BODIES_MIB
  value: {{ .Values.requestBodiesMib | int64 | quote }}
{{ include "tandem.auth" . }}
{{- end }}
