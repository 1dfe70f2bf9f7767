{{/*
What a pod of Tandem may reach: names, its region's tables and the identity provider (443), every
region's queues (5671). Not the metadata service, whose tokens are those of the node.
*/}}
{{- define "tandem.egressRules" -}}
- to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: kube-system}
      podSelector:
        matchLabels: {k8s-app: kube-dns}
    {{- range .Values.global.networkPolicy.dnsCidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
- to:
    - ipBlock:
        cidr: {{ .Values.global.networkPolicy.egressCidr | quote }}
        except: [169.254.169.254/32]
  ports:
    - {port: 443, protocol: TCP}
    - {port: 5671, protocol: TCP}
{{- end }}

{{/* Dict with root and from: those who may connect to the port, as YAML of peers. */}}
{{- define "tandem.networkPolicy" -}}
{{- $root := .root -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $root.Chart.Name }}
  namespace: {{ $root.Release.Namespace | quote }}
  labels:
    {{- include "tandem.labels" $root | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "tandem.selectorLabels" $root | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        {{- .from | nindent 8 }}
      ports:
        - {port: http, protocol: TCP}
    {{- with include "tandem.metricsIngress" $root }}
    {{- . | nindent 4 }}
    {{- end }}
  egress:
    {{- include "tandem.egressRules" $root | nindent 4 }}
    {{- with include "tandem.otlpEgress" $root }}
    {{- . | nindent 4 }}
    {{- end }}
{{- end }}
