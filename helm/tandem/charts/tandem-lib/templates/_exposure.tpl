{{/*
The way of clients to a service: dict with root and hosts. Both names are served: the region's own, which
Traffic Manager probes, and the public one, which clients keep asking for since Traffic Manager only answers
with addresses.
*/}}
{{- define "tandem.exposure" -}}
{{- $root := .root -}}
{{- $hosts := .hosts -}}
{{- $exposure := $root.Values.exposure -}}
{{- if eq $exposure.kind "gateway" -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ $root.Chart.Name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "tandem.labels" $root | nindent 4 }}
spec:
  parentRefs:
    - name: {{ required (printf "%s.exposure.kind is gateway, but exposure.gateway.name is not set: name the Gateway that serves this cluster." $root.Chart.Name) $exposure.gateway.name }}
      namespace: {{ $exposure.fromNamespace }}
      {{- with $exposure.gateway.sectionName }}
      sectionName: {{ . }}
      {{- end }}
  hostnames:
    {{- toYaml $hosts | nindent 4 }}
  rules:
    - matches:
        - path: {type: PathPrefix, value: /}
      backendRefs:
        - {name: {{ $root.Chart.Name }}, port: {{ $root.Values.port }}}
{{- else if eq $exposure.kind "ingress" -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ $root.Chart.Name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "tandem.labels" $root | nindent 4 }}
spec:
  ingressClassName: {{ required (printf "%s.exposure.kind is ingress, but exposure.ingress.className is not set: name the class of this cluster's ingress controller." $root.Chart.Name) $exposure.ingress.className }}
  tls:
    - hosts:
        {{- toYaml $hosts | nindent 8 }}
      secretName: {{ required (printf "%s.exposure.kind is ingress, but exposure.ingress.tlsSecretName is not set: name the Secret with the certificate of both hosts." $root.Chart.Name) $exposure.ingress.tlsSecretName }}
  rules:
    {{- range $hosts }}
    - host: {{ . }}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {{ $root.Chart.Name }}
                port: {name: http}
    {{- end }}
{{- end }}
{{- end }}

{{/* Who may connect to a service that clients are led to, as YAML of peers. */}}
{{- define "tandem.callers" -}}
{{- if ne .Values.exposure.kind "none" -}}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ .Values.exposure.fromNamespace }}}
{{ end -}}
- podSelector:
    matchLabels: {app.kubernetes.io/name: tandem-test, app.kubernetes.io/instance: {{ .Release.Name }}}
{{- end -}}
