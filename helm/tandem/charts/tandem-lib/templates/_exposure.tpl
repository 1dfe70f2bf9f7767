{{/*
The way of clients to a service: dict with root, hosts, and bodySize where a body may have more than a MiB. Both names are served: the region's own, which
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
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "tandem.labels" $root | nindent 4 }}
  {{- with $exposure.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs:
    - name: {{ required (printf "%s.exposure.kind is gateway, but exposure.gateway.name is not set: name the Gateway that serves this cluster." $root.Chart.Name) $exposure.gateway.name | quote }}
      namespace: {{ $exposure.fromNamespace | quote }}
      {{- with $exposure.gateway.sectionName }}
      sectionName: {{ . | quote }}
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
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "tandem.labels" $root | nindent 4 }}
  {{- /* The controller of most clusters takes bodies of 1 MiB unless it is told; another one reads no such thing. */}}
  {{- $sizes := empty .bodySize | ternary dict (dict "nginx.ingress.kubernetes.io/proxy-body-size" .bodySize) }}
  {{- with merge dict $exposure.annotations $sizes }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  ingressClassName: {{ required (printf "%s.exposure.kind is ingress, but exposure.ingress.className is not set: name the class of this cluster's ingress controller." $root.Chart.Name) $exposure.ingress.className | quote }}
  tls:
    - hosts:
        {{- toYaml $hosts | nindent 8 }}
      secretName: {{ required (printf "%s.exposure.kind is ingress, but exposure.ingress.tlsSecretName is not set: name the Secret with the certificate of both hosts." $root.Chart.Name) $exposure.ingress.tlsSecretName | quote }}
  rules:
    {{- range $hosts }}
    - host: {{ . | quote }}
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
    matchLabels: {kubernetes.io/metadata.name: {{ .Values.exposure.fromNamespace | quote }}}
{{ end -}}
- podSelector:
    matchLabels: {app.kubernetes.io/name: tandem-test, app.kubernetes.io/instance: {{ .Release.Name | quote }}}
{{- end -}}
