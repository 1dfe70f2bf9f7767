{{/* Whose access tokens are taken. */}}
{{- define "tandem.auth" -}}
{{- $auth := .Values.global.auth -}}
- name: AUTH_ISSUER
  value: {{ $auth.issuer | quote }}
- name: AUTH_AUDIENCE
  value: {{ $auth.audience | quote }}
{{- with $auth.jwksUrl }}
- name: AUTH_JWKS_URL
  value: {{ . | quote }}
{{- end }}
{{- with $auth.tokenType }}
- name: AUTH_TOKEN_TYPE
  value: {{ . | quote }}
{{- end }}
{{- end }}
